"""`gato sweep extrapolate`: losses over model sizes, L(N) = E + A / N^a, and what that says of larger ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import spearmanr

from data_pipelines.atomic_files import write_json
from gato_jax.config import load_experiment
from gato_jax.model.gato import count_parameters
from gato_jax.studies.laws import laws
from gato_jax.studies.laws.analysis import FIT, INTERVAL, family_of, read_fit, seed_noise
from gato_jax.studies.plan import read_plan, run_directory
from gato_jax.studies.table import Mixture, domain_names, mixtures, stacked

EXTRAPOLATION = "extrapolation.json"
POWERS = np.geomspace(0.02, 2.0, 60)
RANKED = 5
"""Mixtures that two sizes need in common before their order is compared."""


def extrapolate(
    sweeps: Sequence[Path], *, to: Sequence[float] = (2, 10), samples: int = 200, seed: int = 0
) -> dict[str, Any]:
    """The losses of the references and proposals of the largest sweep at every size and, extrapolated, beyond.

    At each size a mixture's loss is the mean of its runs there or, without runs, what the laws of that sweep predict. A
    power law goes through the sizes of each domain; with two sizes its floor E is taken as zero. Intervals come from
    draws of the losses within their errors: the spread between seeds, and for predictions the laws' bootstrap.

    Args:
      sweeps: directories of the same domains, steps and rows at different model sizes.
      to: multiples of the largest size.

    Returns:
      "sizes" (in parameters), "targets", "mixtures": name -> "source" and, for each domain and "mean", the losses at
      the sizes and the extrapolated ones; "rank_correlation" of mean losses between the smallest and the largest size,
      over the mixtures that both trained (None below five); "statement", which says what this is. Also written to
      extrapolation.json in the largest sweep.

    Raises:
      ValueError: fewer than two sizes, other domains, steps or rows, a size without runs or laws of a mixture, or no
        mixture with two seeds at any size.
    """
    described = sorted((_describe(out), out) for out in sweeps)
    sizes, sweeps = [size for (size, *_), _ in described], [out for _, out in described]
    if len(set(sizes)) < 2 or len(set(sizes)) < len(sizes):
        raise ValueError(f"extrapolation needs sweeps of at least two different sizes, found {sizes} parameters")
    for (_, *budget), out in described:
        if budget != list(described[-1][0][1:]) or domain_names(out) != domain_names(sweeps[-1]):
            raise ValueError(
                f"{out}: steps, rows or domains differ from {sweeps[-1]}: {budget}, {described[-1][0][1:]}"
            )
    if not all(multiple > 1 for multiple in to):
        raise ValueError(f"to: expected multiples above 1 of the largest size, found {list(to)}")
    domains, targets = domain_names(sweeps[-1]), [float(sizes[-1] * multiple) for multiple in to]
    generator = np.random.default_rng(seed)
    if (noise := seed_noise([mixture for out in sweeps for mixture in mixtures(out)])) is None:
        raise ValueError(
            "an extrapolation needs the spread between seeds: no mixture of any size has two finished seeds"
        )
    at_sizes = [_Sweep(out, noise) for out in sweeps]
    by_mixture: dict[str, Any] = {}
    for mixture in mixtures(sweeps[-1], "reference", "proposal"):
        each = [of.losses(mixture) for of in at_sizes]
        values = np.stack([losses for losses, _, _ in each])
        errors = np.stack([error for _, error, _ in each])
        drawn = np.concatenate([values[None], values + errors * generator.standard_normal((samples, *values.shape))])
        beyond = np.stack([_power_law(sizes, drawn[:, :, at], targets) for at in range(len(domains))], axis=-1)
        sources = {source for _, _, source in each}
        by_mixture[mixture.name] = {"role": mixture.role, "source": " and ".join(sorted(sources))}
        for name, here, there in (
            ("mean", values.mean(-1), beyond.mean(-1)),
            *((domain, values[:, at], beyond[:, :, at]) for at, domain in enumerate(domains)),
        ):
            low, high = np.quantile(there[1:], INTERVAL, axis=0)
            spans = zip(there[0], low, high, strict=True)
            by_mixture[mixture.name][name] = {
                "measured": here.tolist(),
                "extrapolated": [{"loss": float(v), "low": float(a), "high": float(b)} for v, a, b in spans],
            }
    if not by_mixture:
        raise ValueError(f"{sweeps[-1]}: no reference or proposal has finished there")
    both = _common(sweeps[0], sweeps[-1])
    span = f"{sizes[0] / 1e6:.3g} M to {sizes[-1] / 1e6:.3g} M parameters"
    floor = "with a floor" if len(sizes) > 2 else "whose floor is taken as zero, as two sizes cannot tell it"
    statement = (
        f"An extrapolation: a power law {floor} through {len(sizes)} sizes from {span}, at equal steps and rows. "
        f"No model was trained beyond the largest."
    )
    result = {
        "sweeps": [str(out) for out in sweeps],
        "sizes": sizes,
        "targets": targets,
        "mixtures": by_mixture,
        "ranked": len(both),
        "rank_correlation": float(spearmanr(*both.T).statistic) if len(both) >= RANKED else None,
        "statement": statement,
    }
    write_json(sweeps[-1] / EXTRAPOLATION, result)
    return result


def lines(extrapolation: Mapping[str, Any]) -> list[str]:
    """The extrapolation as text: mean losses."""
    heads = [f"{size / 1e6:.3g} M" for size in extrapolation["sizes"]] + [
        f"{size / 1e6:.3g} M, extrapolated" for size in extrapolation["targets"]
    ]
    rows = [["mean loss", *heads]]
    for name, of in extrapolation["mixtures"].items():
        beyond = [f"{e['loss']:.3f} ({e['low']:.3f} to {e['high']:.3f})" for e in of["mean"]["extrapolated"]]
        rows.append([name, *(f"{value:.3f}" for value in of["mean"]["measured"]), *beyond])
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    order = extrapolation["rank_correlation"]
    agreement = (
        []
        if order is None
        else [f"rank correlation of {extrapolation['ranked']} mixtures, smallest to largest: {order:.2f}"]
    )
    return [*text, *agreement, extrapolation["statement"]]


class _Sweep:
    """Losses of any mixture at the size of one sweep, measured or predicted."""

    def __init__(self, out: Path, noise: Float[np.ndarray, "domains"]):
        self.out, self.domains, self.noise = out, domain_names(out), noise
        self.known = mixtures(out)
        self._laws: list[list[laws.Predict]] | None = None

    def losses(self, mixture: Mixture) -> tuple[np.ndarray, np.ndarray, str]:
        """Of the domains: loss, its standard error, and whence."""
        for measured in self.known:
            if measured.name == mixture.name and np.allclose(measured.shares, mixture.shares):
                return measured.mean, measured.mean * self.noise / np.sqrt(len(measured.losses)), "runs"
        if mixture.changes:
            raise ValueError(f"{self.out} has not trained {mixture.name!r}, whose shares move: no law predicts it")
        predicted = np.asarray([[law(mixture.shares[None])[0] for law in of] for of in self._fitted()])
        return predicted[:, 0], predicted[:, 1:].std(1), "laws"

    def _fitted(self, samples: int = 20) -> list[list[laws.Predict]]:
        """For each domain its law, and refits to bootstrap draws."""
        if self._laws is None:
            if not (self.out / FIT).is_file():
                raise ValueError(
                    f"{self.out} has not trained every mixture, and has no {FIT}: run `gato sweep fit` there"
                )
            fitted = read_fit(self.out)
            shares, losses = stacked([m for m in self.known if m.role == "fit"], len(self.domains))
            families = [family_of(fitted, domain) for domain in self.domains]
            self._laws = [
                [laws.fit(law, shares, of), *laws.refitted(law, shares, of, samples=samples)]
                for law, of in zip(families, losses.T, strict=True)
            ]
        return self._laws


def _describe(out: Path) -> tuple[int, int, int]:
    """(parameters, steps, rows of a step) of a sweep's runs."""
    experiment = load_experiment(run_directory(out, read_plan(out)[0]) / "experiment.json")
    parameters = count_parameters(experiment.model, experiment.data.tokens.vocabulary)
    return parameters, experiment.train.steps or 0, experiment.data.mixture.rows_per_step


def _common(small: Path, large: Path) -> Float[np.ndarray, "mixtures 2"]:
    """Mean losses of the mixtures that both sweeps trained."""
    of = {mixture.name: mixture for mixture in mixtures(large)}
    pairs = [
        (float(m.mean.mean()), float(of[m.name].mean.mean()))
        for m in mixtures(small)
        if m.name in of and np.allclose(m.shares, of[m.name].shares)
    ]
    return np.asarray(pairs).reshape(-1, 2)


def _power_law(
    sizes: Sequence[float], losses: Float[np.ndarray, "draws sizes"], targets: Sequence[float]
) -> Float[np.ndarray, "draws targets"]:
    """E + A / N^a with E, A >= 0 by least squares for each a of a grid, at the target sizes; E = 0 with two sizes."""
    best = np.full(len(losses), np.inf)
    predicted = np.empty((len(losses), len(targets)))
    for power in POWERS:
        x = (np.asarray(sizes, float) / sizes[0]) ** -power
        beyond = (np.asarray(targets, float) / sizes[0]) ** -power
        amount = losses @ x / (x @ x)
        floor = np.zeros(len(losses))
        if len(sizes) > 2:
            slope = (losses - losses.mean(1, keepdims=True)) @ (x - x.mean()) / ((x - x.mean()) ** 2).sum()
            base = losses.mean(1) - slope * x.mean()
            inside = (base >= 0) & (slope >= 0)
            flat = slope < 0
            floor = np.where(inside, base, np.where(flat, losses.mean(1), 0.0))
            amount = np.where(inside, slope, np.where(flat, 0.0, amount))
        residual = ((floor[:, None] + amount[:, None] * x - losses) ** 2).sum(1)
        better = residual < best
        best = np.where(better, residual, best)
        predicted[better] = (floor[:, None] + amount[:, None] * beyond)[better]
    return predicted
