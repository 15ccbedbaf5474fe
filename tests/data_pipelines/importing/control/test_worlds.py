"""Imported episodes may name the world they are of: it is compared with them, and says what chance reaches."""

import json

import gymnasium
import pytest

from data_pipelines.importing.common.errors import ImportingError
from data_pipelines.importing.control import ControlOptions, import_episodes, record_gymnasium
from data_pipelines.scores import load_scores

TASK = "poles.cart"


def episodes():
    def balance(observation):
        position, velocity, angle, turning = observation
        return int(0.1 * position + 0.3 * velocity + 3 * angle + turning > 0)

    return list(record_gymnasium(gymnasium.make("CartPole-v1"), balance, episodes=3, max_steps=60))


def test_an_import_names_its_world(tmp_path):
    options = ControlOptions(world="gymnasium:CartPole-v1", world_kwargs='{"max_episode_steps": 80}')
    summary = import_episodes(episodes(), tmp_path, TASK, options=options)
    spec = json.loads((tmp_path / TASK / "spec.json").read_text())
    assert spec["world"] == {"task": "gymnasium:CartPole-v1", "kwargs": {"max_episode_steps": 80}, "version": ""}
    assert (spec["name"], spec["max_episode_steps"]) == (TASK, 80)
    score = load_scores(tmp_path)[TASK]
    assert score.expert == 60.0
    assert len(score.random_returns) == 10
    assert any("a score of 100 is 60, the mean return of the episodes kept" in note for note in summary.notes)


def test_another_world_is_refused(tmp_path):
    with pytest.raises(ImportingError, match=r"--world: observation\.observation\.shape: \[4\] in the data, \[3\]"):
        import_episodes(episodes(), tmp_path, TASK, options=ControlOptions(world="gymnasium:Pendulum-v1"))
    assert not (tmp_path / TASK).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"world": "CartPole-v1"}, "a world is named package.module:factory"),
        ({"world_kwargs": "{}"}, "there is none"),
        ({"world": "gymnasium:CartPole-v1", "world_kwargs": "[1]"}, "expected a JSON object"),
    ],
)
def test_options(options, message):
    with pytest.raises(ValueError, match=message):
        ControlOptions(**options)
