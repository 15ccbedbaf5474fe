"""What would go wrong with data, before anything is imported or trained: every problem, with what would help.

Works on a source in any import format, on a task that was recorded or imported, and on a whole data directory. Reads
specs, the framing of every file, and a sample of the episodes.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.config_json import encode
from data_pipelines.importing.control import (
    FORMATS,
    ControlOptions,
    ControlReader,
    ImportingError,
    SourceError,
    open_source,
)
from data_pipelines.importing.control.conventions import chosen_layout, interpret
from data_pipelines.importing.control.episodes import Layout, SourceSpec
from data_pipelines.importing.control.findings import Problem, Severity
from data_pipelines.importing.control.options import BadEpisodes
from data_pipelines.importing.control.problems import build_spec, survey_problems
from data_pipelines.importing.control.survey import ACTION, Survey
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.storage.data_directory import FORMAT_FILE
from data_pipelines.storage.recorded_tasks import SPEC, DataError, read_task, recorded_tasks
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model

DEFAULT_TEXT_MODEL = "package:mistral_common/data/tokenizer.model.v1"
"""Measures texts where neither the settings nor the data directory have a model."""

_BLOCKS = 4


@dataclasses.dataclass(frozen=True)
class TaskReport:
    """What was found in one task or source.

    Args:
      name: of the task, or the source's path.
      kind: of the task.
      sampled, total: episodes; total is 0 where only reading everything would tell.
      problems: errors first.
    """

    name: str
    kind: str
    sampled: int
    total: int
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> int:
        """How many of the problems are errors."""
        return sum(problem.severity is Severity.ERROR for problem in self.problems)


@dataclasses.dataclass(frozen=True)
class CheckReport:
    """What was found in all of them."""

    tasks: tuple[TaskReport, ...]

    @property
    def errors(self) -> int:
        """How many errors there are."""
        return sum(task.errors for task in self.tasks)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"errors": self.errors, **encode(self)}

    def text(self) -> str:
        """For a terminal."""
        lines = []
        for task in self.tasks:
            of = f" of {task.total:,}" if task.total else ""
            read = f", {task.sampled:,}{of} episodes read" if task.kind == "control" else ""
            state = f"{task.errors} errors" if task.errors else "can be used"
            lines.append(f"{task.name} ({task.kind}{read}): {state}")
            lines += [f"  {problem.line()}" for problem in task.problems]
        return "\n".join(lines)


def check_data(
    source: str | Path,
    *,
    format: str | None = None,
    options: ControlOptions | None = None,
    tokens: TokenConfig | None = None,
    segment_length: int = 1024,
    episodes: int = 64,
) -> CheckReport:
    """Checks a source before its import, or a data directory, or one task of it.

    Args:
      source: what to check.
      format: a key of `FORMATS` for a source; None for a data directory or a task of one.
      options: how a source is read, as for `import_data`.
      tokens: settings of the tokens that the data is to become.
      segment_length: places of a segment, which must hold a timestep.
      episodes: to read at most, in blocks spread over the source.

    Raises:
      ValueError: the format is not known, or `source` is no data directory and no format is given.
    """
    path, tokens, options = Path(source), tokens or TokenConfig(), options or ControlOptions()
    if episodes < 1:
        raise ValueError(f"episodes must be positive, found {episodes}")
    if format is not None:
        if format not in FORMATS:
            raise ValueError(f"no import format {format!r}, expected one of {sorted(FORMATS)}")
        return CheckReport((_check_source(path, format, options, tokens, segment_length, episodes),))
    if (path / SPEC).is_file():
        data, names = path.parent, [path.name]
    elif (path / FORMAT_FILE).is_file() or (path.is_dir() and recorded_tasks(path)):
        data, names = path, recorded_tasks(path)
    else:
        raise ValueError(
            f"{path}: expected a data directory ({FORMAT_FILE}) or a task of one ({SPEC}); for a source that is to be "
            f"imported give its format, one of {sorted(FORMATS)}"
        )
    return CheckReport(tuple(_check_task(data, name, tokens, segment_length, episodes) for name in names))


def _check_source(
    path: Path, format: str, options: ControlOptions, tokens: TokenConfig, segment_length: int, episodes: int
) -> TaskReport:
    try:
        reader = open_source(path, format, options)
        layout = chosen_layout(reader.layout, reader.columns, options)
        options = dataclasses.replace(options, channels=layout.channels)
        survey = _survey(reader, layout, options, episodes)
    except (SourceError, ImportingError) as error:
        return TaskReport(str(path), "control", 0, 0, (Problem(Severity.ERROR, "", str(error)),))
    problems = [Problem(Severity.NOTE, "", note) for note in reader.notes]
    problems += survey_problems(survey, reader.spec, options)
    if not any(problem.severity is Severity.ERROR for problem in problems):
        spec = build_spec("check.source", survey, reader.spec, options)
        model = tokens.text_model or DEFAULT_TEXT_MODEL
        problems += _token_problems(spec, survey, dataclasses.replace(tokens, text_model=model), path, segment_length)
    return TaskReport(str(path), "control", survey.episodes, len(reader), _sorted(problems))


def _check_task(data: Path, name: str, tokens: TokenConfig, segment_length: int, episodes: int) -> TaskReport:
    try:
        task = read_task(data, name)
    except DataError as error:
        fix = "record or import it again"
        return TaskReport(name, "unknown", 0, 0, (Problem(Severity.ERROR, "", str(error), fix),))
    if task.spec is None:
        done = Problem(Severity.NOTE, "", "its files are whole; their contents are not looked at")
        return TaskReport(name, task.kind, 0, 0, (done,))
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
        survey = _survey(reader, layout, options, episodes)
    except (SourceError, ImportingError) as error:
        broken = Problem(Severity.ERROR, "", str(error), "record or import it again")
        return TaskReport(name, "control", 0, 0, (broken,))
    problems = [
        Problem(Severity.ERROR, key, "spec.json names it, the recorded steps lack it", "record or import it again")
        for key in missing
    ]
    problems += _last_steps(survey)
    options = dataclasses.replace(
        options, kinds={key: kind for key, kind in options.kinds.items() if key in survey.items},
        num_values={key: count for key, count in options.num_values.items() if key in survey.items},
    )  # fmt: skip
    problems += survey_problems(survey, SourceSpec(), options)
    problems += _spec_problems(spec, survey)
    problems += _token_problems(spec, survey, tokens, data, segment_length)
    return TaskReport(name, "control", survey.episodes, task.examples("train"), _sorted(problems))


def _survey(reader: ControlReader, layout: Layout, options: ControlOptions, episodes: int) -> Survey:
    survey, total = Survey(options), len(reader)
    block = -(-episodes // _BLOCKS)
    starts = range(0, total, max(1, total // _BLOCKS)) if total > episodes else [0]
    for start in list(starts)[:_BLOCKS]:
        size = block if len(starts) > 1 else episodes
        for raw in itertools.islice(reader.episodes(start, layout.columns), size):
            demonstration = interpret(raw, layout)
            if demonstration is None:
                survey.leave_out("no action")
            else:
                survey.add(demonstration)
    return survey


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
        found = survey.items[item.key]
        shapes = [(*shape[:2], 3) if item.kind is Kind.IMAGE else shape for shape in found.shapes]
        if item.kind is not Kind.TEXT and shapes != [item.shape]:
            yield Problem(Severity.ERROR, item.key, f"spec.json says shape {item.shape}, recorded are {found.shapes}")
        if item.kind in (Kind.DISCRETE, Kind.CONTINUOUS) and found.dtypes != [item.dtype]:
            yield Problem(Severity.WARNING, item.key, f"spec.json says {item.dtype}, recorded are {found.dtypes}")
    if survey.steps and max(survey.steps) > spec.max_episode_steps:
        yield Problem(
            Severity.WARNING, "",
            f"an episode has {max(survey.steps)} steps, more than max_episode_steps = {spec.max_episode_steps}",
            "evaluation stops episodes there",
        )  # fmt: skip
    if ACTION not in survey.items and survey.usable:
        yield Problem(Severity.ERROR, ACTION, "no action is recorded")


def _token_problems(
    spec: TaskSpec, survey: Survey, tokens: TokenConfig, data: Path, segment_length: int
) -> Iterator[Problem]:
    """What does not fit the tokens that the data is to become."""
    try:
        layout = TimestepLayout.build(spec, tokens)
    except ValueError as error:
        yield Problem(
            Severity.ERROR, "", str(error).removeprefix(f"task {spec.name!r}").lstrip(",: "),
            "smaller pictures (--frame-size), fewer items (--leave-out), or a larger table",
        )  # fmt: skip
        return
    if layout.length > segment_length:
        yield Problem(
            Severity.ERROR, "", f"a timestep takes {layout.length} places, a segment has {segment_length}",
            f"a row group with segment_length of at least {layout.length}",
        )  # fmt: skip
    textual = [item for item in spec.observation if item.kind is Kind.TEXT and item.key in survey.items]
    if not textual:
        return
    try:
        tokenizer = TextTokenizer(resolve_text_model(tokens.text_model, data))
    except FileNotFoundError as error:
        yield Problem(Severity.WARNING, "", f"lengths of texts are not checked: {error}", "set tokens.text_model")
        return
    for item in textual:
        lengths = {text: len(tokenizer.encode(text)) for text in survey.items[item.key].texts}
        longest = max(lengths, key=lambda text: lengths[text], default="")
        if lengths and lengths[longest] > tokens.text_tokens:
            yield Problem(
                Severity.ERROR, item.key,
                f"a text takes {lengths[longest]} tokens, tokens.text_tokens is {tokens.text_tokens}: {longest[:80]!r}",
                f"tokens.text_tokens = {lengths[longest]}",
            )  # fmt: skip


def _sorted(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    order = list(Severity)
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: order.index(problem.severity)))
