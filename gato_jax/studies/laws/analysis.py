"""`gato sweep fit`: each domain's law, chosen by cross-validation and judged by held-out mixtures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.atomic_files import write_json
from data_pipelines.read_json import read_json
from gato_jax.studies.laws import laws, transfer
from gato_jax.studies.table import Mixture, domain_names, mixtures, stacked

FIT = "fit.json"
FEWEST = 3
FAMILIES = (laws.Law.MEAN, laws.Law.EXPONENTIAL, laws.Law.EFFECTIVE_DATA)
MEDIAN_ERROR = 0.6745
"""Median of |x| of a normal x with standard deviation one."""
INTERVAL = (0.05, 0.95)
"""Quantiles of the bootstrap at both ends of every interval of a fit or a proposal."""


def fit(out: Path, *, families: Sequence[laws.Law] = FAMILIES, samples: int = 20) -> dict[str, Any]:
    """Fits every domain's loss by each family and writes fit.json.

    A domain's family is the one with the smallest median cross-validated error on the design's mixtures; the held-out
    mixtures choose nothing. Errors are relative, |predicted - measured| / measured; the interval of a median is that of
    its bootstrap over the mixtures. A prediction's interval is the spread of laws fitted to `samples` bootstrap draws.

    Returns:
      "domains": domain -> law, errors of every family by cross-validation, errors on the held-out mixtures, and the
        spread between seeds: "noise" is the standard deviation of one run, "floor" the
        median error that it alone makes on the held-out means (relative; None where no mixture has two seeds);
      "points": what was predicted for each mixture, for those of the design by laws fitted without them;
      "transfer": the matrix of `transfer.matrix`.

    Raises:
      ValueError: too few finished mixtures of the design.
    """
    domains = domain_names(out)
    design = mixtures(out, "fit")
    shares, losses = stacked(design, len(domains))
    if len(design) < FEWEST + len(domains):
        needed = FEWEST + len(domains)
        raise ValueError(f"{out}: a fit needs at least {needed} mixtures of the design, found {len(design)}")
    others = [mixture for mixture in mixtures(out, "held_out", "reference", "proposal") if not mixture.changes]
    held_out = [mixture for mixture in others if mixture.role == "held_out"]
    truth = stacked(held_out, len(domains))[1]
    elsewhere = stacked(others, len(domains))[0]
    points: dict[str, Any] = {mixture.name: {"role": mixture.role, "domains": {}} for mixture in (*design, *others)}
    results: dict[str, Any] = {"fitted": len(design), "held_out": len(held_out), "domains": {}, "points": points}
    noise, all_errors, chosen, refits = seed_noise(mixtures(out)), [], [], []
    seeds = min((len(mixture.losses) for mixture in held_out), default=1)
    for index, domain in enumerate(domains):
        of = losses[:, index]
        crossed = {family: laws.cross_validated(family, shares, of) for family in families}
        errors = {family: np.abs(predicted / of - 1) for family, predicted in crossed.items()}
        best = min(errors, key=lambda family: float(np.median(errors[family])))
        law = laws.fit(best, shares, of)
        predicted = law(elsewhere)
        again = laws.refitted(best, shares, of, samples=samples)
        chosen.append(law)
        refits.append(again)
        low, high = np.quantile([refit(np.r_[shares, elsewhere]) for refit in again], INTERVAL, axis=0)
        values = np.r_[crossed[best], predicted]
        for mixture, value, below, above in zip((*design, *others), values, low, high, strict=True):
            points[mixture.name]["domains"][domain] = {
                "predicted": float(value), "low": float(below), "high": float(above)
            }  # fmt: skip
        at = [place for place, mixture in enumerate(others) if mixture.role == "held_out"]
        missed = np.abs(predicted[at] / truth[:, index] - 1)
        all_errors.append(missed)
        results["domains"][domain] = {
            "law": best.value,
            "cross_validated": {family.value: _summary(values) for family, values in errors.items()},
            "held_out": _summary(missed),
            "noise": None if noise is None else float(noise[index]),
            "floor": None if noise is None else float(MEDIAN_ERROR * noise[index] / np.sqrt(seeds)),
        }
        if best in laws.PARAMETERS:
            results["domains"][domain]["parameters"] = [float(x) for x in laws.PARAMETERS[best](shares, of)]
    results["all"] = _summary(np.stack(all_errors, axis=1))
    results["transfer"] = transfer.matrix(out, chosen, refits)
    write_json(out / FIT, results)
    return results


def read_fit(out: Path) -> dict[str, Any]:
    """What `fit` wrote. Raises `DamagedFile` naming the file, and `FileNotFoundError` before a fit."""
    remedy = f"run `gato sweep fit {out}`"
    return read_json(out / FIT, "the fit of a sweep", keys={"domains": dict, "points": dict}, remedy=remedy)


def seed_noise(some: Sequence[Mixture]) -> np.ndarray | None:
    """Relative standard deviation of each domain's loss between a mixture's seeds, pooled; None without two seeds."""
    several = [np.asarray(list(mixture.losses.values())) for mixture in some if len(mixture.losses) > 1]
    if not several:
        return None
    squares = sum(((losses / losses.mean(0) - 1) ** 2).sum(0) for losses in several)
    return np.sqrt(squares / sum(len(losses) - 1 for losses in several))


def family_of(fitted: Mapping[str, Any], domain: str) -> laws.Law:
    """The law that `fit` chose for a domain."""
    return laws.Law(fitted["domains"][domain]["law"])


def _summary(errors: np.ndarray, *, samples: int = 1000) -> dict[str, float] | None:
    """Of the errors of mixtures, or of (mixtures, domains): the domains of a mixture are drawn together."""
    if not len(errors):
        return None
    drawn = np.random.default_rng(0).choice(errors, (samples, len(errors)))
    low, high = np.quantile(np.median(drawn.reshape(samples, -1), axis=1), INTERVAL)
    return {"median": float(np.median(errors)), "low": float(low), "high": float(high), "worst": float(errors.max())}
