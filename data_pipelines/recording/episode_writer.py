"""Episodes to TFDS directories, through EnvLogger. Imports TensorFlow and EnvLogger: worker processes only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from envlogger import EnvLogger, StepData
from envlogger.backends.backend_writer import BackendWriter

from data_pipelines.recording.episodes import Episode, ReplayEnvironment
from data_pipelines.recording.rlds_files import RldsFiles
from data_pipelines.recording.writers import VERSION, feature
from data_pipelines.suites.base.environment import Environment, nest


class RldsBackend(BackendWriter):
    """What EnvLogger logs goes to RLDS files."""

    def __init__(self, files: RldsFiles):
        self._files = files  # Before the base class, whose destructor closes.
        super().__init__()

    def _record_step(self, data: StepData, is_new_episode: bool) -> None:
        self._files.add(data.timestep, data.action, data.custom_data or {}, first=is_new_episode)

    def set_episode_metadata(self, data: Mapping[str, Any]) -> None:
        self._files.describe(data)

    def close(self) -> None:
        self._files.close()


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
        self._logger = EnvLogger(
            self._replay,
            step_fn=lambda timestep, action, env: {"expert_action": env.label},
            # EnvLogger keeps what the last call returned.
            episode_fn=lambda timestep, action, env: {
                "seed": env.episode.seed,
                "episode_return": np.float32(env.episode.episode_return),
                "noise": np.float32(env.episode.noise),
            },
            backend=RldsBackend(files),
        )

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
