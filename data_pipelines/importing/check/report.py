"""What a check found, for JSON and for a terminal. No TensorFlow."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_pipelines.config_json import encode
from data_pipelines.importing.control.findings import Problem, Severity
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.tokenizers.text import PAPER_TEXT_MODEL, TEXT_MODEL_FILE, TextTokenizer, resolve_text_model


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the data has to fit, and how much of it is looked at.

    Args:
      tokens: settings of the tokens that the data is to become.
      window_length: places of a window.
      sample: episodes or items to read at most.
      data: data directory whose text model measures texts where the settings name none; None: there is none.
    """

    tokens: TokenConfig
    window_length: int
    sample: int
    data: Path | None = None

    @property
    def names_text_model(self) -> bool:
        """Whether the settings or the data directory have a text model."""
        return bool(self.tokens.text_model) or (self.data is not None and (self.data / TEXT_MODEL_FILE).is_file())

    def text_tokenizer(self) -> TextTokenizer:
        """The text model of the settings, or of the data directory, or for a source the paper's size.

        Raises:
          FileNotFoundError: the model that is named is not there.
        """
        if self.names_text_model:
            return TextTokenizer(resolve_text_model(self.tokens.text_model, self.data or ""))
        return TextTokenizer(resolve_text_model(PAPER_TEXT_MODEL))


@dataclasses.dataclass(frozen=True)
class TaskReport:
    """What was found in one task or source.

    Args:
      name: of the task, or the source's path.
      kind: of the task.
      sampled, total: units; total is 0 where only reading everything would tell.
      problems: errors first.
      unit: what is counted, "episodes" or "items".
    """

    name: str
    kind: str
    sampled: int
    total: int
    problems: tuple[Problem, ...]
    unit: str = "episodes"

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
            read = f", {task.sampled:,}{of} {task.unit} read" if task.sampled or task.kind == "control" else ""
            state = f"{task.errors} {'error' if task.errors == 1 else 'errors'}" if task.errors else "can be used"
            lines.append(f"{task.name} ({task.kind}{read}): {state}")
            lines += [f"  {problem.line()}" for problem in task.problems]
        return "\n".join(lines)


def in_order(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Each problem once, errors first."""
    order = list(Severity)
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: order.index(problem.severity)))
