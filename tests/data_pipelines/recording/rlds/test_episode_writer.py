"""The same files with EnvLogger and without it."""

import dm_env
import numpy as np
import pytest

from data_pipelines.recording.episodes import Episode
from data_pipelines.recording.rlds.envlogger_absent import why_absent
from data_pipelines.recording.rlds.episode_writer import EpisodeWriter, WithoutEnvLogger
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment
from tests.data_pipelines.recording.rlds.test_files import assert_equal_directories


class Toy(Environment):
    """Says what the observations are: episodes are replayed."""

    _spec = TaskSpec(
        "toy.world",
        (ItemSpec("eye/frame", Kind.IMAGE, (12, 14, 3), "uint8"), ItemSpec("mission", Kind.TEXT, (), "object")),
        ItemSpec("action", Kind.CONTINUOUS, (2,)),
        max_episode_steps=9,
    )

    def reset_to(self, seed):
        raise NotImplementedError

    def step(self, action):
        raise NotImplementedError

    def render(self, size):
        raise NotImplementedError


def make_episode(seed, steps):
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (steps + 1, 12, 14, 3), dtype=np.uint8)
    seen = [{"eye": {"frame": frame}, "mission": f"café {number}"} for number, frame in enumerate(frames)]
    rewards = rng.normal(size=steps)
    timesteps = [dm_env.restart(seen[0])]
    timesteps += [dm_env.transition(float(reward), after) for reward, after in zip(rewards, seen[1:], strict=True)]
    end = dm_env.termination if seed % 2 else dm_env.truncation
    timesteps[-1] = end(float(rewards[-1]), seen[-1])
    labels = rng.uniform(-1, 1, (steps, 2)).astype(np.float32)
    return Episode(seed, 0.1 * seed, tuple(timesteps), tuple(labels / 2), tuple(labels))


def test_envlogger_writes_what_is_written_without_it(tmp_path, without_envlogger):
    if reason := why_absent():
        pytest.skip(reason)
    for name in ("with", "without"):
        if name == "without":
            without_envlogger()
        with EpisodeWriter(Toy(), tmp_path / name, episodes_per_file=2) as writer:
            assert isinstance(writer._logger, WithoutEnvLogger) == (name == "without")
            for seed, steps in enumerate((3, 1, 4)):
                writer.write(make_episode(seed, steps))
    assert len(list((tmp_path / "with").glob("*.tfrecord-*"))) == 2
    assert_equal_directories(tmp_path / "with", tmp_path / "without")
