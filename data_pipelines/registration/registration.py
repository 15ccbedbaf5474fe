"""One registration: a resolved configuration, and its pipelines for any number of shards."""

import dataclasses
import json
import pathlib
from typing import Any

import seqio

from data_pipelines.config import DataConfig
from data_pipelines.fingerprint import describe
from data_pipelines.read_json import DamagedFile
from data_pipelines.seqio_tasks.base import SeededTask
from data_pipelines.seqio_tasks.cached_source import MANIFEST, raw_example_bytes
from data_pipelines.seqio_tasks.group_pipelines import Pipelines
from data_pipelines.storage.recorded_tasks import DataError, RecordedTask


@dataclasses.dataclass(frozen=True, eq=False)
class Registration:
    """What all tasks and mixtures of one `register` share.

    Args:
      name: what their names begin with.
      config: resolved, without a cache: SeqIO's `use_cached` says whether one is read.
    """

    name: str
    config: DataConfig
    _pipelines: dict[int, Pipelines] = dataclasses.field(default_factory=dict)

    def pipelines(self, shards: int) -> Pipelines:
        """Those of a stream with so many virtual shards: buffers are a shard's, and each group's rows divide evenly."""
        if shards not in self._pipelines:
            mixture, groups = self.config.mixture, len(self.config.mixture.groups)
            rows = max(-(-mixture.rows_per_step // shards), groups) * shards
            stream = dataclasses.replace(self.config.stream, virtual_shards=shards)
            mixture = dataclasses.replace(mixture, rows_per_step=rows)
            self._pipelines[shards] = Pipelines.build(dataclasses.replace(self.config, stream=stream, mixture=mixture))
        return self._pipelines[shards]

    @property
    def recorded(self) -> dict[str, RecordedTask]:
        return self.pipelines(1).recorded

    def fingerprint(self) -> dict[str, Any]:
        """What the rows depend on, JSON-able; equal ones give equal rows."""
        splits = sorted({split for task in self.recorded.values() for split in task.shards})
        described = {split: describe(self.config, self.recorded, split) for split in splits}
        return json.loads(json.dumps(described))

    def task(self, name: str, shards: int, *, cached: bool) -> SeededTask:
        """The pipeline of a recorded task. Raises `DataError` where no cache fits."""
        group = self.pipelines(shards).groups[self.config.mixture.group_of(name)]
        task = next(task for task in group.mixture.tasks if task.name == name)
        return self._cached(task) if cached and task.supports_caching else task

    def cache_directories(self, name: str) -> list[str]:
        """Those of SeqIO's cache directories that hold a finished cache of a recorded task of this name."""
        paths = map(pathlib.Path, seqio.get_global_cache_dirs())
        return [str(path) for path in paths if (path / name / MANIFEST).is_file()]

    def _cached(self, task: SeededTask) -> SeededTask:
        problems = []
        for directory in self.cache_directories(task.name):
            there = dataclasses.replace(self.config, cache=directory)
            try:
                if raw_example_bytes(there, self.recorded[task.name]) is None:
                    return task.cached_in(directory)
                problems.append(f"{directory} holds raw frames, which only the stream reads; write it without them")
            except (DataError, DamagedFile) as error:  # Another directory may have the one that is meant.
                problems.append(str(error))
        listing = "".join(f"\n  {problem}" for problem in problems)
        raise DataError(
            f"task {self.name}.{task.name}: use_cached=True expects a cache that `gato cache` wrote in one of SeqIO's "
            f"cache directories {[str(path) for path in seqio.get_global_cache_dirs()]} (seqio.add_global_cache_dirs), "
            f"in a folder {task.name!r}; found none that fits{listing}"
        )
