"""Plans as one self-contained HTML page."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines import atomic_files, html_page
from gato_jax.planning.plan import Plan
from gato_jax.planning.text import COMPARED, NOTE, compared_row, facts, tables

ABOUT = (
    "Memory, FLOPs and collectives are facts of the compiled program. Times are read from its schedule: "
    "<b>estimates, not measured</b>. Against published runs on the same kind of slice such estimates were 15 to 40 % "
    "too slow, and for v3 rather too fast; they rank plans and catch regressions, and may not be quoted as results. "
    "The lower bound, all executed matrix FLOPs at the peak rate, holds always."
)


def write_page(plans: Mapping[str, Plan], out: Path) -> Path:
    """Writes the page of one or more plans, by name."""
    title = f"Plans of {', '.join(dict.fromkeys(one.experiment for one in plans.values()))}"
    parts = [f"<h1>{html_page.escape(title)}</h1>", f'<p class="lead">{ABOUT}</p>']
    if len(plans) > 1:
        rows = [compared_row(name, one) for name, one in plans.items()]
        parts.append(html_page.section("Side by side", html_page.text_table(COMPARED, rows)))
    parts += [_pictures(plans), _growth(plans)]
    for name, one in plans.items():
        body = html_page.keys(dict(facts(one)))
        for head, heads, rows in tables(one):
            body += f"<h3>{html_page.escape(head)}</h3>{html_page.text_table(heads, rows)}"
        parts.append(html_page.section(name, body))
    parts.append(f"<footer>{html_page.escape(NOTE)}</footer>")
    atomic_files.write_bytes(out, html_page.document(title, "".join(parts)).encode())
    return out


def _pictures(plans: Mapping[str, Plan]) -> str:
    """Time, memory and traffic of each plan that compiled, as bars."""
    known = {name: one for name, one in plans.items() if one.executed is not None}
    if not known:
        return ""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1.6 + 0.5 * len(known)), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    times, memory, traffic = figure.subplots(1, 3, sharey=True)
    names = list(known)
    for place, one in enumerate(known.values()):
        _bars(times, place, [("compute", one.compute), ("exposed collectives", one.exposed)], 1e-3)
        if one.lower_bound is not None:
            times.plot([1e3 * one.lower_bound] * 2, [place - 0.4, place + 0.4], color="#1d2126", linewidth=1.5)
        if held := one.memory.get("peak") or one.memory.get("arguments"):
            state = min(held, one.memory.get("state") or 0.0)
            _bars(memory, place, [("state", state), ("activations and the rest", held - state)], 2**30)
        if limit := one.memory.get("limit"):
            memory.plot([limit / 2**30] * 2, [place - 0.4, place + 0.4], color="#b83a3a", linewidth=1.5)
        kinds = sorted({row.kind for row in one.collectives})
        _bars(traffic, place, [(kind, one.collective_bytes(kind)) for kind in kinds], 1e9)
    times.set_yticks(range(len(names)), names, fontsize=8)
    times.invert_yaxis()
    times.set_title("step, ms: estimate; line: lower bound", fontsize=9, loc="left")
    memory.set_title("memory per device, GiB; line: limit", fontsize=9, loc="left")
    traffic.set_title("collectives of a step, GB", fontsize=9, loc="left")
    for axes in (times, memory, traffic):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.margins(x=0.18)
        handles, labels = axes.get_legend_handles_labels()
        first = dict(zip(labels, handles, strict=True))
        if first:
            axes.legend(first.values(), first.keys(), fontsize=7, loc="best", frameon=False)
    return _image(figure, "time, memory and traffic of the plans")


def _growth(plans: Mapping[str, Plan]) -> str:
    """How step, memory and price grow with the network, where plans of three sizes or more are shown."""
    sizes = sorted(
        (one for one in plans.values() if one.parameters and one.estimate and one.tokens_per_step),
        key=lambda one: one.parameters or 0,
    )
    if len({one.parameters for one in sizes}) < 3:
        return ""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    panels = (
        ("device-hours per 1e12 tokens: estimate", _price),
        ("peak memory per device, share of the limit", lambda one: one.memory["peak"] / one.memory["limit"]),
        ("executed / needed FLOPs", lambda one: one.executed_over_needed),
    )
    for axes, (title, value) in zip(figure.subplots(1, 3), panels, strict=True):
        for topology in dict.fromkeys(one.topology for one in sizes):
            here = [one for one in sizes if one.topology == topology]
            axes.plot([one.parameters for one in here], [value(one) for one in here], marker="o", label=topology)
            for one in here:
                axes.annotate(one.experiment, (one.parameters, value(one)), (0, 5), fontsize=6, ha="center",
                              textcoords="offset points")  # fmt: skip
        axes.set_xscale("log")
        axes.margins(x=0.15, y=0.12)
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_xlabel("parameters", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.2)
    figure.axes[0].set_yscale("log")
    figure.axes[0].legend(fontsize=7, frameon=False)
    return html_page.section(
        "Growth", _image(figure, "growth with the number of parameters"), about="Estimates, not measured."
    )


def _price(one: Plan) -> float:
    return one.devices * (one.estimate or 0.0) / one.tokens_per_step * 1e12 / 3600


def _image(figure: Any, alt: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white", metadata={"Software": None})
    return f"<figure>{html_page.image(buffer.getvalue(), 'image/png', alt=alt)}</figure>"


COLOURS = {
    "compute": "#3557a6", "exposed collectives": "#b7791f", "state": "#3557a6", "activations and the rest": "#8fabf0",
    "all-gather": "#2a7f62", "reduce-scatter": "#b7791f", "all-reduce": "#b83a3a", "all-to-all": "#5d6670",
    "collective-permute": "#9aa3ad",
}  # fmt: skip


def _bars(axes: Any, place: int, parts: Sequence[tuple[str, float | None]], unit: float) -> None:
    """One stacked bar, and its length in figures: beside that of a large network, a small one's cannot be seen."""
    left = 0.0
    for label, value in parts:
        if value:
            axes.barh(place, value / unit, left=left, label=label, color=COLOURS.get(label, "#5d6670"), height=0.6)
            left += value / unit
    if all(value is None for _, value in parts):
        return
    figures = f"{left:,.0f}" if left >= 10 else f"{left:.2g}"
    axes.annotate(figures, (left, place), (3, 0), fontsize=7, va="center", textcoords="offset points")
