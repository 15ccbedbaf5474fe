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
    verdicts = [(one.outcome.name.lower().replace("_", " "), f"{name}: {one.message}") for name, one in plans.items()]
    parts = [f"<h1>{html_page.escape(title)}</h1>", html_page.tiles(verdicts), f'<p class="lead">{ABOUT}</p>']
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
    executed = {name: one for name, one in plans.items() if one.executed is not None}
    if not executed:
        return ""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = list(executed.values())
    panels = [("memory per device, GiB; line: limit", _draw_memory)]
    if any(one.compute or one.lower_bound for one in shown):
        panels.insert(0, ("step, ms: estimate; line: lower bound", _draw_times))
    if any(one.collectives for one in shown):
        panels.append(("collectives of a step, GB", _draw_traffic))
    figure = Figure(figsize=(10, 1.9 + 0.5 * len(executed)), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, draw) in zip(row, panels, strict=True):
        for place, one in enumerate(shown):
            draw(axes, place, one)
        axes.set_title(title, fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.margins(x=0.18)
        handles, labels = axes.get_legend_handles_labels()
        first = dict(zip(labels, handles, strict=True))
        if first:  # Below the bars: inside, it would lie on one of them.
            below = (0, -0.3 / (0.6 + 0.5 * len(executed)))
            axes.legend(
                first.values(), first.keys(), fontsize=7, frameon=False, ncols=2, loc="upper left", bbox_to_anchor=below
            )
    row[0].set_yticks(range(len(executed)), list(executed), fontsize=8)
    row[0].invert_yaxis()
    return _image(figure, "time, memory and traffic of the plans")


def _draw_times(axes: Any, place: int, one: Plan) -> None:
    _bars(axes, place, [("compute", one.compute), ("exposed collectives", one.exposed)], 1e-3)
    if one.lower_bound is not None:
        axes.plot([1e3 * one.lower_bound] * 2, [place - 0.4, place + 0.4], color="#1d2126", linewidth=1.5)


def _draw_memory(axes: Any, place: int, one: Plan) -> None:
    if peak := one.memory.get("peak") or one.memory.get("arguments"):
        state = min(peak, one.memory.get("state") or 0.0)
        _bars(axes, place, [("state", state), ("activations and the rest", peak - state)], 2**30)
    if limit := one.memory.get("limit"):
        axes.plot([limit / 2**30] * 2, [place - 0.4, place + 0.4], color="#b83a3a", linewidth=1.5)


def _draw_traffic(axes: Any, place: int, one: Plan) -> None:
    kinds = sorted({row.kind for row in one.collectives})
    _bars(axes, place, [(kind, one.collective_bytes(kind)) for kind in kinds], 1e9)


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
