"""What is wrong with episodes: of a source before its import, or of a task that is there."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from data_pipelines.importing.check.declared import count_problems
from data_pipelines.importing.check.language import check_language_task
from data_pipelines.importing.check.report import Limits, TaskReport, in_order
from data_pipelines.importing.common.errors import ImportingError, SourceError
from data_pipelines.importing.control import ControlOptions, ControlReader, FilterConfig, open_source, select
from data_pipelines.importing.control.conventions import chosen_layout, interpret
from data_pipelines.importing.control.episodes import Demonstration, Layout, SourceSpec
from data_pipelines.importing.control.findings import Problem, Severity
from data_pipelines.importing.control.frames import FrameError, check_frames
from data_pipelines.importing.control.options import BadEpisodes
from data_pipelines.importing.control.problems import build_spec, survey_problems
from data_pipelines.importing.control.survey import ACTION, Survey
from data_pipelines.importing.control.worlds import open_world_of, world_problems
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.storage.recorded_tasks import DataError, read_task
from data_pipelines.suites.outside.objects import WorldError
from data_pipelines.tokenizers.layout import TimestepLayout

_BLOCKS = 4
_FRAMES = 10_000
"""Encoded frames of a source that are decoded at most: some ten seconds."""


def check_source(
    path: Path, format: str, options: ControlOptions, limits: Limits, filter: FilterConfig | None = None
) -> TaskReport:
    """What is wrong with a source that is to be imported as a control task."""
    try:
        reader = open_source(path, format, options)
        layout = chosen_layout(reader.layout, reader.columns, options)
        options = dataclasses.replace(options, channels=layout.channels)
        survey, notes = _survey(reader, layout, options, limits.sample)
    except (SourceError, ImportingError) as error:
        return TaskReport(str(path), "control", 0, 0, (Problem(Severity.ERROR, "", str(error)),))
    problems = [Problem(Severity.NOTE, "", note) for note in reader.notes] + notes
    problems += survey_problems(survey, reader.spec, options)
    if filter is not None and survey.usable:
        problems.append(_filtered(survey, filter, len(reader)))
    if not any(problem.severity is Severity.ERROR for problem in problems):
        spec = build_spec("check.source", survey, reader.spec, options)
        problems += _world(spec, options)
        problems += _token_problems(spec, survey, limits)
    return TaskReport(str(path), "control", survey.episodes, len(reader), in_order(problems))


def _world(spec: TaskSpec, options: ControlOptions) -> list[Problem]:
    try:
        world = open_world_of(options, spec.name)
    except WorldError as error:
        return [Problem(Severity.ERROR, "", str(error))]
    return [] if world is None else world_problems(spec, world)


def _filtered(survey: Survey, config: FilterConfig, total: int) -> Problem:
    try:
        selection = select(survey.usable, config)
    except ValueError as error:
        return Problem(Severity.ERROR, "", str(error))
    of = "" if survey.episodes == total else ", by the episodes that were read alone"
    return Problem(
        Severity.NOTE, "",
        f"the filter keeps {int(selection.keep.sum())} of {len(selection.keep)} episodes: "
        f"expert return {selection.expert:.6g}, bar {selection.bar:.6g}{of}",
    )  # fmt: skip


def check_task(data: Path, name: str, limits: Limits) -> TaskReport:
    """What is wrong with a task of a data directory, of whatever kind."""
    try:
        task = read_task(data, name)
    except DataError as error:
        fix = "record or import it again"
        return TaskReport(name, "unknown", 0, 0, (Problem(Severity.ERROR, "", str(error), fix),))
    if task.spec is None:
        return check_language_task(data, task, dataclasses.replace(limits, data=data))
    spec = task.spec
    options = ControlOptions(
        recipe="none",
        kinds={item.key: item.kind for item in (*spec.observation, spec.action)},
        num_values={item.key: _values(item) for item in (*spec.observation, spec.action) if _values(item)},
        action_low=spec.action.low if spec.action.kind is Kind.CONTINUOUS else None,
        action_high=spec.action.high if spec.action.kind is Kind.CONTINUOUS else None,
        bad_episodes=BadEpisodes.REFUSE,
    )
    try:
        reader = open_source(data / name, "rlds", options)
        columns = {item.key: f"observation/{item.key}" for item in spec.observation}
        missing = sorted(key for key, column in columns.items() if column not in reader.columns)
        layout = dataclasses.replace(
            reader.layout, observation={key: column for key, column in columns.items() if key not in missing}
        )
        survey, notes = _survey(reader, layout, options, limits.sample)
    except (SourceError, ImportingError) as error:
        broken = Problem(Severity.ERROR, "", str(error), "record or import it again")
        return TaskReport(name, "control", 0, 0, (broken,))
    problems = [
        Problem(Severity.ERROR, key, "spec.json names it, the recorded steps lack it", "record or import it again")
        for key in missing
    ]
    problems += [*count_problems(data, task, "episodes"), *notes, *_last_steps(survey)]
    options = dataclasses.replace(
        options, kinds={key: kind for key, kind in options.kinds.items() if key in survey.items},
        num_values={key: count for key, count in options.num_values.items() if key in survey.items},
    )  # fmt: skip
    problems += survey_problems(survey, SourceSpec(), options)
    problems += _spec_problems(spec, survey)
    problems += _token_problems(spec, survey, dataclasses.replace(limits, data=data))
    return TaskReport(name, "control", survey.episodes, task.examples("train"), in_order(problems))


def _survey(
    reader: ControlReader, layout: Layout, options: ControlOptions, episodes: int
) -> tuple[Survey, list[Problem]]:
    """Statistics of a sample in blocks spread over the source, and notes of what was not looked at."""
    survey, total, decoded, left = Survey(options), len(reader), 0, 0
    block = -(-episodes // _BLOCKS)
    starts = range(0, total, max(1, total // _BLOCKS)) if total > episodes else [0]
    for start in list(starts)[:_BLOCKS]:
        size = block if len(starts) > 1 else episodes
        for raw in itertools.islice(reader.episodes(start, layout.columns), size):
            demonstration = interpret(raw, layout)
            if demonstration is None:
                survey.leave_out("no action")
                continue
            survey.add(demonstration)
            if survey.returns[-1] is None:
                continue  # Left out, and counted.
            frames = _encoded(demonstration, survey)
            if decoded < _FRAMES:
                _decode(demonstration.id, frames, survey)
                decoded += sum(map(len, frames.values()))
            else:
                left += sum(map(len, frames.values()))
    notes = [Problem(Severity.NOTE, "", f"{decoded:,} frames were decoded, {left:,} of these episodes were not")]
    return survey, notes if left else []


def _encoded(demonstration: Demonstration, survey: Survey) -> dict[str, np.ndarray]:
    """Key -> frames that are files. One whose first frame is broken has been told of."""
    told = {what.split(":")[0] for episode, what in survey.broken if episode == demonstration.id}
    return {
        key: values
        for key, values in demonstration.observation.items()
        if values.dtype == object and survey.items[key].kind is Kind.IMAGE and repr(key) not in told
    }


def _decode(episode: str, frames: Mapping[str, np.ndarray], survey: Survey) -> None:
    for key, values in frames.items():
        try:
            check_frames(values)
        except FrameError as error:
            survey.broken.append((episode, f"{key!r}: {error}"))


def _values(item: ItemSpec) -> int:
    if item.kind is not Kind.DISCRETE:
        return 0
    return max(item.radix) if item.radix else item.num_values


def _last_steps(survey: Survey) -> Iterator[Problem]:
    if survey.repeated:
        yield Problem(
            Severity.ERROR, "",
            f"{survey.repeated} of {len(survey.usable)} episodes do not end with a step that is_last: their last "
            "action is real, but the stream takes every last step for RLDS's placeholder and drops it",
            "import the task again: gato import-data --format rlds adds that step",
        )  # fmt: skip
        survey.repeated = 0  # It has been told of.


def _spec_problems(spec: TaskSpec, survey: Survey) -> Iterator[Problem]:
    """Where spec.json and what is recorded differ."""
    for item in (*spec.observation, spec.action):
        if item.key not in survey.items:
            continue
        recorded = survey.items[item.key]
        shapes = [(*shape[:2], 3) if item.kind is Kind.IMAGE else shape for shape in recorded.shapes]
        if item.kind is not Kind.TEXT and shapes != [item.shape]:
            yield Problem(
                Severity.ERROR, item.key, f"spec.json says shape {item.shape}, recorded are {recorded.shapes}"
            )
        if item.kind in (Kind.DISCRETE, Kind.CONTINUOUS) and recorded.dtypes != [item.dtype]:
            yield Problem(Severity.WARNING, item.key, f"spec.json says {item.dtype}, recorded are {recorded.dtypes}")
    if survey.steps and max(survey.steps) > spec.max_episode_steps:
        yield Problem(
            Severity.WARNING, "",
            f"an episode has {max(survey.steps)} steps, more than max_episode_steps = {spec.max_episode_steps}",
            "evaluation stops episodes there",
        )  # fmt: skip
    if ACTION not in survey.items and survey.usable:
        yield Problem(Severity.ERROR, ACTION, "no action is recorded")


def _token_problems(spec: TaskSpec, survey: Survey, limits: Limits) -> Iterator[Problem]:
    """What does not fit the tokens that the data is to become."""
    tokens, window_length = limits.tokens, limits.window_length
    try:
        layout = TimestepLayout.build(spec, tokens)
    except ValueError as error:
        yield Problem(
            Severity.ERROR, "", str(error).removeprefix(f"task {spec.name!r}").lstrip(",: "),
            "smaller pictures (--frame-size), fewer items (--leave-out), or a larger table (--max-observation-tokens)",
        )  # fmt: skip
        return
    if layout.length > window_length:
        yield Problem(
            Severity.ERROR, "", f"a timestep takes {layout.length} places, a window has {window_length}",
            f"a row group with window_length of at least {layout.length} (--window-length)",
        )  # fmt: skip
    textual = [item for item in spec.observation if item.kind is Kind.TEXT and item.key in survey.items]
    if not textual:
        return
    try:
        tokenizer = limits.text_tokenizer()
    except FileNotFoundError as error:
        yield Problem(Severity.WARNING, "", f"lengths of texts are not checked: {error}", "--text-model")
        return
    for item in textual:
        lengths = {text: len(tokenizer.encode(text)) for text in survey.items[item.key].texts}
        longest = max(lengths, key=lambda text: lengths[text], default="")
        if lengths and lengths[longest] > tokens.text_tokens:
            yield Problem(
                Severity.ERROR, item.key,
                f"a text takes {lengths[longest]} tokens, tokens.text_tokens is {tokens.text_tokens}: {longest[:80]!r}",
                f"tokens.text_tokens = {lengths[longest]} (--text-tokens {lengths[longest]})",
            )  # fmt: skip
