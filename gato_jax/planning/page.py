"""Plans as one self-contained HTML page."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gato_jax import files
from gato_jax.evaluation import page
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
    title = f"Plan of {next(iter(plans.values())).experiment}"
    parts = [f"<h1>{page.escape(title)}</h1>", f'<p class="lead">{ABOUT}</p>']
    if len(plans) > 1:
        rows = [compared_row(name, one) for name, one in plans.items()]
        parts.append(page.section("Side by side", _table(COMPARED, rows)))
    parts += [_pictures(plans)]
    for name, one in plans.items():
        body = page.keys(dict(facts(one)))
        body += "".join(f"<h3>{page.escape(head)}</h3>{_table(heads, rows)}" for head, heads, rows in tables(one))
        parts.append(page.section(name, body))
    parts.append(f"<footer>{page.escape(NOTE)}</footer>")
    files.write_bytes(out, page.document(title, "".join(parts)).encode())
    return out


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cell = lambda head, text: f'<td class="n">{text}</td>' if head.startswith(">") else f"<td>{text}</td>"  # noqa: E731
    return page.table(
        heads,
        ["<tr>" + "".join(cell(h, page.escape(c)) for h, c in zip(heads, row, strict=True)) + "</tr>" for row in rows],
    )


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
        held = one.memory.get("peak") or one.memory.get("arguments") or 0.0
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
        handles, labels = axes.get_legend_handles_labels()
        first = dict(zip(labels, handles, strict=True))
        if first:
            axes.legend(first.values(), first.keys(), fontsize=7, loc="best", frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white", metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<figure><img alt="time, memory and traffic of the plans" src="data:image/png;base64,{data}"></figure>'


COLOURS = {
    "compute": "#3557a6", "exposed collectives": "#b7791f", "state": "#3557a6", "activations and the rest": "#8fabf0",
    "all-gather": "#2a7f62", "reduce-scatter": "#b7791f", "all-reduce": "#b83a3a", "all-to-all": "#5d6670",
    "collective-permute": "#9aa3ad",
}  # fmt: skip


def _bars(axes: Any, place: int, parts: Sequence[tuple[str, float | None]], unit: float) -> None:
    """One stacked bar."""
    left = 0.0
    for label, value in parts:
        if value:
            axes.barh(place, value / unit, left=left, label=label, color=COLOURS.get(label, "#5d6670"), height=0.6)
            left += value / unit
