"""What a sweep measured, by mixture: the arrays that laws, proposals and the page share."""

import csv
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from data_pipelines.atomic_files import write_bytes
from gato_jax.studies.plan import domains_of
from gato_jax.studies.sweep import results

CSV = "sweep.csv"


@dataclasses.dataclass(frozen=True)
class Mixture:
    """A mixture and the losses of its finished runs.

    Args:
      shares: of the domains, in sorted order.
      losses: seed -> the domains' losses.
      scores: seed -> domain -> score in percent, of the runs and domains that were scored.
      changes: its shares move inside a run, by a schedule or a mixture controller; laws say nothing about it.
    """

    name: str
    role: str
    shares: Float[np.ndarray, "domains"]
    losses: dict[int, Float[np.ndarray, "domains"]]
    scores: dict[int, dict[str, float]] = dataclasses.field(default_factory=dict)
    changes: bool = False

    @property
    def mean(self) -> Float[np.ndarray, "domains"]:
        """Mean over the seeds."""
        return np.mean(list(self.losses.values()), axis=0)


def domain_names(out: Path) -> list[str]:
    """In the order of all arrays."""
    return sorted(domains_of(out))


def mixtures(out: Path, *roles: str) -> list[Mixture]:
    """The mixtures of these roles (all, when none is named) with a finished run, in the order of the plan."""
    domains = domain_names(out)
    array = lambda values: np.asarray([values[domain] for domain in domains], dtype=float)  # noqa: E731
    by_key: dict[tuple[str, str], Mixture] = {}
    for run in results(out):
        if roles and run["role"] not in roles:
            continue
        key = run["role"], run["point"]
        changes = bool(run.get("schedule") or run.get("policy"))
        new = Mixture(run["point"], run["role"], array(run["shares"]), {}, changes=changes)
        mixture = by_key.setdefault(key, new)
        mixture.losses[run["seed"]] = array(run["domain_losses"])
        if run.get("domain_scores"):
            mixture.scores[run["seed"]] = run["domain_scores"]
    return list(by_key.values())


def stacked(
    some: Sequence[Mixture], domains: int
) -> tuple[Float[np.ndarray, "points domains"], Float[np.ndarray, "points domains"]]:
    """Shares and mean losses. Seeds of a mixture are one point: they are no independent mixtures."""
    shares = np.asarray([mixture.shares for mixture in some]).reshape(-1, domains)
    return shares, np.asarray([mixture.mean for mixture in some]).reshape(-1, domains)


def extrapolated(
    shares: Float[np.ndarray, "domains"], tried: Float[np.ndarray, "points domains"], domains: Sequence[str]
) -> list[str]:
    """Domains whose share lies outside the range that the design tried: there, a law only extrapolates."""
    if not len(tried):
        return list(domains)
    beyond = (shares < tried.min(0) - 1e-9) | (shares > tried.max(0) + 1e-9)
    return [domain for domain, out in zip(domains, beyond, strict=True) if out]


def write_csv(out: Path) -> Path:
    """Writes sweep.csv: a line for each finished run, with shares as planned and as drawn, losses, and scores if any.

    `least_p` is the least p-value, over the tasks, of the exact test that the rows are a sample of the plan.
    """
    text, runs, tasks = io.StringIO(newline=""), results(out), domains_of(out)
    domains = domain_names(out)
    scored = [d for d in domains if any(d in run.get("domain_scores", {}) for run in runs)]
    kinds = {"planned": domains, "drawn": domains, "loss": domains, "score": scored}
    head = ["run", "role", "point", "seed", *(f"{kind} {name}" for kind, names in kinds.items() for name in names)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*head, "least_p", "steps", "seconds"])
    for run in runs:
        rows, scores = run["rows"], run.get("domain_scores", {})
        drawn = [sum(rows[task]["share"] for task in tasks[name]) for name in domains]
        planned = [sum(rows[task]["planned"] for task in tasks[name]) for name in domains]
        values = [*planned, *drawn, *(run["domain_losses"][d] for d in domains)]
        values += [scores.get(name, "") for name in scored]
        said = [run["name"], run["role"], run["point"], run["seed"]]
        least = min(of["p"] for of in rows.values())
        writer.writerow([*said, *map(_rounded, values), f"{least:.3g}", run["steps"], round(run["seconds"])])
    write_bytes(out / CSV, text.getvalue().encode())
    return out / CSV


def _rounded(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
