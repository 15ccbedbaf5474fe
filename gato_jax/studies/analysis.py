"""`gato sweep fit` and `gato sweep propose`: laws over a sweep's results, and the mixture that they would choose."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from gato_jax.files import write_bytes, write_json
from gato_jax.studies import laws
from gato_jax.studies.designs import normalised
from gato_jax.studies.sweep import domains_of, results

FIT = "fit.json"
FEWEST = 3


def fit(out: Path, *, families: Sequence[laws.Law] = (laws.Law.MEAN, laws.Law.EXPONENTIAL)) -> dict[str, Any]:
    """Fits every domain's loss by each family and writes fit.json.

    A domain's family is the one with the smallest cross-validated error on the fitted mixtures; the held-out mixtures
    choose nothing. Errors are relative: |predicted - measured| / measured.

    Raises:
      ValueError: too few finished runs of the design.
    """
    domains = sorted(domains_of(out))
    table = results(out)
    shares, losses = _arrays([run for run in table if run["role"] == "fit"], domains)
    if len(shares) < FEWEST + len(domains):
        raise ValueError(f"{out}: a fit needs at least {FEWEST + len(domains)} runs of the design, found {len(shares)}")
    held, truth = _arrays([run for run in table if run["role"] == "held_out"], domains)
    found: dict[str, Any] = {"domains": {}, "fitted": len(shares), "held_out": len(held)}
    all_errors: list[float] = []
    for index, domain in enumerate(domains):
        of = losses[:, index]
        crossed = {family.value: laws.cross_validated(family, shares, of) for family in families}
        best = min(crossed, key=lambda name: float(np.median(crossed[name])))
        predict = laws.fit(laws.Law(best), shares, of)
        errors = np.abs(predict(held) / truth[:, index] - 1) if len(held) else np.empty(0)
        all_errors += map(float, errors)
        found["domains"][domain] = {
            "law": best,
            "cross_validated": {name: _quantiles(values) for name, values in crossed.items()},
            "held_out": _quantiles(errors),
        }
        if best == laws.Law.EXPONENTIAL.value:
            found["domains"][domain]["parameters"] = [float(x) for x in laws.fit_exponential(shares, of)]
    found["all"] = _quantiles(np.asarray(all_errors))
    write_json(out / FIT, found)
    return found


def propose(
    out: Path, fitted: Mapping[str, Any], *, target: str = "mean", samples: int = 20, seed: int = 0
) -> dict[str, Any]:
    """The mixture with the least predicted loss, written as proposal-<target>.yaml beside the sweep.

    The search stays in the range of each share that the design has tried. The uncertainty is the spread of the
    predicted gain over laws fitted to `samples` bootstrap draws of the design's runs.

    Args:
      target: "mean" of the domains' losses, "worst" (the largest), or domains joined by commas, whose mean counts.

    Returns:
      {"shares", "predicted", "uniform", "gain", "gain_low", "gain_high", "file"}; a gain is a share of uniform's loss.

    Raises:
      ValueError: a target that names no domain.
    """
    domains = sorted(domains_of(out))
    chosen = domains if target in ("mean", "worst") else target.split(",")
    if unknown := sorted(set(chosen) - set(domains)):
        raise ValueError(f"target {target!r}: expected mean, worst or some of {domains}, found {unknown}")
    places = [domains.index(domain) for domain in chosen]
    shares, losses = _arrays([run for run in results(out) if run["role"] == "fit"], domains)
    families = [laws.Law(fitted["domains"][domain]["law"]) for domain in chosen]

    def objective(rows: np.ndarray) -> laws.Predict:
        each = [laws.fit(family, shares[rows], losses[rows, at]) for family, at in zip(families, places, strict=True)]
        join = np.max if target == "worst" else np.mean
        return lambda points: join([predict(points) for predict in each], axis=0)

    predict = objective(np.arange(len(shares)))
    bounds = list(zip(shares.min(0), shares.max(0), strict=True))
    starts = [shares[index] for index in np.argsort(predict(shares))[:5]]
    whole = {"type": "eq", "fun": lambda point: point.sum() - 1}
    ends = [
        minimize(lambda p: float(predict(p[None])[0]), start, bounds=bounds, constraints=whole, method="SLSQP").x
        for start in starts
    ]
    feasible = [point for point in (*ends, *starts) if abs(point.sum() - 1) < 1e-6]
    best = min(feasible, key=lambda point: float(predict(point[None])[0]))
    even = np.full((1, len(domains)), 1 / len(domains))
    generator = np.random.default_rng(seed)
    gains = []
    for _ in range(samples):
        again = objective(generator.integers(0, len(shares), len(shares)))
        gains.append(1 - float(again(best[None])[0]) / float(again(even)[0]))
    found = normalised(dict(zip(domains, map(float, best), strict=True)))
    path = out / f"proposal-{target.replace(',', '+')}.yaml"
    write_mixture(path, found, domains_of(out), f"least predicted loss for target {target}")
    predicted, uniform = float(predict(best[None])[0]), float(predict(even)[0])
    return {
        "target": target,
        "shares": found,
        "predicted": predicted,
        "uniform": uniform,
        "gain": 1 - predicted / uniform,
        "gain_low": float(np.quantile(gains, 0.05)),
        "gain_high": float(np.quantile(gains, 0.95)),
        "file": str(path),
    }


def write_mixture(path: Path, shares: Mapping[str, float], domains: Mapping[str, Sequence[str]], comment: str) -> None:
    """A mixture file that `gato mixture show` and `--data.mixture.named` take."""
    lines = [f"  {task}: {shares[domain] / len(tasks):.8f}" for domain, tasks in domains.items() for task in tasks]
    write_bytes(path, "\n".join([f"# {comment}", "weights:", *lines, ""]).encode())


def _arrays(runs: Sequence[Mapping[str, Any]], domains: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    shares = np.asarray([[run["shares"][domain] for domain in domains] for run in runs])
    losses = np.asarray([[run["domain_losses"][domain] for domain in domains] for run in runs])
    return shares.reshape(-1, len(domains)), losses.reshape(-1, len(domains))


def _quantiles(errors: np.ndarray) -> dict[str, float] | None:
    return {"median": float(np.median(errors)), "worst": float(errors.max())} if len(errors) else None
