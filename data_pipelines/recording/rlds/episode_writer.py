"""Episodes to TFDS directories, by EnvLogger where it can be imported. Imports TensorFlow: worker processes only."""

from pathlib import Path
from typing import Any, Protocol

import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines.recording.episodes import Episode, ReplayEnvironment
from data_pipelines.recording.rlds.envlogger_absent import why_absent
from data_pipelines.recording.rlds.files import RldsFiles
from data_pipelines.recording.writers import VERSION, feature
from data_pipelines.suites.base.environment import Environment, nest


class Logger(Protocol):
    """An environment whose steps are written to files."""

    def reset(self) -> Any: ...

    def step(self, action: Any) -> Any: ...

    def close(self) -> None: ...


class EpisodeWriter:
    """Logs accepted episodes of one task into one directory.

    Args:
      env: says what the observations and actions are.
      directory: where to write; must not hold a data set yet.
      split: of all its episodes.
      episodes_per_file: shard size.
    """

    def __init__(self, env: Environment, directory: Path, *, episodes_per_file: int, split: str = "train"):
        directory.mkdir(parents=True, exist_ok=True)
        files = RldsFiles(
            directory, dataset_config(env), split=split, episodes_per_file=episodes_per_file, version=VERSION
        )
        self._replay = ReplayEnvironment(env)
        self._logger = _logger(self._replay, files)

    def __enter__(self) -> "EpisodeWriter":
        return self

    def __exit__(self, *exception) -> None:
        # Closing writes the last shard: data that is not closed is lost.
        self._logger.close()

    def write(self, episode: Episode) -> None:
        """Logs one whole episode."""
        self._replay.load(episode)
        self._logger.reset()
        for action in episode.executed:
            self._logger.step(action)


def _logger(replay: ReplayEnvironment, files: RldsFiles) -> Logger:
    if why_absent():
        return WithoutEnvLogger(replay, files)
    from data_pipelines.recording.rlds.envlogger_writer import envlogger_over

    return envlogger_over(replay, files)


class WithoutEnvLogger:
    """The same files, where EnvLogger cannot be imported: what its `reset` and `step` hand to our backend."""

    def __init__(self, replay: ReplayEnvironment, files: RldsFiles):
        self._replay, self._files = replay, files

    def reset(self) -> None:
        self._files.add(self._replay.reset(), None, self._replay.step_fields, first=True)
        self._files.describe(self._replay.episode.fields)

    def step(self, action: Any) -> None:
        self._files.add(self._replay.step(action), action, self._replay.step_fields, first=False)

    def close(self) -> None:
        self._files.close()


def dataset_config(env: Environment) -> tfds.rlds.rlds_base.DatasetConfig:
    """Features of a recorded episode."""
    action = feature(env.spec.action)
    return tfds.rlds.rlds_base.DatasetConfig(
        name=env.spec.name.replace(".", "_"),
        observation_info=nest({item.path: feature(item) for item in env.spec.observation}),
        action_info=action,
        reward_info=tf.float32,
        discount_info=tf.float32,
        step_metadata_info={"expert_action": action},
        episode_metadata_info={"seed": tf.int64, "episode_return": tf.float32, "noise": tf.float32},
    )
