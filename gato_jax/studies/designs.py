"""Designs over mixture weights: each gives points on the simplex of domains, the same ones every time."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import qmc

from data_pipelines.mixtures.named import resolve
from gato_jax.config import MixtureControllerConfig

Shares = dict[str, float]
"""Domain -> share of the rows; they sum to one."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """Shares from a moment of the run on.

    Args:
      at: part of the run's steps that lies before it, in [0, 1); rounded to whole data segments.
      shares: of the domains.
    """

    at: float
    shares: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Point:
    """One mixture of a design: a name that is unique in its study, and the domains' shares of the rows.

    Args:
      shares: those of the beginning, where they change.
      schedule: stages that follow.
      policy: mixture controller that changes the shares while the run goes on; not together with a schedule.
    """

    name: str
    shares: Mapping[str, float]
    schedule: tuple[Stage, ...] = ()
    policy: MixtureControllerConfig | None = None

    def __post_init__(self):
        check_shares(self.shares, f"point {self.name!r}")
        if self.schedule and self.policy is not None:
            raise ValueError(
                f"point {self.name!r} has a schedule and a mixture controller, which both set shares; drop one"
            )
        places = [0.0, *(stage.at for stage in self.schedule), 1.0]
        if any(late <= early for early, late in itertools.pairwise(places)):
            raise ValueError(f"point {self.name!r}: stages must rise inside (0, 1), found {places[1:-1]}")
        for stage in self.schedule:
            check_shares(stage.shares, f"point {self.name!r}, stage at {stage.at}")
            if set(stage.shares) != set(self.shares):
                stage_domains, expected = sorted(stage.shares), sorted(self.shares)
                raise ValueError(
                    f"point {self.name!r}, stage at {stage.at}: expected {expected}, found {stage_domains}"
                )

    @property
    def changes(self) -> bool:
        """Whether its shares change inside a run: laws say nothing about such a point."""
        return bool(self.schedule) or self.policy is not None

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The schedule with its beginning; none where the shares stay."""
        return (Stage(0.0, self.shares), *self.schedule) if self.schedule else ()

    @property
    def mean(self) -> Shares:
        """Shares over the whole run, by the schedule."""
        if not self.schedule:
            return dict(self.shares)
        stages = self.stages
        ends = [*(stage.at for stage in stages[1:]), 1.0]
        return normalised(
            {
                domain: sum(stage.shares[domain] * (end - stage.at) for stage, end in zip(stages, ends, strict=True))
                for domain in self.shares
            }
        )


def annealed(name: str, begin: Mapping[str, float], end: Mapping[str, float], *, stages: int = 5) -> Point:
    """Shares that go from `begin` to `end` in so many equal stages, by equal differences."""
    if stages < 2:
        raise ValueError(f"point {name!r}: annealing needs at least two stages, found {stages}")
    mixed = [
        normalised({domain: begin[domain] + (end[domain] - begin[domain]) * part for domain in begin})
        for part in np.linspace(0.0, 1.0, stages).tolist()
    ]
    return Point(name, mixed[0], tuple(Stage(index / stages, mixed[index]) for index in range(1, stages)))


def named(name: str | Path, domains: Mapping[str, Sequence[str]]) -> Point:
    """A mixture by name or YAML file, such as a proposal of another sweep; its schedule is left out.

    Raises:
      ValueError: it lacks tasks of the domains or has others, or the tasks of a domain have unequal weights, as a study
        mixes domains.
    """
    mixture = resolve(name, [task for tasks in domains.values() for task in tasks])
    weights = mixture.weights()
    for domain, tasks in domains.items():
        task_weights = [weights.get(task, 0.0) for task in tasks]
        if min(task_weights) <= 0 or not np.allclose(task_weights, task_weights[0], rtol=1e-4):
            of = dict(zip(tasks, task_weights, strict=True))
            raise ValueError(f"mixture {name}: tasks of {domain!r} need one positive weight, found {of}")
    return Point(Path(name).stem, normalised({d: sum(weights[task] for task in tasks) for d, tasks in domains.items()}))


def check_shares(shares: Mapping[str, float], where: str) -> None:
    """Raises `ValueError` naming `where` unless all shares are positive and sum to one."""
    for domain, share in shares.items():
        if not 0 < share <= 1:
            raise ValueError(f"{where}: the share of {domain!r} must lie in (0, 1], found {share}")
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError(f"{where}: shares must sum to 1, found {sum(shares.values())}")


def normalised(weights: Mapping[str, float]) -> Shares:
    """Positive weights of any scale -> shares."""
    total = sum(weights.values())
    return {domain: weight / total for domain, weight in weights.items()}


def uniform(domains: Sequence[str]) -> Shares:
    """The same share for every domain."""
    return normalised(dict.fromkeys(domains, 1.0))


def dirichlet(
    domains: Sequence[str], count: int, *, seed: int = 0, concentration: float = 1.0, least: float = 0.0
) -> tuple[Point, ...]:
    """`count` independent Dirichlet draws, shifted so that every share is at least `least`."""
    drawn = np.random.default_rng(seed).dirichlet([concentration] * len(domains), count)
    return _points(f"dirichlet{seed}", domains, drawn, least)


def sobol(domains: Sequence[str], count: int, *, seed: int = 0, least: float = 0.0) -> tuple[Point, ...]:
    """`count` points of a scrambled Sobol sequence, spread evenly over the simplex.

    Normalised exponentials of a uniform point are uniform on the simplex (Dirichlet with concentration one).
    """
    sequence = qmc.Sobol(len(domains), scramble=True, rng=np.random.default_rng(seed))
    drawn = sequence.random_base2(max(count - 1, 1).bit_length())[:count]
    exponential = -np.log(np.clip(drawn, 1e-12, 1 - 1e-12))
    return _points(f"sobol{seed}", domains, exponential / exponential.sum(1, keepdims=True), least)


def grid(domains: Sequence[str], parts: int) -> tuple[Point, ...]:
    """All shares that are positive multiples of 1 / `parts`."""
    if parts < len(domains):
        raise ValueError(f"a grid over {len(domains)} domains needs at least as many parts, found {parts}")
    cuts = itertools.combinations(range(1, parts), len(domains) - 1)
    rows = [np.diff([0, *cut, parts]) / parts for cut in cuts]
    return _points("grid", domains, np.asarray(rows), 0.0)


def one_at_a_time(base: Mapping[str, float], factors: Sequence[float]) -> tuple[Point, ...]:
    """The base with one domain's weight times each factor, the others keeping their proportions.

    A factor of 1 gives the base, once.
    """
    changed = tuple(
        Point(f"{domain}-x{factor:g}", normalised({**base, domain: base[domain] * factor}))
        for domain in base
        for factor in factors
        if factor != 1
    )
    return (Point("base", normalised(base)), *changed) if 1 in factors else changed


def leave_one_out(base: Mapping[str, float], *, residue: float = 1e-3) -> tuple[Point, ...]:
    """The base with one domain brought down to the share `residue`: its own loss stays measured."""
    points = []
    for left in base:
        rest = normalised({domain: weight for domain, weight in base.items() if domain != left})
        shares = {domain: residue if domain == left else (1 - residue) * rest[domain] for domain in base}
        points.append(Point(f"without-{left}", normalised(shares)))
    return tuple(points)


def temperature_ladder(sizes: Mapping[str, float], temperatures: Sequence[float]) -> tuple[Point, ...]:
    """Shares in proportion to size ** (1 / temperature); 1 = proportional to size, infinity = uniform."""
    most = max(sizes.values())
    return tuple(
        Point(f"temperature-{t:g}", normalised({domain: (size / most) ** (1 / t) for domain, size in sizes.items()}))
        for t in temperatures
    )


def _points(name: str, domains: Sequence[str], rows: np.ndarray, least: float) -> tuple[Point, ...]:
    if not 0 <= least * len(domains) < 1:
        raise ValueError(f"least must lie in [0, 1/{len(domains)}), found {least}")
    # A draw may underflow to zero: then the domain has a share too small to be drawn, and is still measured.
    shifted = np.maximum(least + (1 - least * len(domains)) * rows, 1e-9)
    shares = [normalised(dict(zip(domains, map(float, row), strict=True))) for row in shifted]
    return tuple(Point(f"{name}-{index:03d}", row) for index, row in enumerate(shares))
