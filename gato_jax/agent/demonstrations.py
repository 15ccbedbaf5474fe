"""Demonstrations that an agent is shown: beginnings and ends of recorded episodes, of a data directory or an export.

A prompt is the beginning of a demonstration, or its end, which shows the goal (Gato, section 2.2). Imports no
TensorFlow, in no process.
"""

import dataclasses
import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines import atomic_files
from data_pipelines.spec import TaskSpec
from data_pipelines.storage.episode_index import read_episodes
from data_pipelines.storage.episodes import read_episode
from data_pipelines.storage.recorded_tasks import DataError, RecordedTask, read_task
from gato_jax.agent.observations import nested
from gato_jax.agent.policy import Demonstration

DIRECTORY = "demonstrations"
"""Of an export: one npz for each task."""

EPISODES = 8
"""Demonstrations of a task, of which each episode is shown one."""


@dataclasses.dataclass(frozen=True)
class Demonstrations:
    """Parts of recorded episodes of one task.

    Args:
      spec: of the task.
      names: file and record of each episode.
      beginnings, ends: its first and its last timesteps, by key of the spec and "action", [T, ...].
    """

    spec: TaskSpec
    names: Sequence[str]
    beginnings: Sequence[Mapping[str, np.ndarray]]
    ends: Sequence[Mapping[str, np.ndarray]]

    def drawn_by(self, seed: int, *, goal: bool, timesteps: int) -> tuple[str, Demonstration]:
        """The name of the episode that a seed draws, whatever other seeds there are, and so many of its timesteps.

        Raises:
          DataError: there are no demonstrations.
        """
        if not self.names:
            raise DataError(f"task {self.spec.name!r}: the export has no demonstrations of it")
        key = [int(seed), zlib.crc32(self.spec.name.encode())]
        index = int(np.random.default_rng(key).integers(len(self.names)))
        part = (self.ends if goal else self.beginnings)[index]
        keys = [item.key for item in self.spec.observation]
        count = len(part["action"])
        steps = range(count)[-timesteps:] if goal else range(count)[:timesteps]
        return self.names[index], [(nested({key: part[key][t] for key in keys}), part["action"][t]) for t in steps]

    def save(self, path: Path) -> None:
        """Writes one npz: arrays and text, no pickle."""
        arrays: dict[str, Any] = {"spec": np.array(self.spec.to_json()), "names": np.array(self.names, np.str_)}
        for kind, parts in (("beginning", self.beginnings), ("end", self.ends)):
            arrays |= {f"{kind}|{i}|{key}": array for i, part in enumerate(parts) for key, array in part.items()}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        atomic_files.write_bytes(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Demonstrations":
        """What `save` wrote. Raises `DataError` for anything else."""
        parts: dict[str, dict[int, dict[str, np.ndarray]]] = {"beginning": {}, "end": {}}
        try:
            with np.load(path, allow_pickle=False) as stored:
                spec, names = TaskSpec.from_json(str(stored["spec"])), [str(name) for name in stored["names"]]
                for name in stored.files:
                    if "|" in name:
                        kind, number, key = name.split("|")
                        parts[kind].setdefault(int(number), {})[key] = stored[name]
                beginnings, ends = ([parts[kind][i] for i in range(len(names))] for kind in parts)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path} holds no demonstrations: {error}") from error
        return cls(spec, names, beginnings, ends)


def read(
    directory: str | Path, task: str, *, timesteps: int, episodes: int = EPISODES, seed: int = 0
) -> Demonstrations:
    """Demonstrations of a recorded task: of held-out episodes where there are some, else of those of training.

    Args:
      directory: data directory.
      task: its name.
      timesteps: first, and last, of each; of episodes that are shorter all there are.
      episodes: as many at most.
      seed: with the task's name, of which ones.

    Raises:
      DataError: nothing recorded, or damaged.
    """
    recorded = read_task(directory, task)
    if recorded.spec is None:
        raise DataError(f"task {task!r} in {directory}: expected a control task, found {recorded.kind}")
    split = "validation" if recorded.examples("validation") else "train"
    lengths = read_episodes(recorded, split).timesteps
    order = np.random.default_rng([seed, zlib.crc32(task.encode())]).permutation(len(lengths))
    enough = min(max(1, timesteps), max(lengths, default=0))
    order = order[lengths[order] >= max(enough, 1)][:episodes]
    if not len(order):
        raise DataError(f"task {task!r} in {directory}: expected episodes with steps in split {split!r}, found none")
    return Demonstrations(
        recorded.spec,
        [_name(recorded, split, int(number)) for number in order],
        [read_episode(recorded, split, int(number), part=slice(0, timesteps)) for number in order],
        [read_episode(recorded, split, int(number), part=slice(-timesteps, None)) for number in order],
    )


def _name(task: RecordedTask, split: str, number: int) -> str:
    return task.example_name(task.first_ids()[str(task.shards[split][0].path)] + number)
