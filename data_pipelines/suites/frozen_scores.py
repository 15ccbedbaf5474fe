"""Frozen scores of random policies, experts and people, which come with the package: `scores.json` beside this file.

Scores of different runs compare only where they are normalised alike. So the file has a version and a digest, every
evaluation stores both, and an entry that changes raises the version. `python -m benchmarks.frozen_scores` writes it.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.read_json import parse_json
from data_pipelines.scores import Normaliser

PATH = Path(__file__).with_name("scores.json")


@dataclasses.dataclass(frozen=True)
class Sample:
    """Returns of whole episodes of one policy.

    Args:
      mean: of all attempts; one that failed counts with the random policy's mean.
      std: of the returns, with n - 1; 0 for a single one.
      returns: of the attempts that came to their end.
      failed: attempts that did not.
    """

    mean: float
    std: float
    returns: tuple[float, ...]
    failed: int = 0

    @property
    def episodes(self) -> int:
        """Attempts in all."""
        return len(self.returns) + self.failed


@dataclasses.dataclass(frozen=True)
class FrozenScore:
    """What is known of one task.

    Args:
      random: uniform actions; None where nobody measured them.
      expert: the demonstrator of this package; None where there is none, or nobody measured it.
      expert_name: who demonstrates.
      counts: whether the expert is good enough to be one (docs/experts.md).
      success: share of the expert's episodes that reach the goal; None where the world does not say.
      seconds: wall time of one episode of the expert; None without an expert.
      human, human_random: return of people, and of the random policy that was published beside it; None for both where
        nobody published any.
      human_source: where these two come from.
      published: the best published return, or the most that an episode can give; None where none is known.
      published_source: where it comes from, or what an expert is judged by instead.
      measured: date, versions of the simulator and machine.
    """

    random: Sample | None = None
    expert: Sample | None = None
    expert_name: str = ""
    counts: bool = False
    success: float | None = None
    seconds: float | None = None
    human: float | None = None
    human_random: float | None = None
    human_source: str = ""
    published: float | None = None
    published_source: str = ""
    measured: str = ""

    @property
    def normaliser(self) -> Normaliser | None:
        """0 = random, 100 = expert; None where one of the two is missing, or the expert is no better."""
        if self.random is None or self.expert is None or not self.expert.mean > self.random.mean:
            return None
        return Normaliser(self.expert.mean, self.random.mean, self.expert.returns, self.random.returns)

    @property
    def human_normaliser(self) -> Normaliser | None:
        """0 = random, 100 = people, both as published; None where they are not."""
        if self.human is None or self.human_random is None:
            return None
        return Normaliser(self.human, self.human_random)


@dataclasses.dataclass(frozen=True)
class FrozenScores:
    """All of them.

    Args:
      version: rises with every change.
      sha256: of the file.
      tasks: by name.
    """

    version: int
    sha256: str
    tasks: Mapping[str, FrozenScore]

    @property
    def identity(self) -> dict[str, Any]:
        """What a result stores, to tell later what it may be compared with."""
        return {"version": self.version, "sha256": self.sha256}


@functools.cache
def frozen_scores(path: Path = PATH) -> FrozenScores:
    """Reads the file.

    Raises:
      FileNotFoundError: an incomplete installation.
      DamagedFile: it is not what `benchmarks.frozen_scores` writes.
    """
    data = path.read_bytes()
    content = parse_json(data, f"{path}", "frozen scores", keys={"version": int, "tasks": dict})
    tasks = {name: read_entry(entry) for name, entry in content["tasks"].items()}
    return FrozenScores(content["version"], hashlib.sha256(data).hexdigest(), tasks)


def read_entry(entry: Mapping[str, Any]) -> FrozenScore:
    """One task, from JSON."""
    fields = dict(entry)
    for name in ("random", "expert"):
        if sample := fields.get(name):
            fields[name] = Sample(**{**sample, "returns": tuple(sample["returns"])})
    return FrozenScore(**fields)


def check_same(identities: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises `ValueError` unless all results were scored with one version of this file.

    Args:
      identities: result -> what it stored; empty for a result from before there were frozen scores.
    """
    distinct = {(of.get("version"), of.get("sha256")) for of in identities.values()}
    if len(distinct) > 1:
        found = ", ".join(f"{name}: {_described(of)}" for name, of in identities.items())
        raise ValueError(
            f"scores compare only when they are normalised alike; expected one version of the frozen scores, found "
            f"{found}; evaluate again what is older (rollouts that are there are not played again)"
        )


def _described(identity: Mapping[str, Any]) -> str:
    if not identity:
        return "none"
    return f"version {identity['version']} (SHA-256 {str(identity['sha256'])[:12]})"


def sample_json(sample: Sample) -> dict[str, Any]:
    """A sample as JSON, without what is at its default."""
    entry: dict[str, Any] = {"mean": sample.mean, "std": sample.std, "returns": list(sample.returns)}
    return entry | ({"failed": sample.failed} if sample.failed else {})


def entry_json(score: FrozenScore) -> dict[str, Any]:
    """A task as JSON, without what is at its default."""
    entry: dict[str, Any] = {}
    for field in dataclasses.fields(score):
        value = getattr(score, field.name)
        if value != field.default:
            entry[field.name] = sample_json(value) if isinstance(value, Sample) else value
    return entry


def summary(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n - 1)."""
    mean = sum(values) / len(values)
    spread = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5 if len(values) > 1 else 0.0
    return mean, spread
