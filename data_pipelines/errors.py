"""The one error for data that cannot become tokens, and what assertions of TensorFlow pipelines say. No TensorFlow.

task 'dm_control.point', episode 'chunk-00/point-train.tfrecord-00002 record 3', timestep 17, key 'velocity':
expected a finite number, found nan at [1]
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any


class TimestepError(ValueError):
    """A timestep that cannot become tokens, or tokens of which no action follows.

    The message names task, episode, timestep, key, expected and found. Episode and timestep are left out where it
    concerns all of them (a wrong spec), or where nobody knows them.
    """


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where stacked timesteps come from, for messages.

    Args:
      episodes: name of each row's episode (rows are environments), or one name for all rows.
      timestep: of every row, or one for all; None = rows are the timesteps of one episode, from 0.
    """

    episodes: str | Sequence[str] | None = None
    timestep: int | Sequence[int] | None = None

    def at(self, row: int) -> dict[str, Any]:
        """Arguments of `describe` for one row."""
        episode = self.episodes if self.episodes is None or isinstance(self.episodes, str) else self.episodes[row]
        timestep = row if self.timestep is None else self.timestep
        return {"episode": episode, "timestep": timestep if isinstance(timestep, int) else int(timestep[row])}

    def row(self, row: int) -> "Origin":
        """Of one environment of several."""
        where = self.at(row)
        return Origin(where["episode"], None if self.timestep is None else where["timestep"])


class Failures(dict[int, TimestepError]):
    """Environments of a batch that can no longer act: row -> why. The others go on without them.

    Args:
      rows: environments of the batch.
    """

    def __init__(self, rows: int):
        super().__init__()
        self.rows = rows

    @property
    def survivors(self) -> list[int]:
        """The rows that still act."""
        return [row for row in range(self.rows) if row not in self]

    def check(self) -> None:
        """Raises the first failure when no environment is left."""
        if len(self) == self.rows and self:
            raise next(iter(self.values()))

    def stand_in(self, values: Sequence[Any]) -> list[Any]:
        """One value of each row, where a survivor's stands in for those of the rows that have failed."""
        self.check()
        first = self.survivors[0] if self.rows else 0
        return [values[first if row in self else row] for row in range(self.rows)]


def describe(
    task: str, key: str, expected: str, found: str, *, episode: str | int | None = None, timestep: int | None = None
) -> str:
    """The message."""
    where = [f"task {task!r}"]
    if episode is not None:
        where.append(f"episode {episode!r}")
    if timestep is not None:
        where.append(f"timestep {timestep}")
    return f"{', '.join(where)}, key {key!r}: expected {expected}, found {found}"


def assertion_text(message: str) -> str | None:
    """What a failed TensorFlow assertion says, without brackets and escapes; None if it is another error."""
    assertion = re.search(r"assertion failed: (.*)", message)
    if not assertion:
        return None
    text = assertion.group(1)
    single = re.fullmatch(r"\[(.*)\]", text)
    # TensorFlow escapes quotes and control characters, and leaves UTF-8 as it is.
    escapes = {"n": "\n", "r": "\r", "t": "\t"}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[1]), single.group(1) if single else text)


MISFIT = "values that cannot become tokens: task {task}, episode number"
"""What the assertion inside a pipeline says, with the number behind it."""


def misfit_of(message: str) -> tuple[str, int] | None:
    """Task and number of the episode that a pipeline's assertion is about; None if it is about something else."""
    pattern = re.escape(MISFIT).replace(re.escape("{task}"), "(.*)") + r"\] \[(\d+)"
    match = re.search(pattern, assertion_text(message) or "")
    return (match.group(1), int(match.group(2))) if match else None
