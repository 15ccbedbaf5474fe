"""`gato sweep compare`: proposals against references at equal rows, with errors over the seeds that both have."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gato_jax.studies.laws import proposals
from gato_jax.studies.table import Mixture, domain_names, extrapolated, mixtures, stacked


def compare(out: Path) -> dict[str, Any]:
    """The losses of references and proposals, and the differences between each proposal and each reference.

    Losses are means over the seeds with their standard error (None for one seed). Differences are paired by seed: the
    mean over the seeds that both finished of (proposal - reference) / reference, negative where the proposal is better.

    Returns:
      "mixtures": name -> {"role", "seeds", "shares", "values", "scores"}; "differences": a list of {"proposal",
      "reference", "seeds", "values", "scores", "target", "expected", "extrapolated"}. Values have the domains, "mean",
      once the design has finished runs "worst", and the proposals' other targets (`proposals.target_value`); "expected"
      is the predicted change of the target with its interval, which is an extrapolation where "extrapolated" names
      domains in which the reference lies outside the design. "scores" are of the scored domains, in percent and higher
      the better; their differences are in points.
    """
    domains = domain_names(out)
    tried, design = stacked(mixtures(out, "fit"), len(domains))
    some, proposed = mixtures(out, "reference", "proposal"), proposals.proposals(out)
    targets = {proposals.MEAN: None, **({proposals.WORST: None} if len(design) else {})}
    targets.update({proposal["target"]: None for proposal in proposed.values()})
    least = design.min(0) if len(design) else np.ones(len(domains))
    values = {mixture.name: _values(mixture, domains, least, list(targets)) for mixture in some}
    table = {
        mixture.name: {
            "role": mixture.role,
            "seeds": sorted(mixture.losses),
            "shares": dict(zip(domains, map(float, mixture.shares), strict=True)),
            "values": {name: _mean(list(of.values())) for name, of in values[mixture.name].items()},
            "scores": _score_means(list(mixture.scores.values())),
        }
        for mixture in some
    }
    differences = []
    for mixture in (m for m in some if m.role == "proposal"):
        proposal = proposed.get(mixture.name, {})
        target = proposal.get("target")
        for reference in (m for m in some if m.role == "reference"):
            both = sorted(mixture.losses.keys() & reference.losses.keys())
            if not both:
                continue
            changes = {
                name: [of[seed] / values[reference.name][name][seed] - 1 for seed in both]
                for name, of in values[mixture.name].items()
            }
            scored = sorted(mixture.scores.keys() & reference.scores.keys())
            points = [_points(mixture.scores[seed], reference.scores[seed]) for seed in scored]
            gain = proposal.get("gains", {}).get(reference.name)
            differences.append(
                {
                    "proposal": mixture.name,
                    "reference": reference.name,
                    "seeds": both,
                    "values": {name: _mean(each) for name, each in changes.items()},
                    "scores": _score_means(points),
                    "target": target,
                    "expected": gain and {"mean": -gain["gain"], "low": -gain["high"], "high": -gain["low"]},
                    "extrapolated": extrapolated(reference.shares, tried, domains),
                }
            )
    return {"domains": domains, "mixtures": table, "differences": differences}


def lines(compared: Mapping[str, Any]) -> list[str]:
    """The comparison as text."""
    if not compared["mixtures"]:
        return ["no reference or proposal has finished"]
    columns = list(next(iter(compared["mixtures"].values()))["values"])
    about = "mean ± standard error over seeds; differences are paired by seed, negative is better"
    text = [*_block(compared, "values", ["loss", "seeds", *columns], "%", 100, 3), "", about]
    if domains := scored_domains(compared):
        about = "scores in percent (experts, or right answers); differences in points, positive is better"
        text += ["", *_block(compared, "scores", ["score", "seeds", *domains], "points", 1, 1), "", about]
    return text


def scored_domains(compared: Mapping[str, Any]) -> list[str]:
    """Domains for which some mixture has a score."""
    return [
        domain for domain in compared["domains"] if any(domain in of["scores"] for of in compared["mixtures"].values())
    ]


def _block(
    compared: Mapping[str, Any], values: str, head: Sequence[str], unit: str, scale: float, digits: int
) -> list[str]:
    """Mixtures and their differences, which are multiplied by `scale` to be in `unit`, in aligned columns."""
    rows = [list(head)]
    for name, mixture in compared["mixtures"].items():
        rows.append([name, str(len(mixture["seeds"])), *(with_error(mixture[values].get(c), digits) for c in head[2:])])
    rows.append([])
    digits = 2 if scale == 100 else digits
    for difference in compared["differences"]:
        name = f"{difference['proposal']} - {difference['reference']}, {unit}"
        cells = [with_error(difference[values].get(column), digits, scale=scale, sign="+") for column in head[2:]]
        rows.append([name, str(len(difference["seeds"])), *cells])
    widths = [max(len(row[at]) for row in rows if row) for at in range(len(head))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=False)] for row in rows]
    return ["  ".join(row).rstrip() for row in padded]


def with_error(value: Mapping[str, float | None] | None, digits: int, *, scale: float = 1, sign: str = "") -> str:
    """A mean and, where there are several seeds, its standard error."""
    if value is None or value["mean"] is None:
        return "-"
    error = "" if value["error"] is None else f" ± {scale * value['error']:.{digits}f}"
    return f"{scale * value['mean']:{sign}.{digits}f}{error}"


def _score_means(seeds: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float | None]]:
    """Domain -> mean over the seeds."""
    domains = sorted({domain for scores in seeds for domain in scores})
    return {domain: _mean([scores[domain] for scores in seeds if domain in scores]) for domain in domains}


def _points(of: Mapping[str, float], reference: Mapping[str, float]) -> dict[str, float]:
    return {domain: score - reference[domain] for domain, score in of.items() if domain in reference}


def _values(
    mixture: Mixture, domains: Sequence[str], least: np.ndarray, targets: Sequence[str]
) -> dict[str, dict[int, float]]:
    """Domain or target -> seed -> value."""
    values = {d: {seed: float(of[at]) for seed, of in mixture.losses.items()} for at, d in enumerate(domains)}
    for target in targets:
        places = [domains.index(domain) for domain in proposals.target_domains(target, domains)]
        value = lambda of, target=target, at=places: proposals.target_value(target, of[None, at], least[at])  # noqa: E731
        values[target] = {seed: float(value(of)[0]) for seed, of in mixture.losses.items()}
    return values


def _mean(values: Sequence[float]) -> dict[str, float | None]:
    error = None if len(values) < 2 else float(np.std(values, ddof=1) / np.sqrt(len(values)))
    return {"mean": float(np.mean(values)), "error": error}
