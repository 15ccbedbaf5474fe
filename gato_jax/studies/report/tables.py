"""The tables of `sweep.html`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines import html_page
from data_pipelines.html_page import escape
from gato_jax.studies import sweep
from gato_jax.studies.laws.comparison import scored_domains, with_error
from gato_jax.studies.plan import domains_of, read_plan, run_directory
from gato_jax.studies.report import charts
from gato_jax.studies.status import read_result
from gato_jax.studies.table import Mixture

EXTRAPOLATED = (
    "A prediction for a mixture outside the design's range of shares is marked as extrapolated: the laws refitted for "
    "its interval were never tested there, and it may even lie outside of its interval."
)


def _tight(head: Sequence[str], rows: Sequence[str]) -> str:
    return html_page.table(head, rows).replace("<table>", '<table class="tight">')


def _row(name: str, cells: Sequence[str]) -> str:
    return f'<tr><td class="task">{name}</td>{"".join(cells)}</tr>'


def _number(text: str) -> str:
    return f'<td class="n">{text}</td>'


def comparison(compared: Mapping[str, Any]) -> str:
    """References and proposals, and their differences."""
    if not compared["mixtures"]:
        return ""
    columns = list(next(iter(compared["mixtures"].values()))["values"])
    rows = []
    for name, mixture in compared["mixtures"].items():
        cells = [_number(_with_error(mixture["values"][column], 1, 3)) for column in columns]
        rows.append(_row(escape(name), [_number(str(len(mixture["seeds"]))), *cells]))
    body = _tight(["mixture", ">seeds", *(f">{column}" for column in columns)], rows)
    if compared["differences"]:
        rows = []
        for of in compared["differences"]:
            cells = []
            for column in columns:
                value = of["values"][column]
                cells.append(charts.heat(value["mean"] * 20, _with_error(value, 100, 2, sign=True), diverging=True))
            said = "nothing predicted"
            if (expected := of["expected"]) is not None:
                mean, low, high = (f"{100 * expected[end]:+.2f}" for end in ("mean", "low", "high"))
                beyond = _beyond(of["extrapolated"])
                said = f"predicted {escape(of['target'])}: {mean} ({low} to {high}){beyond}"
            name = f'{escape(of["proposal"])} against {escape(of["reference"])}<br><span class="note">{said}</span>'
            rows.append(_row(name, [_number(str(len(of["seeds"]))), *cells]))
        head = ["difference, %", ">seeds", *(f">{column}" for column in columns)]
        body += "<h3 style='margin-top:1.6em'>Differences</h3>" + _tight(head, rows)
    body += _scores(compared)
    about = (
        "Means ± standard error over seeds at equal steps and rows. <i>worst</i> is the largest ratio of a domain's "
        "loss to the least that the design reached in it. Differences are paired by seed; negative is better. "
        f"Below each, what was predicted of the target and its interval of 90 %. {EXTRAPOLATED}"
    )
    return html_page.section("Proposals against references", body, about=about)


def _scores(compared: Mapping[str, Any]) -> str:
    domains = scored_domains(compared)
    if not domains:
        return ""
    head, rows = [">seeds", *(f">{domain}" for domain in domains)], []
    for name, mixture in compared["mixtures"].items():
        cells = [_number(_with_error(mixture["scores"].get(domain), 1, 1)) for domain in domains]
        rows.append(_row(escape(name), [_number(str(len(mixture["seeds"]))), *cells]))
    for of in compared["differences"]:
        cells = []
        for domain in domains:
            value = of["scores"].get(domain)
            tone = 0.0 if value is None else -value["mean"] / 25
            cells.append(charts.heat(tone, _with_error(value, 1, 1, sign=True), diverging=True))
        name = f"{escape(of['proposal'])} against {escape(of['reference'])}"
        rows.append(_row(name, [_number(str(len(of["seeds"]))), *cells]))
    about = '<p class="note">Percent of the expert (0 = random) or of right answers; differences in points.</p>'
    return "<h3 style='margin-top:1.6em'>Scores</h3>" + _tight(["mixture", *head], rows) + about


def _with_error(value: Mapping[str, float | None] | None, scale: float, digits: int, *, sign: bool = False) -> str:
    mean, between, error = with_error(value, digits, scale=scale, sign="+" * sign).partition(" ± ")
    return f'{mean}<br><span class="soft">± {error}</span>' if between else mean


def _beyond(domains: Sequence[str]) -> str:
    """What is said beside a prediction for a mixture that lies outside the design in these domains."""
    return f" <b>extrapolated</b> in {escape(', '.join(domains))}" if domains else ""


def proposals(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """Shares and predicted gains of all proposals."""
    if not entries:
        return ""
    domains = list(next(iter(entries.values()))["shares"])
    rows = []
    for name, proposal in entries.items():
        cells = [_number(f"{100 * proposal['shares'][domain]:.1f} %") for domain in domains]
        gains = "<br>".join(
            f"{escape(reference)}: {100 * gain['gain']:.2f} % ({100 * gain['low']:.2f} to {100 * gain['high']:.2f})"
            + _beyond(gain.get("extrapolated", ()))
            for reference, gain in proposal["gains"].items()
        )
        link = f'<a href="{escape(name)}.yaml">{escape(name)}</a>'
        rows.append(_row(link, [*cells, _number(f"{proposal['predicted']:.4g}"), _number(gains)]))
    head = ["proposal", *(f">{domain}" for domain in domains), ">predicted", ">predicted gain over (90 %)"]
    about = (
        "Mixtures with the least predicted value of a target, inside the range of shares that the design tried. "
        f"{EXTRAPOLATED}"
    )
    return html_page.section("Proposals", _tight(head, rows), about=about)


def losses(some: Sequence[Mixture], domains: Sequence[str]) -> str:
    """Heat map: mixtures by mean loss, with their shares and losses."""
    values = np.stack([mixture.mean for mixture in some])
    values = np.c_[values, values.mean(1)]
    low, high = values.min(0), np.quantile(values, 0.95, axis=0)
    place = (values - low) / np.where(high > low, high - low, 1)
    rows = []
    for at in np.argsort(values[:, -1]):
        mixture = some[at]
        shares = [
            charts.cell(f"{100 * share:.0f} %", f"color-mix(in srgb,var(--accent) {70 * share:.0f}%,var(--card))")
            for share in mixture.shares
        ]
        cells = [charts.heat(float(place[at, i]), f"{values[at, i]:.3f}") for i in range(len(domains) + 1)]
        name = f'<i class="swatch {mixture.role}" title="{charts.ROLES[mixture.role]}"></i>{escape(mixture.name)}'
        rows.append(_row(name, [*shares, *cells]))
    head = ["mixture", *(f">{domain} %" for domain in domains), *(f">{domain}" for domain in domains), ">mean"]
    about = (
        "All mixtures with a finished run (means over seeds), the least mean loss first. Left: shares of the rows. "
        "Right: losses, each column from its least (green) to its 95 % quantile (red)."
    )
    body = charts.legend(list(dict.fromkeys(mixture.role for mixture in some))) + _tight(head, rows)
    return html_page.section("Losses", body, about=about)


def laws(fitted: Mapping[str, Any]) -> str:
    """Errors of the laws."""
    families = list(next(iter(fitted["domains"].values()))["cross_validated"])
    rows = []
    for domain, of in fitted["domains"].items():
        crossed = [
            f'<td class="n">{"<b>" if family == of["law"] else ""}{100 * of["cross_validated"][family]["median"]:.2f}'
            f"{'</b>' if family == of['law'] else ''}</td>"
            for family in families
        ]
        noise = ["-" if of[name] is None else f"{100 * of[name]:.2f}" for name in ("floor", "noise")]
        rows.append(_row(escape(domain), [*crossed, *_errors(of["held_out"]), *map(_number, noise)]))
    rows.append(_row("all domains", [*[_number("")] * len(families), *_errors(fitted["all"]), *[_number("")] * 2]))
    head = ["error, %", *(f">{family.replace('_', ' ')}" for family in families)]
    head += [">held out (90 %)", ">worst", ">faultless law", ">between seeds"]
    return _tight(head, rows)


def _errors(of: Mapping[str, float] | None) -> list[str]:
    if of is None:
        return [_number("-"), _number("-")]
    interval = f'<span class="soft">({100 * of["low"]:.2f} to {100 * of["high"]:.2f})</span>'
    return [_number(f"{100 * of['median']:.2f} {interval}"), _number(f"{100 * of['worst']:.2f}")]


def transfer(matrix: Mapping[str, Any], domains: Sequence[str]) -> str:
    """The matrix of effects."""
    effects = matrix["effects"]
    most = max((abs(of["effect"]) for row in effects.values() for name, of in row.items()), default=1) or 1
    rows = []
    for added in domains:
        cells = []
        for domain in domains:
            of = effects[added][domain]
            sure = of["low"] is not None and of["low"] * of["high"] > 0
            text = f"{100 * of['effect']:+.2f}"
            interval = "one seed" if of["low"] is None else f"{100 * of['low']:+.2f} to {100 * of['high']:+.2f}"
            # A square root, so that effects on others show beside the large ones of a domain on itself.
            tone = float(np.sign(of["effect"]) * np.sqrt(abs(of["effect"]) / most))
            cells.append(charts.heat(tone, f"<b>{text}</b>" if sure else text, diverging=True, title=interval))
        rows.append(_row(escape(added), cells))
    if matrix["source"] == "laws":
        more = f"{100 * matrix['step']:.0f} points more of a domain"
        how = f"From the laws: the uniform mixture with {more}, against the uniform mixture."
    else:
        how = f"Measured: the mixture {escape(matrix['base'])} against the runs that leave one of its domains out."
    about = (
        f"{how} Change of the column's loss in % when the row's domain is added and the others shrink in "
        "proportion, at equal rows: it holds what the others lose by having fewer rows. Green helps. Bold: the 90 % "
        "interval (shown on hovering) leaves out zero."
    )
    return html_page.section("Transfer", _tight(["more of", *(f">{domain}" for domain in domains)], rows), about=about)


def scaling(extrapolation: Mapping[str, Any]) -> str:
    """Losses by size, and beyond."""
    sizes = [*extrapolation["sizes"], *extrapolation["targets"]]
    rows = []
    for name, mixture in extrapolation["mixtures"].items():
        cells = [_number(f"{value:.3f}") for value in mixture["mean"]["measured"]]
        for of in mixture["mean"]["extrapolated"]:
            cells.append(
                _number(f'<i>{of["loss"]:.3f}</i> <span class="soft">({of["low"]:.3f} to {of["high"]:.3f})</span>')
            )
        rows.append(_row(escape(name), [_number(escape(mixture["source"])), *cells]))
    head = ["mean loss", ">from", *(f">{size / 1e6:.3g} M" for size in sizes)]
    order = extrapolation["rank_correlation"]
    agreement = (
        ""
        if order is None
        else f" Rank correlation of the mixtures' mean losses, smallest to largest size: {order:.2f}."
    )
    return html_page.section("Other sizes", _tight(head, rows), about=escape(extrapolation["statement"] + agreement))


def runs(out: Path, status: sweep.Status) -> str:
    """Every run of the plan, failed ones first."""
    domains, rows, failed = sorted(domains_of(out)), [], []
    for run in read_plan(out):
        directory = run_directory(out, run)
        link = f'<a href="{escape(directory.relative_to(out))}/">{escape(run.name)}</a>'
        if run.name in status.failed:
            failed.append(_row(link, [f'<td class="tbad">{escape(status.failed[run.name])}</td>']))
        path = directory / "result.json"
        if not path.is_file():
            state = "failed" if run.name in status.failed else "running" if run.name in status.running else "waiting"
            rows.append(_row(link, [f'<td class="soft" colspan="{len(domains) + 2}">{state}</td>']))
            continue
        result = read_result(directory)
        cells = []
        for domain in domains:
            tasks = domains_of(out)[domain]
            share = sum(result["rows"][task]["share"] for task in tasks)
            wrong = [task for task in tasks if not result["rows"][task]["within"]]
            mark = f' class="tbad" title="{escape(", ".join(wrong))}"' if wrong else ""
            drawn = f"<span{mark}>{100 * share:.1f}</span>"
            asked = sum(result["rows"][task]["planned"] for task in tasks)
            planned = f'<span class="soft">/ {100 * asked:.1f}</span>'
            cells.append(_number(f"{drawn} {planned} {result['domain_losses'][domain]:.3f}"))
        mean = np.mean([result["domain_losses"][domain] for domain in domains])
        name = f'<i class="swatch {run.role}" title="{charts.ROLES[run.role]}"></i>{link}'
        rows.append(_row(name, [*cells, _number(f"{mean:.3f}"), _number(f"{result['seconds']:.0f}")]))
    head = ["run", *(f">{domain}" for domain in domains), ">mean", ">seconds"]
    about = (
        "Of each domain: the share of the rows that the run really drew / as planned, in %, and the loss. Red: a "
        "task's rows are no sample of the plan (exact binomial test, p below 1e-6). Links lead to the run's directory."
    )
    legend = charts.legend(list(dict.fromkeys(run.role for run in read_plan(out))))
    broken = html_page.section("Failed runs", _tight(["run", "reason"], failed)) if failed else ""
    return broken + html_page.section("Runs", legend + _tight(head, rows), about=about)
