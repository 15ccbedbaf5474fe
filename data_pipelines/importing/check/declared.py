"""What the record of a task says that was written, compared with what is there. No TensorFlow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_pipelines.importing.control.findings import Problem, Severity
from data_pipelines.read_json import read_json
from data_pipelines.storage.data_directory import RECORDING_FILE
from data_pipelines.storage.recorded_tasks import RecordedTask

AGAIN = "record or import it again"
"""What helps where a task's own files are not as they were written."""


def count_problems(data: Path, task: RecordedTask, unit: str) -> Iterator[Problem]:
    """Numbers of examples: as recording or import counted them, and in the files.

    Args:
      data: data directory.
      task: of it.
      unit: what is counted, "episodes" or "items".
    """
    path = data / task.name / RECORDING_FILE
    try:
        record = read_json(path, "the record of a task")
    except (OSError, ValueError) as error:
        yield Problem(Severity.ERROR, "", str(error), AGAIN)
        return
    held: dict[str, Any] = {split: task.examples(split) for split in sorted(task.shards)}
    declared, kept = record.get("counts"), record.get("kept")
    if isinstance(declared, dict):
        for split in sorted({*declared, *held}):
            if declared.get(split, 0) != held.get(split, 0):
                yield _differ(f"{declared.get(split, 0)} {unit} of split {split!r}", held.get(split, 0))
    elif kept is not None and kept != sum(held.values()):
        yield _differ(f"{kept} {unit}", sum(held.values()))
    if not held.get("train", 0):
        yield Problem(
            Severity.ERROR, "", f"there are no {unit} to train on: {sum(held.values())} are held out",
            "import it again with a smaller --validation",
        )  # fmt: skip


def _differ(declared: str, held: int) -> Problem:
    return Problem(Severity.ERROR, "", f"{RECORDING_FILE} declares {declared}, the files hold {held}", AGAIN)
