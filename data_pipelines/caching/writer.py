"""Writing a cache: one job for a range of a task's files, run by a pool of processes here or by Apache Beam anywhere.

A file appears under its name only when it is whole, so an interrupted run goes on with the files that are missing.
"""

import concurrent.futures
import dataclasses
import functools
import multiprocessing
import os
import pathlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import google_crc32c
import numpy as np

from data_pipelines import atomic_files as files
from data_pipelines.config import DataConfig
from data_pipelines.differences import difference_lines
from data_pipelines.parent_process import end_with
from data_pipelines.ranges import Count, check_call
from data_pipelines.read_json import DamagedFile, read_json
from data_pipelines.seqio_tasks.cached_source import (
    KINDS,
    MANIFEST,
    encode,
    file_name,
    made_from,
    read_manifest,
    token_dtype,
)
from data_pipelines.storage import data_directory
from data_pipelines.storage.recorded_tasks import (
    DataError,
    RecordedTask,
    Shard,
    check_tfrecord,
    corrupt_files,
    read_task,
)
from data_pipelines.stream.resolve_mixture import resolve
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig

JOBS_PER_WORKER = 4
FORMAT = {"format": "gato-jax cache", "version": 1}
MADE_FROM = "made_from.json"
"""Written first: what a task's cache is begun with."""


@dataclasses.dataclass(frozen=True)
class Job:
    """Files of one split of one task.

    Args:
      directory: data directory.
      task: name of the task.
      tokens: how modalities become tokens.
      targets: (path of the recorded file, examples in it, path of the cached file) of each.
      dtype: type of the stored ids.
      raw_frames: whether pictures are stored as bare pixels.
    """

    directory: str
    task: str
    tokens: TokenConfig
    targets: tuple[tuple[str, int, str], ...]
    dtype: str
    raw_frames: bool


@dataclasses.dataclass(frozen=True)
class CacheResult:
    """What was cached.

    Args:
      out: the cache.
      tasks: per task {"examples", "bytes", "files"}, over all splits.
      uncached: tasks that stay with their source, with the reason.
      seconds: wall time of this run.
    """

    out: pathlib.Path
    tasks: dict[str, dict[str, int]]
    uncached: dict[str, str]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "out": str(self.out)}


def write_cache(
    config: DataConfig,
    out: str | pathlib.Path,
    *,
    workers: Count = 2,
    beam_options: Sequence[str] | None = None,
    raw_frames: bool = False,
) -> CacheResult:
    """Tokenises every task of the mixture that can be cached; files that are there and whole are kept.

    Args:
      config: the data configuration; its `cache` is not read.
      out: directory of the cache, which every worker must see.
      workers: processes on this machine.
      beam_options: options of an Apache Beam pipeline, such as ["--runner=DirectRunner"]; None = no Beam.
      raw_frames: store pictures as bare pixels: no decoding in the stream, several times the space on disk.

    Raises:
      DataError: the data directory is not what the mixture needs, or a cache of other data or settings is there.
      RecordingError: `out` holds something else than a cache, or another one is being written there.
      TimestepError: recorded values cannot become tokens.
    """
    check_call(write_cache, {"workers": workers})
    config = resolve(config)
    start, out = time.monotonic(), pathlib.Path(out).resolve()
    recorded = {name: read_task(config.directory, name) for name in config.mixture.task_names}
    chosen = {name: task for name, task in recorded.items() if task.kind in KINDS}
    data_directory.claim(out, FORMAT, unmarked=lambda entry: (entry / MADE_FROM).is_file())
    with data_directory.lock(out, patience=1.0, who="gato cache"):
        _remove_leftovers(out)
        for task in chosen.values():
            _prepare(out / task.name, made_from(config, task, raw_frames=raw_frames))
        jobs = [job for task in chosen.values() for job in _jobs(config, task, out, workers, raw_frames)]
        total = sum(len(job.targets) for job in jobs)
        with _Progress(out, total):
            if beam_options is None:
                _run_here(jobs, workers)
            else:
                _run_beam(jobs, beam_options)
        for task in chosen.values():
            _finish(config, task, out / task.name, raw_frames)
    reason = f"only tasks of the kinds {KINDS} are cached"
    uncached = {name: f"{task.kind}: {reason}" for name, task in recorded.items() if name not in chosen}
    tasks = {name: _sizes(out / name) for name in chosen}
    return CacheResult(out, tasks, uncached, time.monotonic() - start)


def verify_cache(out: str | pathlib.Path) -> list[str]:
    """Reads every file of a cache and compares counts and checksums; returns what is wrong, a line for each."""
    begun = sorted(path.parent for path in pathlib.Path(out).glob(f"*/{MADE_FROM}"))
    problems = [f"{task}: not finished; run gato cache again" for task in begun if not (task / MANIFEST).is_file()]
    if not begun:
        problems.append(f"{out}: expected a cache, found none")
    for manifest in sorted(pathlib.Path(out).glob(f"*/{MANIFEST}")):
        try:
            listing = read_manifest(manifest)["files"]
        except DamagedFile as error:
            problems.append(str(error))
            continue
        for split in listing.values():
            for file in split:
                path = manifest.parent / file["name"]
                try:
                    check_tfrecord(path, file["records"])
                except (DataError, OSError) as error:
                    problems.append(str(error))
                    continue
                if (actual := _checksum(path)) != file["crc32c"]:
                    problems.append(f"{path}: expected checksum {file['crc32c']}, found {actual}")
    return problems


def run_job(job: Job) -> int:
    """Writes the files of a job that are missing; returns how many were."""
    missing = [target for target in job.targets if not _is_whole(pathlib.Path(target[2]), target[1])]
    if not missing:
        return 0
    dtype = np.dtype(job.dtype)
    examples = _tokenizer(job.directory, job.task, job.tokens)([source for source, _, _ in missing])
    if job.raw_frames:
        examples = map(_with_raw_frames, examples)
    for _, records, path in missing:
        _write(pathlib.Path(path), examples, records, dtype)
    return len(missing)


@functools.cache
def _tokenizer(directory: str, name: str, tokens: TokenConfig) -> Callable[[list[str]], Iterator[dict]]:
    """A function from recorded files to their tokenised examples, in order."""
    os.environ.setdefault("MUJOCO_GL", "disabled")
    import tensorflow as tf

    from data_pipelines.seqio_tasks.control import check_steps
    from data_pipelines.seqio_tasks.explain_failures import explain
    from data_pipelines.seqio_tasks.sources import RldsDataSource, TextDataSource
    from data_pipelines.sequences.control import tokenize_episodes
    from data_pipelines.sequences.text import tokenize_documents
    from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model
    from data_pipelines.tokenizers.tf.text import TfTextTokenizer

    task = read_task(directory, name)
    layout = None if task.spec is None else TimestepLayout.build(task.spec, tokens)
    text = None
    if layout is None or layout.has_text:
        text = TfTextTokenizer(TextTokenizer(resolve_text_model(tokens.text_model, directory)))

    def examples(paths: list[str]) -> Iterator[dict]:
        if layout is not None:
            source = RldsDataSource(task)
            check_steps(source, layout.spec)
            try:
                yield from tokenize_episodes(source.read_files(paths), layout=layout, text=text).as_numpy_iterator()
            except tf.errors.OpError as error:
                raise explain(error.message, {name: task}, tokens, directory) or error from error
            return
        assert text is not None  # Documents always need it.
        batches = tokenize_documents(TextDataSource(task).read_files(paths), text=text)
        for batch in batches.as_numpy_iterator():
            yield from ({"tokens": part} for part in np.split(batch["tokens"], np.cumsum(batch["sizes"])[:-1]))

    return examples


def _with_raw_frames(example: dict[str, Any]) -> dict[str, Any]:
    """A tokenised example with its frames, if it has any, decoded by the decoder of the stream."""
    from data_pipelines.tokenizers.tf import images

    if "frames" not in example:
        return example
    frames = example["frames"]
    pixels = [images.decode(frame).numpy().tobytes() for frame in frames.ravel()]
    return {**example, "frames": np.array(pixels, object).reshape(frames.shape)}


def _remove_leftovers(out: pathlib.Path) -> None:
    """What a run that was killed had begun to write: hidden files, which no finished cache has."""
    for path in out.glob("*/.*"):
        if path.is_file():
            path.unlink()


def _prepare(directory: pathlib.Path, description: dict[str, Any]) -> None:
    """Refuses a directory begun with other settings, and says what this one is made from."""
    path = directory / MADE_FROM
    directory.mkdir(parents=True, exist_ok=True)
    if path.exists():
        begun = read_json(path, "what a cache is made from", remedy=f"delete {directory} to cache the task again")
        differences = difference_lines(begun, description)
        if differences:
            listing = "\n  ".join(differences)
            raise DataError(
                f"{directory} holds a cache of something else (there -> here); give another directory:\n  {listing}"
            )
        return
    files.write_sorted_json(path, description)


def _jobs(config: DataConfig, task: RecordedTask, out: pathlib.Path, workers: int, raw_frames: bool) -> list[Job]:
    dtype, jobs = token_dtype(config).str, []
    for split, shards in task.shards.items():
        targets = [
            (str(shard.path), shard.records, str(out / task.name / file_name(split, index, len(shards))))
            for index, shard in enumerate(shards)
        ]
        size = max(1, -(-len(targets) // (JOBS_PER_WORKER * workers)))
        parts = [tuple(targets[start : start + size]) for start in range(0, len(targets), size)]
        jobs += [Job(str(config.directory), task.name, config.tokens, part, dtype, raw_frames) for part in parts]
    return jobs


def _run_here(jobs: Sequence[Job], workers: int) -> None:
    if workers == 1:
        for job in jobs:
            run_job(job)
        return
    # A forked TensorFlow hangs, so workers start afresh.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=context, initializer=end_with, initargs=(os.getpid(),)
    ) as pool:
        futures = [pool.submit(run_job, job) for job in jobs]
        try:
            for future in concurrent.futures.as_completed(futures):
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _run_beam(jobs: Sequence[Job], options: Sequence[str]) -> None:
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise DataError(
            "beam options need Apache Beam: pip install 'gato-jax[beam]', or leave them out to use processes here"
        ) from error

    with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
        _ = pipeline | "Jobs" >> beam.Create(list(jobs)) | beam.Reshuffle() | "Tokenise" >> beam.Map(run_job)


def _write(path: pathlib.Path, examples: Iterator[dict], records: int, dtype: np.dtype) -> None:
    import tensorflow as tf

    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with tf.io.TFRecordWriter(str(partial)) as writer:
            for _ in range(records):
                writer.write(encode(next(examples), dtype))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _is_whole(path: pathlib.Path, records: int) -> bool:
    if not path.exists():
        return False
    try:
        damaged = corrupt_files([Shard(path, records, check_tfrecord(path, records))])
    except DataError:
        damaged = [str(path)]
    if damaged:
        path.unlink()  # Since it was written: write it again.
    return not damaged


def _finish(config: DataConfig, task: RecordedTask, directory: pathlib.Path, raw_frames: bool) -> None:
    """SeqIO's own description of a cached task, and the manifest, which makes it a finished one."""
    import seqio

    listing = {}
    for split, shards in task.shards.items():
        names = [file_name(split, index, len(shards)) for index in range(len(shards))]
        listing[split] = [
            {
                "name": name,
                "records": shard.records,
                "bytes": check_tfrecord(directory / name, shard.records).size,
                "crc32c": _checksum(directory / name),
            }
            for name, shard in zip(names, shards, strict=True)
        ]
        columns = ("tokens",) if task.spec is None else ("tokens", "targets", "frames")
        features = {name: {"dtype": "string", "shape": [None] if name == "frames" else []} for name in columns}
        info = {"num_shards": len(shards), "features": features, "seqio_version": seqio.__version__}
        files.write_sorted_json(directory / f"info.{split}.json", info)
        files.write_sorted_json(directory / f"stats.{split}.json", {"examples": task.examples(split)})
    source = made_from(config, task, raw_frames=raw_frames)
    manifest = {"made_from": source, "dtype": token_dtype(config).str, "files": listing}
    files.write_text(directory / "COMPLETED", "")
    files.write_sorted_json(directory / MANIFEST, manifest)


def _checksum(path: pathlib.Path) -> str:
    checksum = google_crc32c.Checksum()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum.update(block)
    return checksum.hexdigest().decode()


def _sizes(directory: pathlib.Path) -> dict[str, int]:
    cached_files = [file for split in read_manifest(directory / MANIFEST)["files"].values() for file in split]
    return {
        "examples": sum(file["records"] for file in cached_files),
        "bytes": sum(file["bytes"] for file in cached_files),
        "files": len(cached_files),
    }


class _Progress:
    """A line on stderr about finished files, now and then, while the block runs."""

    def __init__(self, out: pathlib.Path, total: int, every: float = 5.0):
        self._out, self._total, self._every = out, total, every
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="cache-progress")

    def __enter__(self) -> None:
        self._start, self._begun = time.monotonic(), self._count()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _count(self) -> int:
        return sum(1 for _ in self._out.glob("*/*.tfrecord-*"))

    def _watch(self) -> None:
        while not self._done.wait(self._every):
            there = self._count()
            rate = (there - self._begun) / (time.monotonic() - self._start)
            left = f", about {(self._total - there) / rate:.0f} s left" if rate else ""
            print(f"cached {there}/{self._total} files, {rate:.1f} files/s{left}", file=sys.stderr)
