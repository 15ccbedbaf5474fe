"""What ends by itself is worth nothing more; what is cut could go on."""

import dm_env
import pytest

from data_pipelines.suites.base.timesteps import after

LAST, MID = dm_env.StepType.LAST, dm_env.StepType.MID


@pytest.mark.parametrize(
    ("ended", "cut", "expected"),
    [(False, False, (MID, 0.9)), (False, True, (LAST, 0.9)), (True, False, (LAST, 0.0)), (True, True, (LAST, 0.0))],
)
def test_the_end_and_the_cut_of_an_episode(ended, cut, expected):
    timestep = after(2.5, {"x": 1}, ended=ended, cut=cut, discount=0.9)
    assert (timestep.step_type, timestep.discount) == expected
    assert (timestep.reward, timestep.observation) == (2.5, {"x": 1})
    assert after(0.0, {}, ended=False, cut=cut).discount == 1.0
