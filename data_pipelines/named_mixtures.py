"""Mixtures by name or file: the paper's, and a user's own, over the tasks that lie in a data directory.

A file is YAML with the weights of its members, each a task, a row of Table 1, or another mixture:

    weights: {gato_control: 3, text.my_manuals: 1, "ALE Atari": 0.5}
    temperature: 2.0        # optional: members are drawn in proportion to weight ** (1 / temperature)

The weight of a row, or of a mixture, is dealt over those of its members that are there.
"""

import dataclasses
import difflib
import pathlib
from collections.abc import Mapping, Sequence

import yaml

from data_pipelines.table1 import CONTROL, ROWS, VISION_LANGUAGE


class MixtureError(ValueError):
    """A mixture that does not exist, is not well formed, or lacks its sources."""


@dataclasses.dataclass(frozen=True)
class Definition:
    """Weights of members, any positive scale; see the module's text for `temperature`."""

    weights: Mapping[str, float]
    temperature: float = 1.0

    def __post_init__(self):
        if not self.weights:
            raise MixtureError("weights: expected at least one member, found none")
        for member, weight in self.weights.items():
            if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0 < weight < float("inf"):
                raise MixtureError(f"weights[{member!r}]: expected a positive number, found {weight!r}")
        if not isinstance(self.temperature, int | float) or not 0 < self.temperature < float("inf"):
            raise MixtureError(f"temperature: expected a positive number, found {self.temperature!r}")

    @property
    def shares(self) -> dict[str, float]:
        """Share of each member; they sum to one."""
        # Scaled by the largest first, so that no temperature over- or underflows.
        most = max(self.weights.values())
        raw = {member: (weight / most) ** (1 / self.temperature) for member, weight in self.weights.items()}
        return {member: value / sum(raw.values()) for member, value in raw.items()}


NAMED: Mapping[str, Definition] = {
    "gato": Definition({row.name: row.weight for row in ROWS}),
    "gato_control": Definition({row.name: row.weight for row in CONTROL}),
    "gato_vision_language": Definition({row.name: row.weight for row in VISION_LANGUAGE}),
}
"""The paper's mixture (table 1) and its two halves."""


@dataclasses.dataclass(frozen=True)
class Resolved:
    """A mixture over the tasks that are there.

    Args:
      name: as given.
      shares: task -> share of the sequences. They sum to one only when `renormalised` or nothing is absent.
      absent: member without any task here -> the share that it should have.
      origin: task -> the row of Table 1, or the member, that it stands for.
      renormalised: whether the shares of what is absent were dealt over the rest.
    """

    name: str
    shares: Mapping[str, float]
    absent: Mapping[str, float]
    origin: Mapping[str, str]
    renormalised: bool = False

    @property
    def absent_share(self) -> float:
        return sum(self.absent.values())

    def weights(self, *, renormalise: bool = False) -> dict[str, float]:
        """Weights for `MixtureConfig`.

        Raises:
          MixtureError: members are absent and `renormalise` is not set, or all are.
        """
        if not self.shares:
            raise MixtureError(f"mixture {self.name!r}: none of its members is in the data: {sorted(self.absent)}")
        if self.absent and not renormalise:
            listing = ", ".join(f"{member} ({100 * share:.2f} %)" for member, share in self.absent.items())
            raise MixtureError(
                f"mixture {self.name!r}: {100 * self.absent_share:.1f} % of its weight is absent: {listing}; import "
                "that data, or renormalise to deal it over the rest"
            )
        total = sum(self.shares.values())
        return {task: share / total for task, share in sorted(self.shares.items())}


def load(name: str | pathlib.Path) -> Definition:
    """A mixture by name or YAML file. Raises `MixtureError` naming the nearest names, or what the file lacks."""
    if str(name) in NAMED:
        return NAMED[str(name)]
    path = pathlib.Path(name)
    if path.suffix not in (".yaml", ".yml"):
        near = difflib.get_close_matches(str(name), NAMED, n=3) or sorted(NAMED)
        raise MixtureError(f"no mixture {str(name)!r}; nearest names: {near}; a file ends in .yaml")
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise MixtureError(f"mixture file {path}: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("weights"), dict):
        raise MixtureError(f"mixture file {path}: expected a mapping with `weights`, found {data!r}")
    known = [field.name for field in dataclasses.fields(Definition)]
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1) or known
            raise MixtureError(f"mixture file {path}: no key {key!r}; nearest: {near}")
    try:
        return Definition(**data)
    except MixtureError as error:
        raise MixtureError(f"mixture file {path}: {error}") from error


def resolve(name: str | pathlib.Path, present: Sequence[str]) -> Resolved:
    """The mixture over the tasks of a data directory (`directories.recorded_tasks`).

    Raises:
      MixtureError: unknown names, a mixture inside itself, or a task that two members name.
    """
    shares: dict[str, float] = {}
    absent: dict[str, float] = {}
    origin: dict[str, str] = {}
    _add(str(name), load(name), 1.0, present, (str(name),), shares, absent, origin)
    return Resolved(str(name), dict(sorted(shares.items())), absent, origin)


def _add(
    name: str,
    definition: Definition,
    scale: float,
    present: Sequence[str],
    inside: tuple[str, ...],
    shares: dict[str, float],
    absent: dict[str, float],
    origin: dict[str, str],
) -> None:
    rows = {row.name: row for row in ROWS}
    for member, part in definition.shares.items():
        share = scale * part
        if member in NAMED or member.endswith((".yaml", ".yml")):
            if member in inside:
                raise MixtureError(f"mixture {name!r} holds itself: {' > '.join((*inside, member))}")
            _add(member, load(member), share, present, (*inside, member), shares, absent, origin)
            continue
        if member in rows:
            tasks = [task for task in present if rows[member].holds(task)]
        elif "." in member:
            tasks = [member] if member in present else []
        else:
            near = difflib.get_close_matches(member, [*rows, *NAMED, *present], n=3)
            raise MixtureError(f"mixture {name!r}: no task, row of Table 1 or mixture {member!r}; nearest: {near}")
        if not tasks:
            absent[member] = absent.get(member, 0.0) + share
        for task in tasks:
            if task in origin and origin[task] != member:
                raise MixtureError(f"mixture {name!r}: task {task!r} is named by {origin[task]!r} and by {member!r}")
            origin[task] = member
            shares[task] = shares.get(task, 0.0) + share / len(tasks)
