"""The parts of a recording as an Apache Beam pipeline: each element is a task and its range of seeds."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from data_pipelines.recording.attempts import Players
from data_pipelines.recording.job import Job
from data_pipelines.recording.whole_task import finished_part
from data_pipelines.recording.worker import run_job
from data_pipelines.storage.data_directory import RecordingError

Message = dict[str, Any]


def run_beam(jobs: Sequence[Job], options: Sequence[str]) -> Iterator[tuple[Job, Message]]:
    """Records the parts on Beam's workers, and then yields (job, message) as `WorkerPool.run` does.

    Every worker must see the data directory. Each element's world is played in a process of its own, because Beam
    chooses the threads; the data do not depend on it.

    Raises:
      RecordingError: Apache Beam is not installed.
    """
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise RecordingError(
            "beam options need Apache Beam: pip install 'gato-jax[beam]', or leave them out to use processes here"
        ) from error

    failure = ""
    try:
        with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
            _ = pipeline | "Parts" >> beam.Create(list(jobs)) | beam.Reshuffle() | "Record" >> beam.Map(record_part)
    except Exception as error:  # Each runner wraps what a worker raised in its own way.
        failure = str(error).strip() or type(error).__name__
    for job in jobs:
        if part := finished_part(job):
            counts = {"kept": part["kept"], "rejected": sum(part["rejected"].values()), "steps": part["steps"]}
            yield job, {"type": "attempt", **counts}
            yield job, {"type": "done"}
        else:
            yield job, {"type": "failed", "error": "the pipeline ended", "message": failure or "it did not record it"}


def record_part(job: Job) -> None:
    """One element, in a process of Beam's; its `chunk.json` says what came of it."""
    players = Players()
    try:
        run_job(dataclasses.replace(job, isolated=True), lambda message: None, players)
    finally:
        players.close_all()
