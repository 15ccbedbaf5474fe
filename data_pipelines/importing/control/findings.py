"""A finding about data, and how bad it is. No TensorFlow."""

import dataclasses
import enum


class Severity(enum.Enum):
    """An ERROR stops an import and training; a WARNING costs quality; a NOTE says what was done."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclasses.dataclass(frozen=True)
class Doubt:
    """Something about one episode that may be wrong; a survey counts equal ones, and warns once.

    Args:
      key: the item, "action", or "" for the whole episode.
      what: a sentence that is the same for every episode, without its id.
      fix: what would help.
      step: the first timestep it is about, None for the whole episode.
    """

    key: str
    what: str
    fix: str = ""
    step: int | None = None


@dataclasses.dataclass(frozen=True)
class Problem:
    """One finding.

    Args:
      severity: how bad.
      key: the item, "action", or "" for the whole source.
      message: what was expected and found.
      fix: what would help, "" where nothing needs to be done.
    """

    severity: Severity
    key: str
    message: str
    fix: str = ""

    def line(self) -> str:
        """For a terminal or an exception."""
        where = f"{self.key!r}: " if self.key else ""
        return f"{self.severity.value}: {where}{self.message}" + (f" -> {self.fix}" if self.fix else "")
