"""Mixtures by name or file: the paper's, one for each row of Table 1, the quickstart's, and a user's own.

A file is YAML with the weights of its members. A member is a task, a pattern of tasks, a row of Table 1, or another
mixture (a name, or a file beside this one):

    weights: {gato_control: 3, "metaworld.*": 1, text.my_manuals: 1, "ALE Atari": 0.5}
    temperature: 2.0                      # optional: a member's share is in proportion to weight ** (1 / temperature)
    schedule: {100000: {gato_control: 1}} # optional: the weights from a step on

The weight of a pattern, a row or a mixture is dealt over those of its members that are there.
"""

import dataclasses
import difflib
import fnmatch
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from data_pipelines.mixtures.config import Phase
from data_pipelines.mixtures.table1 import CONTROL, ROWS, VISION_LANGUAGE, Row


class MixtureError(ValueError):
    """A mixture that does not exist, is not well formed, or lacks its sources."""


@dataclasses.dataclass(frozen=True)
class Definition:
    """Weights of members, any positive scale; see the module's text for the rest."""

    weights: Mapping[str, float]
    temperature: float = 1.0
    schedule: Mapping[int, Mapping[str, float]] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if not _is_number(self.temperature):
            raise MixtureError(f"temperature: expected a positive number, found {self.temperature!r}")
        if not isinstance(self.schedule, Mapping):
            raise MixtureError(f"schedule: expected steps with their weights, found {self.schedule!r}")
        for step in self.schedule:
            if not isinstance(step, int) or isinstance(step, bool) or step < 1:
                raise MixtureError(f"schedule: expected steps above 0, found {step!r}")
        for where, weights in {
            "weights": self.weights,
            **{f"schedule[{s}]": w for s, w in self.schedule.items()},
        }.items():
            if not isinstance(weights, Mapping) or not weights:
                raise MixtureError(f"{where}: expected at least one member with its weight, found {weights!r}")
            for member, weight in weights.items():
                if not _is_number(weight):
                    raise MixtureError(f"{where}[{member!r}]: expected a positive number, found {weight!r}")

    @property
    def shares(self) -> dict[str, float]:
        """Share of each member; they sum to one."""
        # Scaled by the largest first, so that no temperature over- or underflows.
        most = max(self.weights.values())
        raw = {member: (weight / most) ** (1 / self.temperature) for member, weight in self.weights.items()}
        return {member: value / sum(raw.values()) for member, value in raw.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def slug(row: Row) -> str:
    """The name of a row's own mixture: "ALE Atari Extended" is ale_atari_extended."""
    return row.name.lower().replace(" ", "_").replace("-", "_")


NAMED: Mapping[str, Definition] = {
    "gato": Definition({row.name: row.weight for row in ROWS}),
    "gato_control": Definition({row.name: row.weight for row in CONTROL}),
    "gato_vision_language": Definition({row.name: row.weight for row in VISION_LANGUAGE}),
    "quickstart": Definition(
        {"atari.*": 8, "babyai.*": 8, "dm_control.*": 32, "metaworld.*": 16, "text.*": 8, "vqa.*": 8}
    ),
    **{slug(row): Definition({row.name: 1.0}) for row in ROWS},
}
"""The paper's mixture (table 1), its two halves and its rows, and the quickstart's."""


@dataclasses.dataclass(frozen=True)
class Resolved:
    """A mixture over the tasks that are there.

    Args:
      name: as given.
      shares: task -> share of the sequences. They sum to less than one where something is absent.
      absent: member without any task here -> the share that it should have.
      origin: task -> the row of Table 1, the pattern or the task that it stands for, in the first phase that has it.
      phases: (step, shares, absent) from each step on.
      unused: task that is there and that no member names, in any phase -> why, in a few words.
    """

    name: str
    shares: Mapping[str, float]
    absent: Mapping[str, float]
    origin: Mapping[str, str]
    phases: tuple[tuple[int, Mapping[str, float], Mapping[str, float]], ...] = ()
    unused: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def absent_share(self) -> float:
        return sum(self.absent.values())

    @property
    def tasks(self) -> tuple[str, ...]:
        """Of all phases, sorted."""
        return tuple(sorted({*self.shares, *(task for _, shares, _ in self.phases for task in shares)}))

    def weights(self, *, renormalise: bool = False) -> dict[str, float]:
        """Weights for `MixtureConfig`, 0 for a task of a later phase.

        Raises:
          MixtureError: members are absent and `renormalise` is not set, or all are.
        """
        return self._weights(self.shares, self.absent, renormalise, "")

    def schedule(self, *, renormalise: bool = False) -> tuple[Phase, ...]:
        """As `weights`, for the phases that follow."""
        return tuple(
            Phase(step, self._weights(shares, absent, renormalise, f" from step {step}"))
            for step, shares, absent in self.phases
        )

    def _weights(
        self, shares: Mapping[str, float], absent: Mapping[str, float], renormalise: bool, when: str
    ) -> dict[str, float]:
        if not shares:
            raise MixtureError(f"mixture {self.name!r}{when}: none of its members is in the data: {sorted(absent)}")
        if absent and not renormalise:
            listing = ", ".join(f"{member} ({100 * share:.2f} %)" for member, share in absent.items())
            raise MixtureError(
                f"mixture {self.name!r}{when}: {100 * sum(absent.values()):.1f} % of its weight is absent: {listing}; "
                "import that data, or deal their share over the rest with data.mixture.renormalise"
            )
        total = sum(shares.values())
        return {task: shares.get(task, 0.0) / total for task in self.tasks}


def load(name: str | pathlib.Path, beside: pathlib.Path | None = None) -> Definition:
    """A mixture by name or YAML file; relative files lie in the folder `beside`.

    Raises `MixtureError` naming the nearest names, or what the file lacks.
    """
    if str(name) in NAMED:
        return NAMED[str(name)]
    path = pathlib.Path(name) if beside is None else beside / name
    if path.suffix not in (".yaml", ".yml"):
        near = difflib.get_close_matches(str(name), NAMED, n=3) or sorted(NAMED)
        raise MixtureError(f"no mixture {str(name)!r}; nearest names: {near}; a file ends in .yaml")
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise MixtureError(f"mixture file {path}: {error}") from error
    if not isinstance(data, dict) or "weights" not in data:
        raise MixtureError(f"mixture file {path}: expected a mapping with `weights`, found {data!r}")
    field_names = [field.name for field in dataclasses.fields(Definition)]
    for key in data:
        if key not in field_names:
            near = difflib.get_close_matches(str(key), field_names, n=1) or field_names
            raise MixtureError(f"mixture file {path}: no key {key!r}; nearest: {near}")
    try:
        return Definition(**data)
    except MixtureError as error:
        raise MixtureError(f"mixture file {path}: {error}") from error


def resolve(name: str | pathlib.Path, present: Sequence[str]) -> Resolved:
    """The mixture over the tasks of a data directory (`storage.recorded_tasks`).

    Raises:
      MixtureError: unknown names, a mixture inside itself, or a task that two members name.
    """
    definition = load(name)
    deal = _Deal(present, {})
    shares, absent = deal.all(str(name), definition)
    origin, phases = deal.origin, []
    for step, weights in sorted(definition.schedule.items()):
        # Another phase may name a task by another member.
        deal = _Deal(present, {})
        phases.append((step, *deal.all(str(name), Definition(weights, definition.temperature))))
        origin = {**deal.origin, **origin}
    resolved = Resolved(str(name), shares, absent, origin, tuple(phases))
    unused = {task: _why_unused(task) for task in sorted(set(present) - set(resolved.tasks))}
    return dataclasses.replace(resolved, unused=unused)


def _why_unused(task: str) -> str:
    """What keeps a task out of the mixtures that take tasks by their names."""
    if any(task in row.held_out for row in ROWS):
        return "the paper holds it out"
    if holding := [row.name for row in ROWS if row.holds(task)]:
        return f"it stands for {holding[0]}"
    domain = task.partition(".")[0]
    rows = [row for row in ROWS if domain in row.domains]
    if lists := [row.name for row in rows if row.names]:
        return f"it is none of the tasks that {' or '.join(lists)} names; a mixture of your own may name it"
    names = ", ".join(f"{pattern} for {row.name}" for row in rows for pattern in row.patterns)
    return f"it stands for no row of Table 1; {names} do" if names else "it stands for no row of Table 1"


@dataclasses.dataclass
class _Deal:
    """Deals shares over the tasks that are there."""

    present: Sequence[str]
    origin: dict[str, str]

    def all(self, name: str, definition: Definition) -> tuple[dict[str, float], dict[str, float]]:
        """(share of each task, share of each absent member)."""
        shares: dict[str, float] = {}
        absent: dict[str, float] = {}
        self._add(definition, 1.0, (name,), shares, absent)
        return dict(sorted(shares.items())), absent

    def _add(
        self,
        definition: Definition,
        scale: float,
        inside: tuple[str, ...],
        shares: dict[str, float],
        absent: dict[str, float],
    ) -> None:
        is_file = inside[-1].endswith((".yaml", ".yml"))
        beside = pathlib.Path(inside[-1]).parent if is_file else None
        for member, part in definition.shares.items():
            share = scale * part
            if member in NAMED or member.endswith((".yaml", ".yml")):
                nested = load(member, beside)
                where = member if member in NAMED or beside is None else str(beside / member)
                if where in inside:
                    raise MixtureError(f"mixture {inside[0]!r} holds itself: {' > '.join((*inside, where))}")
                if nested.schedule:
                    raise MixtureError(f"mixture {where!r} has a schedule, so it cannot be a member of {inside[-1]!r}")
                self._add(nested, share, (*inside, where), shares, absent)
                continue
            tasks = self._tasks(member, inside[-1])
            if not tasks:
                absent[member] = absent.get(member, 0.0) + share
            for task in tasks:
                if self.origin.setdefault(task, member) != member:
                    raise MixtureError(
                        f"mixture {inside[0]!r}: task {task!r} is named by {self.origin[task]!r} and by {member!r}"
                    )
                shares[task] = shares.get(task, 0.0) + share / len(tasks)

    def _tasks(self, member: str, mixture: str) -> list[str]:
        row = next((row for row in ROWS if row.name == member), None)
        if row is not None:
            return [task for task in self.present if row.holds(task)]
        if "*" in member:
            held_out = {task for row in ROWS for task in row.held_out}
            return sorted(set(fnmatch.filter(self.present, member)) - held_out)
        if "." in member:
            return [member] if member in self.present else []
        names = [*(row.name for row in ROWS), *NAMED, *self.present]
        near = difflib.get_close_matches(member, names, n=3)
        raise MixtureError(f"mixture {mixture!r}: no task, row of Table 1 or mixture {member!r}; nearest: {near}")
