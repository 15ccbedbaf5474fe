"""The import itself: items to chunks of examples, whole or not there, continued after an interrupt. Imports TensorFlow.

Items keep the source's order, whatever the number of threads, and each chunk holds a fixed number of them, so the data
depends on the source and the settings alone.
"""

import collections
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from data_pipelines.atomic_files import write_sorted_json
from data_pipelines.importing.common.errors import ImportingError
from data_pipelines.importing.common.shuffling import share
from data_pipelines.importing.common.task_import import UnfinishedTask
from data_pipelines.importing.vision_language import examples
from data_pipelines.importing.vision_language.items import Item
from data_pipelines.importing.vision_language.pictures import PictureConfig
from data_pipelines.importing.vision_language.readers import Reader
from data_pipelines.importing.vision_language.summary import ImportProgress
from data_pipelines.recording.writers import ExampleWriter
from data_pipelines.storage.data_directory import SPEC_FILE

T = TypeVar("T")

_BATCH = 64
"""Items prepared at a time: enough to keep the threads busy, few enough for memory."""

_HOPELESS = 1000
"""Items after which an import gives up when it could use none."""


@dataclasses.dataclass(frozen=True)
class ImportSettings:
    """What decides the imported data, beside the source itself.

    Args:
      pictures: how pictures are stored.
      part_characters: see `SourceOptions`.
      validation: share of the items held out, by a hash of their ids.
      chunk: items per chunk: what an interrupt can cost.
      examples_per_file: shard size.
    """

    pictures: PictureConfig
    part_characters: int
    validation: float
    chunk: int
    examples_per_file: int


@dataclasses.dataclass
class Importer:
    """One import of one task.

    Args:
      reader: the opened source.
      settings: what decides the data.
      task: what is written, in a data directory that is claimed and locked.
      threads: pictures prepared side by side.
    """

    reader: Reader
    settings: ImportSettings
    task: UnfinishedTask
    threads: int

    def run(self, progress: Callable[[ImportProgress], None]) -> None:
        """Imports what is not there yet, and calls `progress` after every batch of items.

        Raises:
          ImportingError: no item could be used.
        """
        self._progress, self._started, self._fresh = progress, time.monotonic(), 0
        chunks = self.task.finished()
        self._totals = collections.Counter({"items": sum(chunk["items"] for chunk in chunks)})
        self._totals["examples"] = sum(sum(chunk["counts"].values()) for chunk in chunks)
        if chunks:
            self._report(f"goes on after {self._totals['items']} items of an earlier run")
        if not chunks or chunks[-1]["items"] == self.settings.chunk:
            items = self.reader.items(self._totals["items"])
            with ThreadPoolExecutor(self.threads) as pool:
                while (first := next(items, None)) is not None:
                    # Items may hold their pictures: never more of them than a batch at a time.
                    chunk = itertools.chain([first], itertools.islice(items, self.settings.chunk - 1))
                    facts = self._write(self.task.chunk(len(chunks)), chunk, pool)
                    chunks.append(self.task.keep(len(chunks), facts))
        self._finish(chunks)

    def _write(self, directory: Path, items: Iterator[Item], pool: ThreadPoolExecutor) -> dict[str, Any]:
        skipped: collections.Counter[str] = collections.Counter()
        dropped: collections.Counter[str] = collections.Counter()
        ranges: list[tuple[int, int]] = []
        pictures = count = 0
        config, characters = self.settings.pictures, self.settings.part_characters
        with ExampleWriter(
            directory,
            name=self.task.name.replace(".", "_"),
            features=examples.features(self.reader.kind),
            splits=("train", "validation"),
            examples_per_file=self.settings.examples_per_file,
        ) as writer:
            for batch in batched(items, _BATCH):
                prepared = list(pool.map(lambda item: examples.prepare(item, config, characters), batch))
                for one in prepared:
                    if one.skipped:
                        skipped[one.skipped] += 1
                    dropped.update(one.dropped)
                    pictures += len(one.patches)
                if (bounds := examples.patch_range(prepared)) is not None:
                    ranges.append(bounds)
                held_out = [share(one.id) < self.settings.validation for one in prepared]
                for split, validation in (("train", False), ("validation", True)):
                    pairs = zip(prepared, held_out, strict=True)
                    chosen = [
                        example
                        for one, is_validation in pairs
                        if is_validation is validation
                        for example in one.examples
                    ]
                    if chosen:
                        writer.write(split, chosen)
                        self._totals["examples"] += len(chosen)
                count += len(batch)
                self._totals["items"] += len(batch)
                self._fresh += len(batch)
                if not self._totals["examples"] and self._totals["items"] >= _HOPELESS:
                    raise ImportingError(
                        f"task {self.task.name!r}: none of the first {self._totals['items']} items could be used: "
                        f"{_listing(skipped)}"
                    )
                self._report("")
        return {
            "items": count,
            "counts": writer.counts,
            "skipped": dict(skipped),
            "dropped": dict(dropped),
            "pictures": pictures,
            "patches": [min(low for low, _ in ranges), max(high for _, high in ranges)] if ranges else None,
        }

    def _finish(self, chunks: list[dict[str, Any]]) -> None:
        """Puts the task whose chunks are all there into its place."""
        counts, skipped, dropped = (_sum(chunk[name] for chunk in chunks) for name in ("counts", "skipped", "dropped"))
        if not sum(counts.values()):
            raise ImportingError(
                f"task {self.task.name!r}: none of {self._totals['items']} items could be used: {_listing(skipped)}"
            )
        ranges = [chunk["patches"] for chunk in chunks if chunk["patches"]]
        spec: dict[str, Any] = {"name": self.task.name, "kind": self.reader.kind}
        if ranges:
            spec["image_patches"] = [min(low for low, _ in ranges), max(high for _, high in ranges)]
        record = {
            "kept": sum(counts.values()),
            "rejected": sum(skipped.values()),
            "rejected_because": skipped,
            "dropped_pictures": dropped,
            "pictures": sum(chunk["pictures"] for chunk in chunks),
            "counts": counts,
            "steps": 0,
            "seconds": time.monotonic() - self._started,
        }
        write_sorted_json(self.task.root / SPEC_FILE, spec)
        self.task.finish(chunks, record)
        self._report(f"done, {record['kept']} examples, {record['rejected']} items left out")

    def _report(self, message: str) -> None:
        elapsed, done, total = time.monotonic() - self._started, self._totals["items"], len(self.reader)
        rate = self._fresh / max(elapsed, 1e-9)
        left = (total - done) / rate if total and rate else None
        self._progress(ImportProgress(self.task.name, message, done, total, self._totals["examples"], rate, left))


def batched(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items; the last may be shorter."""
    while batch := list(itertools.islice(items, size)):
        yield batch


def _sum(counts: Iterator[Mapping[str, int]]) -> dict[str, int]:
    total: collections.Counter[str] = collections.Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def _listing(skipped: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} ({count})" for reason, count in sorted(skipped.items(), key=lambda pair: -pair[1]))
