"""Which states of a plan are judged."""

import numpy as np
import pytest

from data_pipelines.suites.planners.own_reward import judged_steps


@pytest.mark.parametrize(
    ("steps", "count", "stride", "expected"),
    [
        (12, 3, 1, [3, 7, 11]),
        (12, 100, 1, list(range(12))),  # no more than there are
        (12, 2, 4, [7, 11]),  # ends of environment steps
        (10, 100, 4, [3, 7, 9]),  # the last one, though it ends no environment step
        (1, 5, 4, [0]),
    ],
)
def test_judged_states_end_environment_steps_and_include_the_last(steps, count, stride, expected):
    np.testing.assert_array_equal(judged_steps(steps, count, stride), expected)
