"""The import itself: survey, filter, then chunks of episodes; whole or not there, continued after an interrupt.

Episodes keep the source's order and each chunk covers a fixed number of the source's episodes, so the data depends on
the source and the settings alone. The survey waits beside the finished chunks. Imports TensorFlow.
"""

import collections
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from data_pipelines.atomic_files import write_sorted_json, write_text
from data_pipelines.importing.common.errors import ImportingError
from data_pipelines.importing.common.shuffling import share
from data_pipelines.importing.common.task_import import UnfinishedTask
from data_pipelines.importing.control import storing
from data_pipelines.importing.control.conventions import interpret
from data_pipelines.importing.control.episodes import ControlReader, Demonstration, Layout
from data_pipelines.importing.control.filtering import FilterConfig, FilterResult, select
from data_pipelines.importing.control.findings import Severity
from data_pipelines.importing.control.options import ControlOptions
from data_pipelines.importing.control.problems import action_range, build_spec, survey_problems
from data_pipelines.importing.control.summary import ControlProgress
from data_pipelines.importing.control.survey import ACTION, Survey
from data_pipelines.importing.control.worlds import freeze_score, placed, world_problems
from data_pipelines.spec import Kind, TaskSpec
from data_pipelines.storage.data_directory import SPEC_FILE

_SURVEY_FILE = "survey.json"
_REPORTED = 16
"""Episodes between two reports."""

_MOST_TEXTS = 10_000
_SHOWN = 12
"""Problems named in one error."""

NO_ACTION = "no action"
BELOW = "return below the bar"


@dataclasses.dataclass(frozen=True)
class ControlSettings:
    """What decides the imported data, beside source and options.

    Args:
      filter: which episodes are good enough; None keeps all.
      validation: share of the episodes held out, by a hash of their ids.
      chunk: episodes of the source per chunk: what an interrupt can cost.
      episodes_per_file: shard size.
    """

    filter: FilterConfig | None
    validation: float
    chunk: int
    episodes_per_file: int


Numbered = tuple[str, Demonstration | None]


def demonstrations(reader: ControlReader, layout: Layout, start: int) -> Iterator[Numbered]:
    """Ids and episodes in our conventions, None for those without any action."""
    for raw in reader.episodes(start, layout.columns):
        yield raw.id, interpret(raw, layout)


@dataclasses.dataclass
class ControlImporter:
    """One import of one task.

    Args:
      reader: the opened source.
      layout: which of its columns are what.
      options: how it is read.
      settings: what else decides the data.
      task: what is written, in a data directory that is claimed and locked.
      world: spec of the world that the episodes are of, if somebody named it.
    """

    reader: ControlReader
    layout: Layout
    options: ControlOptions
    settings: ControlSettings
    task: UnfinishedTask
    world: TaskSpec | None = None

    def run(self, progress: Callable[[ControlProgress], None]) -> None:
        """Imports what is not there yet, and calls `progress` after every few episodes.

        Raises:
          ImportingError: the survey found errors, all of them named with what would help.
        """
        self._progress = progress
        started = time.monotonic()
        survey = self._survey()
        problems = survey_problems(survey, self.reader.spec, self.options)
        if self.world is not None and not any(problem.severity is Severity.ERROR for problem in problems):
            problems += world_problems(build_spec(self.task.name, survey, self.reader.spec, self.options), self.world)
        if errors := [problem for problem in problems if problem.severity is Severity.ERROR]:
            lines = [f"  {problem.line()}" for problem in errors[:_SHOWN]]
            lines += [f"  and {len(errors) - _SHOWN} more"] if len(errors) > _SHOWN else []
            raise ImportingError("\n".join([f"task {self.task.name!r} cannot be imported:", *lines]))
        spec = placed(build_spec(self.task.name, survey, self.reader.spec, self.options), self.world)
        filtered = select(survey.usable, self.settings.filter) if self.settings.filter else None
        keep = np.asarray([value is not None for value in survey.returns])
        if filtered is not None:
            keep[keep] = filtered.keep
        chunks = self._chunks(spec, keep)
        notes = [problem.line() for problem in problems]
        self._finish(spec, survey, filtered, chunks, notes, time.monotonic() - started)

    def _survey(self) -> Survey:
        path = self.task.root / _SURVEY_FILE
        if path.exists():
            saved = json.loads(path.read_text())
            if saved["fingerprint"] == self.task.fingerprint:
                self._report("goes on with the survey of an earlier run", "surveying", 0, 0.0)
                return Survey.from_json(saved["survey"], self.options)
        survey, started = Survey(self.options), time.monotonic()
        for _, demonstration in demonstrations(self.reader, self.layout, 0):
            if demonstration is None:
                survey.leave_out(NO_ACTION)
            else:
                survey.add(demonstration)
            if survey.episodes % _REPORTED == 0:
                self._report("", "surveying", survey.episodes, survey.episodes / (time.monotonic() - started))
        write_sorted_json(path, {"fingerprint": self.task.fingerprint, "survey": survey.to_json()})
        return survey

    def _chunks(self, spec: TaskSpec, keep: np.ndarray) -> list[dict[str, Any]]:
        chunks = self.task.finished()
        done, fresh, started = sum(chunk["episodes"] for chunk in chunks), 0, time.monotonic()
        if done:
            self._report(f"goes on after {done} episodes of an earlier run", "writing", done, 0.0)
        source = demonstrations(self.reader, self.layout, done)
        while done < len(keep):
            directory, size = self.task.chunk(len(chunks)), min(self.settings.chunk, len(keep) - done)
            encoder = storing.Encoder(spec, self.layout.channels, self.options)
            texts: set[str] = set()
            steps = 0
            with storing.EpisodeFiles(
                directory, spec, episodes_per_file=self.settings.episodes_per_file, agent=self.layout.agent is not None
            ) as files:
                for number in range(size):
                    name, demonstration = self._next(source, done + number)
                    if keep[done + number] and demonstration is not None:
                        split = "validation" if share(name) < self.settings.validation else "train"
                        files.write(split, encoder.encode(demonstration))
                        steps += demonstration.steps
                        texts |= storing.texts(spec, demonstration) if len(texts) < _MOST_TEXTS else set()
                    fresh += 1
                    if fresh % _REPORTED == 0 or number == size - 1:
                        rate = fresh / max(time.monotonic() - started, 1e-9)
                        self._report("", "writing", done + number + 1, rate, len(keep))
            chunk = {"episodes": size, "counts": files.counts, "steps": steps, "clipped": encoder.clipped}
            chunks.append(self.task.keep(len(chunks), {**chunk, "texts": sorted(texts)}))
            done += size
        return chunks

    def _next(self, source: Iterator[Numbered], number: int) -> Numbered:
        numbered = next(source, None)
        if numbered is None:
            raise ImportingError(
                f"task {self.task.name!r}: the source changed: it ends before episode {number}, run again"
            )
        return numbered

    def _finish(
        self, spec: TaskSpec, survey: Survey, filtered: FilterResult | None, chunks: list[dict[str, Any]],
        notes: list[str], seconds: float,
    ) -> None:  # fmt: skip
        """Puts the task whose chunks are all there into its place."""
        counts: collections.Counter[str] = collections.Counter()
        for chunk in chunks:
            counts.update(chunk["counts"])
        if not counts["train"]:
            raise ImportingError(
                f"task {self.task.name!r}: nothing is left to train on; {dict(counts)}, left out {dict(survey.skipped)}"
            )
        rejected = dict(survey.skipped)
        if filtered is not None:
            rejected[BELOW] = int((~filtered.keep).sum())
        record: dict[str, Any] = {
            "kept": sum(counts.values()),
            "rejected": sum(rejected.values()),
            "rejected_because": rejected,
            "filter": self._filter(survey, filtered),
            "counts": dict(counts),
            "steps": sum(chunk["steps"] for chunk in chunks),
            "clipped": sum(chunk["clipped"] for chunk in chunks),
            "returns": _quantiles(np.asarray(survey.usable)),
            "texts": sorted({text for chunk in chunks for text in chunk["texts"]})[:_MOST_TEXTS],
            "notes": [*self.reader.notes, *notes],
            "action_range": self._range(survey),
            "seconds": seconds,
        }
        if self.world is not None:
            returns = np.asarray(survey.usable)
            kept = returns if filtered is None else returns[filtered.keep]
            record["notes"] += [freeze_score(self.task.data, spec, kept.tolist())]
        (self.task.root / _SURVEY_FILE).unlink()
        write_text(self.task.root / SPEC_FILE, spec.to_json())
        self.task.finish(chunks, record)
        news = f"done, {record['kept']} episodes kept, {record['rejected']} left out"
        self._report(news, "writing", survey.episodes, survey.episodes / max(seconds, 1e-9), survey.episodes)

    def _range(self, survey: Survey) -> str:
        item = survey.items[ACTION]
        return action_range(item, self.reader.spec, self.options)[2] if item.kind is Kind.CONTINUOUS else ""

    def _filter(self, survey: Survey, filtered: FilterResult | None) -> dict[str, Any] | None:
        if filtered is None or self.settings.filter is None:
            return None
        returns = np.asarray(survey.usable)
        return {
            **dataclasses.asdict(self.settings.filter),
            "expert_return": filtered.expert,
            "window": filtered.window,
            "bar": filtered.bar,
            "episodes": len(returns),
            "dropped": int((~filtered.keep).sum()),
            "dropped_returns": _quantiles(returns[~filtered.keep]),
            "kept_returns": _quantiles(returns[filtered.keep]),
        }

    def _report(self, message: str, stage: str, done: int, rate: float, total: int | None = None) -> None:
        whole = len(self.reader) if total is None else total
        left = (whole - done) / rate if whole and rate else None
        self._progress(ControlProgress(self.task.name, message, stage, done, whole, rate, left))


def _quantiles(returns: np.ndarray) -> dict[str, float]:
    """Least, quartiles and greatest: a source may have millions of episodes."""
    if not returns.size:
        return {}
    names = ("least", "quarter", "median", "three quarters", "greatest")
    return dict(zip(names, np.quantile(returns, [0, 0.25, 0.5, 0.75, 1]).tolist(), strict=True))
