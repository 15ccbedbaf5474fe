"""What adding one domain to a mixture does to the loss of every domain, at equal rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from gato_jax.studies.laws.laws import Predict
from gato_jax.studies.table import Mixture, domain_names, mixtures

STEP = 0.1
"""Share by which a law's mixture gets more of a domain."""
LEFT_OUT = 0.01
"""A domain with at most this share counts as left out."""


def matrix(out: Path, predict: Sequence[Predict], refits: Sequence[Sequence[Predict]]) -> dict[str, Any]:
    """Relative change of each domain's loss when a domain is added and the others shrink in proportion.

    Rows are drawn from a fixed budget, so an effect holds what the others lose by having fewer rows. It is negative
    where the added domain helps. Measured, from a mixture and the runs that leave one of its domains out, where the
    sweep has them for every domain: with the domain against without it. Else from the laws: the uniform mixture with
    `STEP` more of the domain against the uniform mixture.

    Args:
      predict: law of each domain, in the order of the table.
      refits: bootstrap refits of each.

    Returns:
      "source", "base", and "effects": added domain -> domain -> {"effect", "low", "high"}, with the interval of 90 %,
      None for a measurement with one seed.
    """
    domains = domain_names(out)
    if (left_out := _leave_one_out(mixtures(out))) is not None:
        base, without = left_out
        effects = {
            added: {domain: _measured(base, without[at], index) for index, domain in enumerate(domains)}
            for at, added in enumerate(domains)
        }
        return {"source": "leave one out", "base": base.name, "effects": effects}
    of = dict(zip(domains, zip(predict, refits, strict=True), strict=True))
    effects = {
        added: {domain: _fitted(*of[domain], at, len(domains)) for domain in domains}
        for at, added in enumerate(domains)
    }
    return {"source": "laws", "base": "uniform", "step": STEP, "effects": effects}


def _leave_one_out(some: Sequence[Mixture]) -> tuple[Mixture, list[Mixture]] | None:
    """A mixture and, for each domain, the mixture without it; the most even one where there are several."""
    some = [mixture for mixture in some if not mixture.changes]
    for base in sorted(some, key=lambda mixture: float(mixture.shares.max())):
        places = range(len(base.shares))
        without = [next((m for m in some if _leaves_out(m.shares, base.shares, at)), None) for at in places]
        if None not in without:
            return base, [mixture for mixture in without if mixture is not None]
    return None


def _leaves_out(shares: np.ndarray, base: np.ndarray, at: int) -> bool:
    rest, proportions = [np.delete(of, at) / np.delete(of, at).sum() for of in (shares, base)]
    return bool(shares[at] <= LEFT_OUT < base[at] and np.allclose(rest, proportions, atol=1e-6))


def _measured(base: Mixture, without: Mixture, index: int) -> dict[str, float | None]:
    """Paired by seed where both have the same ones."""
    both = sorted(base.losses.keys() & without.losses.keys())
    if not both:
        return {"effect": float(base.mean[index] / without.mean[index] - 1), "low": None, "high": None}
    each = np.asarray([base.losses[seed][index] / without.losses[seed][index] - 1 for seed in both])
    if len(both) == 1:
        return {"effect": float(each[0]), "low": None, "high": None}
    half = float(student.ppf(0.95, len(both) - 1) * each.std(ddof=1) / np.sqrt(len(both)))
    return {"effect": float(each.mean()), "low": float(each.mean()) - half, "high": float(each.mean()) + half}


def _fitted(predict: Predict, refits: Sequence[Predict], at: int, domains: int) -> dict[str, float | None]:
    points = towards(np.full(domains, 1 / domains), at, STEP)
    change = lambda law: float(np.divide(*law(points)[::-1]) - 1)  # noqa: E731
    low, high = np.quantile([change(refit) for refit in refits], (0.05, 0.95))
    return {"effect": change(predict), "low": float(low), "high": float(high)}


def towards(base: Float[np.ndarray, "domains"], at: int, step: float) -> Float[np.ndarray, "2 domains"]:
    """A mixture, and the same with `step` more of domain `at`, the others keeping their proportions."""
    step = min(step, 1 - float(base[at]))
    corner = np.eye(len(base))[at]
    return np.stack([base, base + step / (1 - base[at]) * (corner - base)])
