"""`sweep.html`: one self-contained page about a sweep: what was measured, what the laws say, what is proposed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines import atomic_files, html_page
from data_pipelines.html_page import escape
from data_pipelines.read_json import read_json
from gato_jax import __version__
from gato_jax.studies import sweep
from gato_jax.studies.laws import comparison, laws, proposals
from gato_jax.studies.laws.analysis import FIT, family_of, read_fit
from gato_jax.studies.laws.scaling import EXTRAPOLATION
from gato_jax.studies.plan import domains_of, read_plan, run_directory, study_of
from gato_jax.studies.report import charts
from gato_jax.studies.report import tables as sweep_tables
from gato_jax.studies.report.charts import Dot, Line
from gato_jax.studies.table import Mixture, domain_names, extrapolated, mixtures, stacked
from gato_jax.training.run_directory import read_records

PAGE = "sweep.html"
SKIPPED = 0.2
"""Part of a run, at its beginning, that the learning curves leave out: all losses fall steeply there."""


def write_page(out: Path, *, ternary: Sequence[str] = (), pareto: Sequence[str] = ()) -> Path:
    """Writes sweep.html of whatever is there: finished runs, and the fit, proposals, comparison, extrapolation.

    Args:
      ternary: three domains for the triangles; those whose losses vary most, when not given.
      pareto: two domains instead of the mean loss and the worst domain.

    Raises:
      ValueError: no sweep directory, or domains that it does not have.
    """
    domains = domain_names(out)
    for name, asked, count in (("ternary", ternary, 3), ("pareto", pareto, 2)):
        if asked and (len(set(asked)) != count or set(asked) - set(domains)):
            raise ValueError(f"{name}: expected {count} of {domains}, found {list(asked)}")
    some, status = mixtures(out), sweep.status(out)
    steady = [mixture for mixture in some if not mixture.changes]
    fitted = read_fit(out) if (out / FIT).is_file() else None
    predict = _laws(out, fitted, domains)
    compared = comparison.compare(out)
    extrapolated = read_json(out / EXTRAPOLATION, "an extrapolation") if (out / EXTRAPOLATION).is_file() else None
    body = [
        _head(out, status, fitted),
        sweep_tables.comparison(compared),
        sweep_tables.proposals(proposals.proposals(out)),
    ]
    if some:
        body += [
            sweep_tables.losses(some, domains),
            _accuracy(fitted, some, domains),
            _own_share(steady, domains, predict) if steady else "",
        ]
        body += [_ternary(steady, domains, predict, ternary) if steady else "", _pareto(some, domains, pareto)]
    body += [
        sweep_tables.transfer(fitted["transfer"], domains) if fitted else "",
        sweep_tables.scaling(extrapolated) if extrapolated else "",
        _curves(out),
        sweep_tables.runs(out, status),
        f"<footer>gato-jax {__version__}, sweep of {escape(study_of(out))}. Losses: nats a target.</footer>",
    ]
    page = html_page.document(f"{study_of(out)}: sweep", "".join(body), style=charts.STYLE)
    atomic_files.write_bytes(out / PAGE, page.encode())
    return out / PAGE


def _laws(out: Path, fitted: Mapping[str, Any] | None, domains: Sequence[str]) -> list[laws.Predict]:
    """The law of each domain, none without a fit."""
    if fitted is None:
        return []
    shares, losses = stacked(mixtures(out, "fit"), len(domains))
    return [laws.fit(family_of(fitted, domain), shares, losses[:, at]) for at, domain in enumerate(domains)]


def _head(out: Path, status: sweep.Status, fitted: Mapping[str, Any] | None) -> str:
    runs = read_plan(out)
    figures = [(f"{len(status.done)}<small> of {len(runs)}</small>", "runs finished")]
    if status.failed:
        figures.append((str(len(status.failed)), "runs failed; reasons below"))
    figures.append((str(len({run.point for run in runs})), f"mixtures of {len(domain_names(out))} domains"))
    if status.done:
        figures.append((f"{status.seconds / 3600:.1f}<small> h</small>", "of training, over all workers"))
    if fitted and fitted["all"]:
        of = fitted["all"]
        about = f"median error on {fitted['held_out']} held-out mixtures; worst {100 * of['worst']:.1f} %"
        figures.append((f"{100 * of['median']:.2f}<small> %</small>", about))
    lead = (
        "Every run has the same model, steps and rows; only the shares of the domains differ (and seeds, where stated)."
    )
    return f'<header><h1>{escape(study_of(out))}</h1><p class="lead">{lead}</p>{html_page.tiles(figures)}</header>'


def _cards(charts_of: Mapping[str, str]) -> str:
    cards = "".join(f'<div class="card"><h3>{escape(name)}</h3>{chart}</div>' for name, chart in charts_of.items())
    return f'<div class="grid plots">{cards}</div>'


def _accuracy(fitted: Mapping[str, Any] | None, some: Sequence[Mixture], domains: Sequence[str]) -> str:
    if fitted is None:
        return html_page.section("Laws", '<p class="note">No fit yet: run gato sweep fit.</p>')
    cards, tried = {}, stacked([m for m in some if m.role == "fit"], len(domains))[0]
    beyond = {m.name: outside for m in some if (outside := extrapolated(m.shares, tried, domains))}
    for at, domain in enumerate(domains):
        dots = [
            Dot(
                float(m.mean[at]),
                of["predicted"],
                m.role,
                said := f"{m.name}, extrapolated" if m.name in beyond else m.name,
                *_whisker(of, m.role),
                label=said if m.name in beyond and m.role in ("reference", "proposal") else "",
            )
            for m in some
            if (of := fitted["points"].get(m.name, {}).get("domains", {}).get(domain)) is not None
        ]
        chart = charts.plot(dots, x_label="measured loss", y_label="predicted", diagonal=True)
        cards[f"{domain}: {fitted['domains'][domain]['law'].replace('_', ' ')}"] = chart
    about = (
        "Medians by family are cross-validated on the design; the law of a domain is the family with the least. The "
        "held-out mixtures choose nothing. Dots of the design are predicted by laws fitted without them; bars are "
        "the 5 to 95 % range of laws refitted to bootstrap draws. <i>Between seeds</i> is the standard deviation "
        "of one run between seeds of a mixture; <i>faultless law</i> is the median error that this noise alone makes."
    )
    if named := [f"{escape(name)} (in {escape(', '.join(where))})" for name, where in beyond.items()]:
        about += f" Outside the design lie {', '.join(named)}. {sweep_tables.EXTRAPOLATED}"
    roles = list(dict.fromkeys(m.role for m in some))
    return html_page.section("Laws", sweep_tables.laws(fitted) + charts.legend(roles) + _cards(cards), about=about)


def _whisker(of: Mapping[str, float], role: str) -> tuple[float | None, float | None]:
    return (None, None) if role == "fit" else (of["low"], of["high"])


def _own_share(some: Sequence[Mixture], domains: Sequence[str], predict: Sequence[laws.Predict]) -> str:
    cards = {}
    for at, domain in enumerate(domains):
        dots = [Dot(float(m.shares[at]), float(m.mean[at]), m.role, m.name) for m in some]
        lines = []
        if predict:
            own = np.linspace(min(dot.x for dot in dots), max(dot.x for dot in dots), 60)
            points = np.tile(((1 - own) / (len(domains) - 1))[:, None], len(domains))
            points[:, at] = own
            lines = [Line(own.tolist(), predict[at](points).tolist(), "held_out", "law, the others in equal parts")]
        cards[domain] = charts.plot(dots, lines, x_label="its own share", y_label="loss")
    about = "The line is the law where the other domains share the rest equally; dots have other rests."
    return html_page.section(
        "Loss by own share", charts.legend(list(dict.fromkeys(m.role for m in some))) + _cards(cards), about=about
    )


def _ternary(
    some: Sequence[Mixture], domains: Sequence[str], predict: Sequence[laws.Predict], asked: Sequence[str]
) -> str:
    if len(domains) < 3:
        return ""
    losses = np.stack([mixture.mean for mixture in some])
    spread = losses.std(0) / losses.mean(0)
    chosen = [domains.index(d) for d in asked] or sorted(np.argsort(-spread)[:3].tolist())
    rest, shares = 1 - len(chosen) / len(domains), np.stack([mixture.shares for mixture in some])
    low, high = shares.min(0), shares.max(0)

    def surface(value: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray] | None:
        def at(parts: np.ndarray) -> np.ndarray:
            points = np.full((len(parts), len(domains)), rest / max(len(domains) - 3, 1))
            points[:, chosen] = (1 - rest) * parts
            tried = ((points >= low - 1e-9) & (points <= high + 1e-9))[:, chosen].all(1)
            return np.where(tried, value(np.stack([law(points) for law in predict], axis=1)), np.nan)

        return at if predict else None

    values: dict[str, Callable[[np.ndarray], np.ndarray]] = {"mean loss": lambda of: of.mean(1)}
    for place in chosen:
        values[f"loss of {domains[place]}"] = lambda of, place=place: of[:, place]  # type: ignore[misc]
    names = [domains[place] for place in chosen]
    cards = {}
    for name, value in values.items():
        parts = [mixture.shares[chosen] / mixture.shares[chosen].sum() for mixture in some]
        dots = list(zip(parts, map(float, value(losses)), (mixture.name for mixture in some), strict=True))
        cards[name] = charts.ternary(names, dots, surface(value), label=name)
    held_share = f"{100 / len(domains):.0f} %, inside the shares that were tried"
    others = f"The surface is the law with each other domain held at {held_share}; " if predict else ""
    about = (
        f"Parts of {', '.join(map(escape, names))} in what the three have together. {others}dots are all mixtures, "
        "whatever their share of the others. A corner is the domain alone."
    )
    return html_page.section("Triangles", _cards(cards), about=about)


def _pareto(some: Sequence[Mixture], domains: Sequence[str], asked: Sequence[str]) -> str:
    losses = np.stack([mixture.mean for mixture in some])
    design = [mixture.mean for mixture in some if mixture.role == "fit"]
    if asked:
        values = losses[:, [domains.index(domain) for domain in asked]]
        names = [f"loss of {domain}" for domain in asked]
    elif design:
        least = np.min(design, axis=0)
        values = np.stack([proposals.target_value(target, losses, least) for target in ("mean", "worst")], 1)
        names = ["mean loss", "worst domain, loss / least of the design"]
    else:
        return ""
    best = [row for row in values if not ((values <= row).all(1) & (values < row).any(1)).any()]
    front = np.asarray(sorted(best, key=lambda row: tuple(row)))
    front = np.stack([np.repeat(front[:, 0], 2)[1:], np.repeat(front[:, 1], 2)[:-1]], 1)
    dots = [
        Dot(float(x), float(y), m.role, m.name, label=m.name if m.role in ("reference", "proposal") else "")
        for m, (x, y) in zip(some, values, strict=True)
    ]
    chart = charts.plot(
        dots,
        [Line(front[:, 0].tolist(), front[:, 1].tolist(), "held_out", "front")],
        x_label=names[0],
        y_label=names[1],
    )
    about = "No measured mixture is better in both than those on the line. Means over the seeds of a mixture."
    roles = list(dict.fromkeys(m.role for m in some))
    body = f'{charts.legend(roles)}<div class="card" style="max-width:470px">{chart}</div>'
    return html_page.section("Pareto front", body, about=about)


def _curves(out: Path) -> str:
    lines: dict[str, list[Line]] = {domain: [] for domain in domains_of(out)}
    for run in read_plan(out):
        records = [r for r in read_records(run_directory(out, run) / "train") if "task_loss" in r]
        records = [r for r in records if r["step"] >= SKIPPED * records[-1]["step"]]
        for domain, tasks in domains_of(out).items():
            losses_by_step = [
                (r["step"], [r["task_loss"][task] for task in tasks if task in r["task_loss"]]) for r in records
            ]
            points = [(step, sum(losses) / len(losses)) for step, losses in losses_by_step if losses]
            if len(points) > 1:
                role = run.role if run.role in ("reference", "proposal") else ""
                steps, values = zip(*points, strict=True)
                lines[domain].append(Line(steps, values, role, run.name))
    if not any(lines.values()):
        return ""
    cards = {domain: charts.plot([], of, x_label="step", y_label="training loss") for domain, of in lines.items()}
    about = (
        f"Training loss of each run by step, without the first {100 * SKIPPED:.0f} % of the steps. Thin lines are "
        "design and held-out mixtures. These are noisy means over the rows of some steps; the tables hold the measure."
    )
    return html_page.section("Learning curves", charts.legend(["reference", "proposal"]) + _cards(cards), about=about)
