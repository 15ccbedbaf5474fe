"""Steps of episodes to TFDS files in the RLDS layout. Imports TensorFlow, but not EnvLogger.

The files are those of EnvLogger 1.2's `TFDSBackendWriter`, which EnvLogger 1.3 no longer ships.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dm_env
import numpy as np
import tensorflow_datasets as tfds


class RldsFiles:
    """Appends steps; an episode is written when the next one begins or at `close`.

    Step t holds observation t, and the action taken there with its reward and discount. The last step of an episode has
    zeros for these three.

    Args:
      directory: where to write; what a data set of the same name left there is replaced.
      config: features of observations, actions, rewards, discounts, steps and episodes.
      split: of all episodes.
      episodes_per_file: shard size.
      version: of the data set, "major.minor.patch".
    """

    def __init__(
        self,
        directory: Path,
        config: tfds.rlds.rlds_base.DatasetConfig,
        *,
        split: str,
        episodes_per_file: int,
        version: str,
    ):
        identity = tfds.core.dataset_info.DatasetIdentity(
            name=config.name, version=tfds.core.Version(version), data_dir=str(directory), module_name=""
        )
        info = tfds.rlds.rlds_base.build_info(config, identity)
        info.set_file_format("tfrecord")
        self._split = split
        self._writer: tfds.core.SequentialWriter | None = tfds.core.SequentialWriter(info, episodes_per_file)
        self._writer.initialize_splits([split])
        self._steps: list[dict[str, Any]] = []
        self._metadata: Mapping[str, Any] = {}

    def add(self, timestep: dm_env.TimeStep, action: Any, metadata: Mapping[str, Any], *, first: bool) -> None:
        """Appends a timestep.

        Args:
          timestep: what the environment returned.
          action: what led to it; None for the first one of an episode.
          metadata: further fields of this step.
          first: whether an episode begins here.
        """
        if first:
            self._write_episode()
        else:
            self._steps[-1] |= {"action": action, "reward": timestep.reward, "discount": timestep.discount}
        last = timestep.last()
        self._steps.append(
            {
                "observation": timestep.observation,
                "is_first": timestep.first(),
                "is_last": last,
                "is_terminal": last and timestep.discount == 0.0,
                **metadata,
            }
        )

    def describe(self, metadata: Mapping[str, Any]) -> None:
        """Fields of the current episode. A later call replaces an earlier one."""
        self._metadata = metadata

    def close(self) -> None:
        """Writes what is left, and the description of the data set. Further calls do nothing."""
        if self._writer is not None:
            self._write_episode()
            self._writer.close_all()
            self._writer = None

    def _write_episode(self) -> None:
        if not self._steps:
            return
        if self._writer is None:
            raise ValueError("these files are closed")
        *steps, last = self._steps
        if not steps:
            raise ValueError("an episode needs an action, found a single timestep")
        last |= {key: np.zeros_like(steps[-1][key]) for key in ("action", "reward", "discount")}
        self._writer.add_examples({self._split: [{"steps": self._steps, **self._metadata}]})
        self._steps, self._metadata = [], {}
