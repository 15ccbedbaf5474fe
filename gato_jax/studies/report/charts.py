"""Charts of a sweep as SVG that takes its colours from the page's style, light or dark. No script."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from data_pipelines.html_page import escape, ticks

STYLE = """
svg .point { stroke:var(--card); stroke-width:1 } svg .whisker { stroke-width:1.2 } svg .guide { stroke:var(--soft);
  stroke-dasharray:3 3; opacity:.7 } svg .thin { fill:none; stroke:var(--soft); stroke-width:.8; opacity:.35 }
svg .bold { fill:none; stroke-width:1.8 } svg .edge { fill:none; stroke:var(--soft) } svg text.name { fill:var(--ink) }
svg .fit { fill:var(--soft); stroke:var(--soft) } svg .held_out { fill:var(--accent); stroke:var(--accent) }
svg .reference { fill:var(--fair); stroke:var(--fair) } svg .proposal { fill:var(--good); stroke:var(--good) }
svg .bold.reference, svg .bold.proposal, svg .bold.held_out { fill:none } svg .point.fit, svg .point.held_out,
svg .point.reference, svg .point.proposal { stroke:var(--card) }
td.heat { text-align:right; white-space:nowrap; border-bottom:1px solid var(--card) }
table.tight th, table.tight td { padding:4px 7px; font-size:.84rem }
table.tight th:first-child, table.tight .task { padding-left:0 }
.grid.plots { grid-template-columns:repeat(auto-fill,minmax(290px,1fr)) } .plots .card { padding:12px 14px }
.plots svg text { font-size:12.5px }
.swatch { display:inline-block; width:.75em; height:.75em; border-radius:50%; margin:0 .4em 0 0 }
.swatch ~ .swatch { margin-left:1em }
.swatch.fit { background:var(--soft) } .swatch.held_out { background:var(--accent) }
.swatch.reference { background:var(--fair) } .swatch.proposal { background:var(--good) }
"""

ROLES = {"fit": "design", "held_out": "held out", "reference": "reference", "proposal": "proposal"}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 340, 270, 46, 12, 12, 38


@dataclasses.dataclass(frozen=True)
class Dot:
    """A point of a scatter chart; `low` and `high` are the ends of its error bar in y, `name` shows on hovering."""

    x: float
    y: float
    role: str
    name: str
    low: float | None = None
    high: float | None = None
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Line:
    """A line by points; `role` colours it, an empty one is thin and grey."""

    xs: Sequence[float]
    ys: Sequence[float]
    role: str = ""
    name: str = ""


def legend(roles: Sequence[str]) -> str:
    """What the colours mean."""
    return '<p class="note">' + "".join(f'<i class="swatch {role}"></i>{ROLES[role]}' for role in roles) + "</p>"


def plot(dots: Sequence[Dot], lines: Sequence[Line] = (), *, x_label: str, y_label: str, diagonal: bool = False) -> str:
    """Dots with error bars over lines; with `diagonal` both axes have one range and the line of equality is drawn."""
    xs = [dot.x for dot in dots] + [x for line in lines for x in line.xs]
    ys = [value for dot in dots for value in (dot.y, dot.low, dot.high) if value is not None]
    ys += [y for line in lines for y in line.ys]
    if not xs:
        return '<p class="note">nothing to show yet</p>'
    if diagonal:
        xs = ys = [*xs, *ys]
    x_ticks, y_ticks = ticks(min(xs), max(xs)), ticks(min(ys), max(ys))
    to_x = _scale(x_ticks[0], x_ticks[-1], LEFT, WIDTH - RIGHT)
    to_y = _scale(y_ticks[0], y_ticks[-1], HEIGHT - BOTTOM, TOP)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(f"{y_label} by {x_label}")}">']
    for tick in y_ticks:
        y = to_y(tick)
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in x_ticks:
        parts.append(f'<text x="{to_x(tick):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{tick:g}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>'
    )
    parts.append(f'<text x="{LEFT}" y="{TOP - 2}" text-anchor="start">{escape(y_label)}</text>')
    if diagonal:
        ends = max(x_ticks[0], y_ticks[0]), min(x_ticks[-1], y_ticks[-1])
        (x1, y1), (x2, y2) = ((to_x(end), to_y(end)) for end in ends)
        parts.append(f'<line class="guide" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')
    for line in sorted(lines, key=lambda line: bool(line.role)):
        path = " ".join(f"{to_x(x):.1f},{to_y(y):.1f}" for x, y in zip(line.xs, line.ys, strict=True))
        name = f"<title>{escape(line.name)}</title>"
        parts.append(
            f'<polyline class="{f"bold {line.role}" if line.role else "thin"}" points="{path}">{name}</polyline>'
        )
    order, labels = list(ROLES), []
    for dot in sorted(dots, key=lambda dot: order.index(dot.role)):
        x, y = to_x(dot.x), to_y(dot.y)
        if dot.low is not None and dot.high is not None:
            span = f'y1="{to_y(dot.low):.1f}" y2="{to_y(dot.high):.1f}"'
            parts.append(f'<line class="whisker {dot.role}" x1="{x:.1f}" x2="{x:.1f}" {span}/>')
        title = f"<title>{escape(f'{dot.name}: {dot.x:.4g}, {dot.y:.4g}')}</title>"
        size = 3.2 if dot.role == "fit" else 4.5
        parts.append(f'<circle class="point {dot.role}" cx="{x:.1f}" cy="{y:.1f}" r="{size}">{title}</circle>')
        if dot.label:
            labels.append((x, y + 4, dot.label))
    return "".join([*parts, *_labels(labels), "</svg>"])


def _labels(labels: Sequence[tuple[float, float, str]]) -> list[str]:
    """Texts beside their places, moved upwards where they would lie on one another."""
    parts: list[str] = []
    taken: list[tuple[float, float, float]] = []
    for x, y, label in sorted(labels, key=lambda each: -each[1]):
        width, right = 6.2 * len(label), x > WIDTH * 0.65
        x += -7 if right else 7
        begin = x - width if right else x
        while any(abs(y - other) < 12 and begin < end and start < begin + width for start, end, other in taken):
            y -= 1
        taken.append((begin, begin + width, y))
        anchor = "end" if right else "start"
        parts.append(f'<text class="name" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(label)}</text>')
    return parts


def ternary(
    corners: Sequence[str],
    dots: Sequence[tuple[Sequence[float], float, str]],
    surface: Callable[[np.ndarray], np.ndarray] | None,
    *,
    label: str,
    cells: int = 20,
) -> str:
    """Mixtures of three as points of a triangle, coloured by a value, over the surface of a law.

    Args:
      dots: (the three shares, normalised to one; value; name).
      surface: the law's value at rows of three normalised shares, NaN where it is not drawn; None: the dots alone.
    """
    grid = [
        [np.asarray([a + da, b + db, cells - a - b - da - db]) / cells for da, db in corner]
        for a in range(cells)
        for b in range(cells - a)
        for corner in (((0, 0), (1, 0), (0, 1)), ((1, 0), (0, 1), (1, 1)))
        if a + b + max(da + db for da, db in corner) <= cells
    ]
    middles = np.asarray([np.mean(triangle, axis=0) for triangle in grid])
    values = np.empty(0) if surface is None else surface(middles)
    # The scale is that of the runs: a law's corners, where nothing was tried, would wash it out.
    shown_values = np.asarray([value for _, value, _ in dots]) if dots else values
    if not len(shown_values):
        return '<p class="note">nothing to show yet</p>'
    low, high = float(shown_values.min()), float(shown_values.max())
    fill = lambda value: f"fill:{shade((value - low) / (high - low or 1))}"  # noqa: E731
    left, side, top = 40, 260, 24
    place = lambda shares: (left + side * (shares[1] + shares[2] / 2), top + side * 0.866 * (1 - shares[2]))  # noqa: E731
    path = lambda triangle: " ".join("{:.1f},{:.1f}".format(*place(shares)) for shares in triangle)  # noqa: E731
    parts = [f'<svg viewBox="0 0 {WIDTH} 302" role="img" aria-label="{escape(label)}">']
    for triangle, value in zip(grid, values, strict=False):
        if math.isnan(value):
            continue
        colour = fill(value)
        parts.append(f'<polygon points="{path(triangle)}" style="{colour};stroke:{colour[5:]};stroke-width:.6"/>')
    parts.append(f'<polygon class="edge" points="{path(np.eye(3))}"/>')
    for shares, value, name in dots:
        x, y = place(shares)
        title = f"<title>{escape(f'{name}: {value:.4g}')}</title>"
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.2" style="{fill(value)};stroke:var(--ink)">{title}</circle>'
        )
    for shares, name, anchor, shift in zip(np.eye(3), corners, ("start", "end", "middle"), (16, 16, -7), strict=True):
        x, y = place(shares)
        x += {"start": -left + 4, "end": left - 4, "middle": 0}[anchor]
        parts.append(f'<text class="name" x="{x:.1f}" y="{y + shift:.1f}" text-anchor="{anchor}">{escape(name)}</text>')
    for at in range(24):
        parts.append(f'<rect x="{left + at * 5}" y="282" width="5.4" height="8" style="fill:{shade(at / 23)}"/>')
    parts.append(f'<text x="{left - 4}" y="290" text-anchor="end">{low:.3g}</text>')
    parts.append(f'<text x="{left + 126}" y="290">{high:.3g} and more</text>')
    return "".join([*parts, "</svg>"])


def heat(value: float | None, text: str, *, diverging: bool = False, title: str = "") -> str:
    """A table cell coloured by a value from 0 to 1, or, where diverging, from -1 (good) over 0 to 1 (bad)."""
    if value is None or not math.isfinite(value):
        return '<td class="heat soft">-</td>'
    colour = shade(value)
    if diverging:
        name = "var(--bad)" if value > 0 else "var(--good)"
        colour = f"color-mix(in srgb,{name} {min(abs(value), 1) * 55:.0f}%,var(--card))"
    return cell(text, colour, title=title)


def cell(text: str, colour: str, *, title: str = "") -> str:
    """A table cell with a background; `text` is HTML."""
    hover = f' title="{escape(title)}"' if title else ""
    return f'<td class="heat" style="background:{colour}"{hover}>{text}</td>'


def shade(value: float) -> str:
    """A colour from green (0, the least) over the card's own to red (1)."""
    value = min(max(value, 0.0), 1.0)
    name, part = ("var(--good)", 1 - 2 * value) if value < 0.5 else ("var(--bad)", 2 * value - 1)
    return f"color-mix(in srgb,{name} {part * 75:.0f}%,var(--card))"


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low or 1) * (end - start)
