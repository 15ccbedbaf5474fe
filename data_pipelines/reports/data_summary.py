"""What a data directory holds, task by task: episodes, steps, tokens, returns, and what is wrong. No TensorFlow."""

import dataclasses
import fnmatch
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from data_pipelines.importing.check.declared import count_problems
from data_pipelines.read_json import read_json
from data_pipelines.reports import data_table
from data_pipelines.reports.example_tokens import TokenCounter
from data_pipelines.scores import SCORES_FILE, Normaliser, load_scores
from data_pipelines.storage.data_directory import FORMAT_FILE, IMPORTING, PARTIAL, RECORDING_FILE
from data_pipelines.storage.example_fields import Example
from data_pipelines.storage.recorded_tasks import SPEC, DataError, RecordedTask, read_task, recorded_tasks
from data_pipelines.storage.records import payloads
from data_pipelines.tokenizers.layout import TokenConfig

TRAIN = "train"
REWARD, FIRST = "steps/reward", "steps/is_first"
CHARACTERS = 4_000_000
"""Texts of a task that are tokenised at most; the rest is estimated from them."""


@dataclasses.dataclass(frozen=True)
class TaskSummary:
    """One task. Steps, tokens and returns are those of its training split.

    Args:
      recorded: its files, and what they hold.
      examples: split -> episodes, documents or pictures.
      lengths: timesteps of each episode; empty for texts and pictures.
      returns: sum of the rewards of each episode; empty for texts and pictures, and where no rewards are recorded.
      tokens: patches included, padding not.
      exact: whether `tokens` was counted over all examples, or estimated from the first ones.
      bytes: of all its files of records.
      score: expert's and random policy's mean return, None where the directory has none for it.
      beginnings: (how many, timesteps of each) of the episodes that are only beginnings, where a recording has them.
      origin, expert: world or source, and who acts there, as its recording or import says; "" where it does not.
    """

    recorded: RecordedTask
    examples: dict[str, int]
    lengths: Int64[np.ndarray, " episodes"]
    returns: Float64[np.ndarray, " episodes"]
    tokens: float
    exact: bool
    bytes: int
    score: Normaliser | None = None
    beginnings: tuple[int, int] | None = None
    origin: str = ""
    expert: str = ""

    @property
    def task(self) -> str:
        """Its name."""
        return self.recorded.name

    @property
    def kind(self) -> str:
        """ "control", "text", "captions", "vqa" or "documents"."""
        return self.recorded.kind

    @property
    def episodes(self) -> int:
        """Examples of the training split."""
        return self.examples.get(TRAIN, 0)

    @property
    def held_out(self) -> int:
        """Examples of the other splits."""
        return sum(self.examples.values()) - self.episodes

    @property
    def steps(self) -> int:
        return int(self.lengths.sum())

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        described = {
            "task": self.task, "kind": self.kind, "examples": self.examples, "steps": self.steps,
            "tokens": self.tokens, "tokens_exact": self.exact, "bytes": self.bytes,
            "origin": self.origin, "expert": self.expert,
        }  # fmt: skip
        for name, values in (("returns", self.returns), ("lengths", self.lengths)):
            described[name] = _spread(values) if len(values) else None
        described["score"] = None if self.score is None else {"expert": self.score.expert, "random": self.score.random}
        return described


@dataclasses.dataclass(frozen=True)
class DataSummary:
    """The tasks of a data directory, and what of it could not be summarised.

    Args:
      directory: that was read.
      experiment: whose tokens were counted.
      tasks: sorted by name.
      problems: task -> what is wrong with it. A task that is damaged is not among `tasks`.
      unfinished: names of tasks whose recording or import has not ended.
    """

    directory: str
    experiment: str
    tasks: tuple[TaskSummary, ...]
    problems: dict[str, tuple[str, ...]]
    unfinished: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "directory": self.directory,
            "experiment": self.experiment,
            "tasks": [task.to_dict() for task in self.tasks],
            "problems": {task: list(lines) for task, lines in self.problems.items()},
            "unfinished": list(self.unfinished),
            "sums": {
                "tasks": len(self.tasks),
                "examples": sum(task.episodes for task in self.tasks),
                "held_out": sum(task.held_out for task in self.tasks),
                "steps": sum(task.steps for task in self.tasks),
                "tokens": sum(task.tokens for task in self.tasks),
                "bytes": sum(task.bytes for task in self.tasks),
            },
        }

    def remarks(self) -> list[str]:
        """What is missing or wrong, a line each."""
        lines = [f"{task}: {problem}" for task, problems in self.problems.items() for problem in problems]
        if self.unfinished:
            names = ", ".join(self.unfinished)
            lines.append(f"not whole yet, so left out: {names}; run the same recording or import again to finish")
        return lines

    def table(self) -> str:
        """For a terminal."""
        return data_table.table(self)


def summarise(
    directory: str | Path, tasks: Sequence[str] = (), *, tokens: TokenConfig | None = None, experiment: str = ""
) -> DataSummary:
    """Reads every episode's rewards, and texts up to `CHARACTERS` of a task.

    Args:
      directory: data directory, or one task of one.
      tasks: only these; names, or globs such as "babyai.*".
      tokens: how values become tokens.
      experiment: whose settings these are, for messages.

    Raises:
      DataError: no data directory, nothing in it, or no such task. What is wrong inside a task is among `problems`.
    """
    directory, chosen = chosen_tasks(Path(directory), tasks)
    counter = TokenCounter(tokens or TokenConfig(), directory)
    path = directory / SCORES_FILE
    scores = load_scores(directory) if path.is_file() else {}
    summaries, problems = [], {}
    for name in chosen:
        try:
            task = read_task(directory, name)
            summaries.append(_task(directory, task, counter, scores.get(name)))
            unit = "episodes" if task.kind == "control" else "items"
            found = tuple(problem.message for problem in count_problems(directory, task, unit))
        except DataError as error:
            found = (str(error).removeprefix(f"task {name!r}: "),)
        if found:
            problems[name] = found
    return DataSummary(str(directory), experiment, tuple(summaries), problems, tuple(_unfinished(directory)))


def chosen_tasks(path: Path, words: Sequence[str]) -> tuple[Path, list[str]]:
    """The data directory, and the names of its tasks that are meant. Raises `DataError`."""
    if (path / SPEC).is_file():  # One task of a directory.
        path, words = path.parent, (path.name, *words)
    names = recorded_tasks(path)
    if not names:
        if not (path / FORMAT_FILE).is_file():
            contents = ", ".join(sorted(entry.name for entry in path.iterdir())[:5]) or "nothing"
            raise DataError(
                f"{path}: expected a data directory as `gato record` and the imports write it, found {contents}"
            )
        raise DataError(f"{path}: expected at least one whole task (with {RECORDING_FILE}), found none")
    chosen: set[str] = set()
    for word in words:
        matching = fnmatch.filter(names, word)
        if not matching:
            read_task(path, word)  # Which names the nearest.
        chosen |= set(matching)
    return path, sorted(chosen) if words else names


def _unfinished(directory: Path) -> Iterator[str]:
    for folder in (directory, directory / PARTIAL, directory / IMPORTING):
        if folder.is_dir():
            yield from sorted(
                path.name for path in folder.iterdir()
                if path.is_dir() and "." in path.name.strip(".") and not (path / RECORDING_FILE).exists()
            )  # fmt: skip


def _task(directory: Path, task: RecordedTask, counter: TokenCounter, score: Normaliser | None) -> TaskSummary:
    record = read_json(directory / task.name / RECORDING_FILE, "what a task was recorded with")
    lengths: list[int] = []
    returns: list[float] = []
    total, read, characters = 0, 0, 0
    for name, example in examples(task, TRAIN):
        try:
            count = counter.count(task, example)
            if task.kind == "control":
                lengths.append(max(0, len(example.numbers(FIRST)) - 1))
                if REWARD in example:
                    returns.append(float(example.numbers(REWARD)[: lengths[-1]].sum(dtype=np.float64)))
        except (KeyError, ValueError) as error:
            raise DataError(f"{name}: {error.args[0]}") from error
        total, read, characters = total + count.tokens, read + 1, characters + count.characters
        if task.kind != "control" and characters >= CHARACTERS:
            break
    held = task.examples(TRAIN)
    settings = record.get("settings")
    starts = settings.get("starts") if isinstance(settings, dict) else None
    return TaskSummary(
        recorded=task,
        examples={split: task.examples(split) for split in sorted(task.shards)},
        lengths=np.array(lengths, np.int64),
        returns=np.array(returns if len(returns) == len(lengths) else [], np.float64),
        tokens=total * held / max(read, 1),
        exact=read == held,
        bytes=sum(shard.size for files in task.shards.values() for shard in files),
        score=score,
        beginnings=(int(starts["episodes"]), int(starts["steps"])) if starts else None,
        origin=str(record.get("origin") or _source(settings)),
        expert=str(record.get("expert") or ""),
    )


def _source(settings: Any) -> str:
    """What an import says about where its data came from."""
    return f"imported ({settings['format']})" if isinstance(settings, dict) and "format" in settings else ""


def examples(task: RecordedTask, split: str) -> Iterator[tuple[str, Example]]:
    """(file and number of the record, its features) of a split, in order. Raises `DataError` for what is no Example."""
    for shard in task.shards.get(split, ()):
        for number, record in enumerate(payloads(shard)):
            name = f"{shard.path}: record {number}"
            try:
                yield name, Example(record)
            except (IndexError, UnicodeDecodeError) as error:
                raise DataError(f"{name} is no tf.train.Example: {error}") from error


def _spread(values: np.ndarray) -> dict[str, float]:
    low, median, high = np.quantile(values, [0, 0.5, 1])
    return {"mean": float(values.mean()), "lowest": float(low), "median": float(median), "highest": float(high)}
