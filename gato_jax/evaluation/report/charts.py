"""Charts of a report as SVG that takes its colours from the page's style. No script: values show on hovering."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from data_pipelines.html_page import escape, ticks

COLOURS = 8
STYLE = """
svg .line { fill:none; stroke-width:1.8 } svg .area { opacity:.75; stroke:var(--card); stroke-width:.6 }
svg .hit { fill:transparent } svg .tip,svg .guide { opacity:0 } svg .guide { stroke:var(--soft); stroke-dasharray:2 3 }
svg .at:hover .tip,svg .at:hover .guide { opacity:1 } svg .tip { fill:var(--ink); font-weight:600 }
svg .half { stroke:var(--soft); stroke-dasharray:3 3 } svg .episode { fill:var(--accent); opacity:.55 }
svg .episode.lost { fill:var(--bad) } svg .episode:hover { opacity:1 } .legend { display:flex; flex-wrap:wrap;
  gap:2px 16px; margin:.5em 0 0; font-size:.85rem; color:var(--soft) }
.legend i { display:inline-block; width:.8em; height:.8em; border-radius:3px; margin-right:.4em }
.strip { display:grid; grid-template-columns:minmax(120px,230px) 1fr; gap:0 14px; align-items:center;
  font-size:.88rem; border-bottom:1px solid var(--line); padding:4px 0 } .strip svg { overflow:visible }
@media (max-width:640px) { .strip { grid-template-columns:1fr } .tiles { grid-template-columns:1fr 1fr; gap:10px }
  .tile { padding:12px 14px } .tile b { font-size:1.5rem } main { padding:32px 16px 64px }
  .grid.two { grid-template-columns:1fr } .grid.films { grid-template-columns:1fr 1fr; gap:10px }
  .films .card { padding:10px } .films figcaption { font-size:.8rem } svg .episode { r:8px } }
"""
"""Rules for them, behind those of `html_page`."""

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 380, 230, 44, 12, 22, 36


@dataclasses.dataclass(frozen=True)
class Series:
    """A line: `ys` at the chart's `xs`, None where it has no value."""

    name: str
    ys: Sequence[float | None]


def colour(index: int) -> str:
    """Of a series, as CSS."""
    return f"var(--line{index % COLOURS})"


def legend(names: Sequence[str]) -> str:
    """What the colours mean."""
    items = "".join(
        f'<span><i style="background:{colour(i)}"></i>{escape(name)}</span>' for i, name in enumerate(names)
    )
    return f'<div class="legend">{items}</div>'


def lines(
    xs: Sequence[float], series: Sequence[Series], *, x_label: str, label: str, unit: str = "", digits: int = 3
) -> str:
    """Lines over common `xs`; hovering shows the values there.

    Args:
      xs: ascending.
      series: one or more, of as many values.
      x_label: what `xs` are.
      label: what the chart shows, for those who cannot see it.
      unit: behind the values on the axis.
      digits: significant ones of the values shown on hovering.
    """
    values = [y for one in series for y in one.ys if y is not None and math.isfinite(y)]
    if len(xs) < 2 or len(values) < 2:
        return '<p class="note">too few records for a curve</p>'
    frame = _Frame(xs, values)
    parts = [frame.open(label), *frame.axes(x_label, unit)]
    for index, one in enumerate(series):
        points = " ".join(
            f"{frame.x(x):.1f},{frame.y(y):.1f}"
            for x, y in zip(xs, one.ys, strict=True)
            if y is not None and math.isfinite(y)
        )
        parts.append(f'<polyline class="line" style="stroke:{colour(index)}" points="{points}"/>')
    for at, x in enumerate(xs):
        shown = [f"{one.ys[at]:.{digits}g}" for one in series if one.ys[at] is not None]
        parts.append(frame.hover(at, f"{x_label} {x:,.0f}: {', '.join(shown)}"))
    return "".join([*parts, "</svg>"])


def stacked(
    xs: Sequence[float], layers: Mapping[str, Sequence[int]], *, x_label: str, label: str, tips: Sequence[str]
) -> str:
    """Counts on top of each other, one layer a name.

    Args:
      xs: ascending.
      layers: name -> as many counts.
      x_label: what `xs` are.
      label: what the chart shows.
      tips: shown on hovering at each x.
    """
    totals = [sum(of[i] for of in layers.values()) for i in range(len(xs))]
    frame = _Frame(xs, [0, *totals])
    parts = [frame.open(label), *frame.axes(x_label, "")]
    below = [0] * len(xs)
    for index, counts in enumerate(layers.values()):
        above = [b + c for b, c in zip(below, counts, strict=True)]
        upper = [f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in zip(xs, above, strict=True)]
        lower = [f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in zip(xs, below, strict=True)]
        points = " ".join([*upper, *reversed(lower)])
        parts.append(f'<polygon class="area" style="fill:{colour(index)}" points="{points}"/>')
        below = above
    parts += [frame.hover(at, tip) for at, tip in enumerate(tips)]
    return "".join([*parts, "</svg>"])


@dataclasses.dataclass(frozen=True)
class Mark:
    """One episode on a strip: its place in percent, what hovering says, and whether it was a failure."""

    percent: float
    tip: str
    lost: bool


def strip(marks: Sequence[Mark], *, low: float = -20.0, high: float = 140.0, label: str) -> str:
    """A row of dots from `low` to `high` percent; what lies beyond stands at the edge. Lines at 0, 50 and 100 %."""
    width, height = 520, 18
    to_x = lambda value: 6 + (min(max(value, low), high) - low) / (high - low) * (width - 12)  # noqa: E731
    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">']
    for value, name in ((0, "axis"), (50, "half"), (100, "axis")):
        parts.append(f'<line class="{name}" x1="{to_x(value):.1f}" x2="{to_x(value):.1f}" y1="0" y2="{height}"/>')
    for mark in marks:
        lost = " lost" if mark.lost else ""
        parts.append(
            f'<circle class="episode{lost}" cx="{to_x(mark.percent):.1f}" cy="{height / 2}" r="5">'
            f"<title>{escape(mark.tip)}</title></circle>"
        )
    return "".join([*parts, "</svg>"])


class _Frame:
    """Where values stand in a chart, and its axes."""

    def __init__(self, xs: Sequence[float], values: Sequence[float]):
        self._xs = xs
        self._marks = ticks(min(values), max(values))
        self._low, self._high = min(self._marks[0], *values), max(self._marks[-1], *values)

    def x(self, value: float) -> float:
        span = self._xs[-1] - self._xs[0] or 1
        return LEFT + (value - self._xs[0]) / span * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return TOP + (self._high - value) / (self._high - self._low or 1) * (HEIGHT - TOP - BOTTOM)

    def open(self, label: str) -> str:
        return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'

    def axes(self, x_label: str, unit: str) -> list[str]:
        parts = []
        for tick in self._marks:
            y = self.y(tick)
            parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}{escape(unit)}</text>')
        first, last = self._xs[0], self._xs[-1]
        for value, anchor in ((first, "start"), ((first + last) / 2, "middle"), (last, "end")):
            y = HEIGHT - BOTTOM + 15
            parts.append(f'<text x="{self.x(value):.1f}" y="{y}" text-anchor="{anchor}">{value:,.0f}</text>')
        middle = (LEFT + WIDTH - RIGHT) / 2
        return [*parts, f'<text x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">{escape(x_label)}</text>']

    def hover(self, at: int, text: str) -> str:
        """A column around `xs[at]` that shows its text while the pointer is there."""
        here = self.x(self._xs[at])
        left = (here + self.x(self._xs[at - 1])) / 2 if at else here
        right = (here + self.x(self._xs[at + 1])) / 2 if at + 1 < len(self._xs) else here
        return (
            f'<g class="at"><rect class="hit" x="{left:.1f}" y="{TOP}" width="{max(right - left, 1):.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"/><line class="guide" x1="{here:.1f}" x2="{here:.1f}" y1="{TOP}" '
            f'y2="{HEIGHT - BOTTOM}"/><text class="tip" x="{WIDTH - RIGHT}" y="13" text-anchor="end">{escape(text)}'
            "</text></g>"
        )
