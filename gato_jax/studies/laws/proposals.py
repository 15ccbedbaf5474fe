"""`gato sweep propose`: the mixture that the laws would choose, its gain with an interval, runs that test it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from data_pipelines.atomic_files import write_bytes, write_json
from data_pipelines.read_json import read_json
from gato_jax.studies.designs import Point, normalised
from gato_jax.studies.laws import laws
from gato_jax.studies.laws.analysis import INTERVAL, family_of
from gato_jax.studies.plan import add_runs, added_runs, domains_of, read_plan
from gato_jax.studies.study import Run, runs_of
from gato_jax.studies.table import domain_names, extrapolated, mixtures, stacked

MEAN, WORST = "mean", "worst"
DRAWS = 4096


def propose(
    out: Path, fitted: Mapping[str, Any], *, target: str = MEAN, samples: int = 40, seed: int = 0
) -> dict[str, Any]:
    """The mixture with the least predicted loss, written as proposal-<target>.yaml (and .json) beside the sweep.

    The search is random, with a radius that shrinks around the best, and stays in the range of each share that the
    design has tried.

    Args:
      target: see `target_value`.
      samples: bootstrap draws of the design's mixtures. Laws fitted to them give the interval of a gain.

    Returns:
      "name", "target", "shares", "file", "predicted" (the target's value), "domains" (domain -> predicted loss), and
      "gains": reference -> {"predicted", "gain", "low", "high", "extrapolated"}, a gain being a part of the reference's
      value, and "extrapolated" the domains in which the reference lies outside the design (`table.extrapolated`).
      The uniform mixture is always among the references.

    Raises:
      ValueError: a target that names no domain.
    """
    domains = domain_names(out)
    chosen = target_domains(target, domains)
    places = [domains.index(domain) for domain in chosen]
    shares, losses = stacked(mixtures(out, "fit"), len(domains))
    least = losses.min(0)[places]
    families = [family_of(fitted, domain) for domain in chosen]
    each = [laws.fit(family, shares, losses[:, at]) for family, at in zip(families, places, strict=True)]
    predict = lambda of, points: target_value(target, np.stack([law(points) for law in of], 1), least)  # noqa: E731

    best = _search(lambda points: predict(each, points), shares, seed)
    # Laws say nothing about references whose shares move.
    planned = [run for run in read_plan(out) if run.role == "reference" and not run.schedule and run.policy is None]
    references = {run.point: np.asarray([run.shares[domain] for domain in domains]) for run in planned}
    even = np.full(len(domains), 1 / len(domains))
    if not any(np.allclose(even, mixture_shares) for mixture_shares in references.values()):
        references["uniform"] = even
    points = np.stack([best, *references.values()])
    again = [
        laws.refitted(family, shares, losses[:, at], samples=samples, seed=seed)
        for family, at in zip(families, places, strict=True)
    ]
    values = predict(each, points)
    spread = np.stack([predict(refit, points) for refit in zip(*again, strict=True)])
    low, high = np.quantile(1 - spread[:, :1] / spread[:, 1:], INTERVAL, axis=0)
    mixture_shares = normalised(dict(zip(domains, map(float, best), strict=True)))
    name = _free_name(out, f"proposal-{target.replace(',', '+')}", mixture_shares)
    path = out / f"{name}.yaml"
    write_mixture(path, mixture_shares, domains_of(out), f"least predicted loss for target {target}")
    proposal = {
        "name": name,
        "target": target,
        "shares": mixture_shares,
        "file": str(path),
        "predicted": float(values[0]),
        "domains": {domain: float(law(best[None])[0]) for domain, law in zip(chosen, each, strict=True)},
        "gains": {
            reference: {
                "predicted": float(values[1 + at]),
                "gain": float(1 - values[0] / values[1 + at]),
                "low": float(low[at]),
                "high": float(high[at]),
                "extrapolated": extrapolated(of, shares, domains),
            }
            for at, (reference, of) in enumerate(references.items())
        },
    }
    write_json(out / f"{name}.json", proposal)
    return proposal


def add(out: Path, proposal: Mapping[str, Any]) -> list[Run]:
    """Adds a proposal's runs with the seeds of the references; the next `gato sweep STUDY` trains them.

    A proposal that was added before is not added again.
    """
    runs = read_plan(out)
    seeds = {run.seed for run in runs if run.role == "reference"} or {run.seed for run in runs}
    asked = runs_of("proposal", (Point(proposal["name"], proposal["shares"]),), tuple(sorted(seeds)))
    add_runs(out, asked)
    return asked


def target_domains(target: str, domains: Sequence[str]) -> list[str]:
    """The domains that count for a target. Raises `ValueError` for one that is not there."""
    chosen = list(domains) if target in (MEAN, WORST) else target.split(",")
    if unknown := sorted(set(chosen) - set(domains)):
        raise ValueError(f"target {target!r}: expected mean, worst or some of {list(domains)}, found {unknown}")
    return chosen


def target_value(
    target: str, losses: Float[np.ndarray, "points chosen"], least: Float[np.ndarray, "chosen"]
) -> Float[np.ndarray, "points"]:
    """What a proposal makes small.

    "mean" and chosen domains: the mean loss. "worst": the largest ratio of a domain's loss to `least`, the least that
    any mixture of the design reached in it. Raw losses do not compare between domains, as their entropies differ: the
    domain with the highest would always be the worst. DoReMi (Xie et al. 2023) takes a domain's excess over a reference
    model for the same reason; here the best run is the reference, and the excess is relative.
    """
    return np.max(losses / least, axis=1) if target == WORST else np.mean(losses, axis=1)


def write_mixture(path: Path, shares: Mapping[str, float], domains: Mapping[str, Sequence[str]], comment: str) -> None:
    """A mixture file that `gato mixture show` and `data.mixture.named` take."""
    lines = [f"  {task}: {shares[domain] / len(tasks):.8f}" for domain, tasks in domains.items() for task in tasks]
    write_bytes(path, "\n".join([f"# {comment}", "weights:", *lines, ""]).encode())


def proposals(out: Path) -> dict[str, dict[str, Any]]:
    """Name -> what `propose` returned, of all proposals of a sweep."""
    keys = {"name": str, "shares": dict, "gains": dict}
    entries = [read_json(path, "a proposal", keys=keys) for path in sorted(out.glob("proposal-*.json"))]
    return {proposal["name"]: proposal for proposal in entries}


def _search(
    value: laws.Predict, shares: Float[np.ndarray, "points domains"], seed: int
) -> Float[np.ndarray, "domains"]:
    """The mixture with the least value between the least and the largest share of each domain."""
    low, high = shares.min(0), shares.max(0)
    free = np.random.default_rng(seed).dirichlet(np.ones(len(low)), DRAWS)
    drawn = low + (1 - low.sum()) * free
    drawn = np.concatenate([shares, drawn[(drawn <= high).all(1)]])
    best = drawn[np.argmin(value(drawn))]
    for radius in (0.5, 0.2, 0.1, 0.05, 0.02, 0.01):
        near = np.concatenate([best[None], best + radius * (drawn - best)])  # Between two points of a convex range.
        best = near[np.argmin(value(near))]
    return best


def _free_name(out: Path, name: str, shares: Mapping[str, float]) -> str:
    """`name`, or with a number where runs of that name have another mixture already."""
    taken = {run.point: run.shares for run in added_runs(out)}
    same = lambda other: all(abs(other[domain] - share) < 1e-9 for domain, share in shares.items())  # noqa: E731
    numbered = [name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))]
    return next(each for each in numbered if each not in taken or same(taken[each]))
