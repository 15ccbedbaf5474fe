"""Pieces of a self-contained HTML page: style, tables, bars, line charts, histograms. Nothing from elsewhere.

Pages read without a script; one that plays something brings its own.
"""

import base64
import html
import math
from collections.abc import Iterable, Mapping, Sequence

STYLE = """
:root { color-scheme: light dark; --paper:#fbfaf7; --card:#ffffff; --ink:#1d2126; --soft:#5d6670; --line:#e2ded5;
  --good:#2a7f62; --fair:#b7791f; --bad:#b83a3a; --track:#efece4; --mark:#1d2126; --accent:#3557a6;
  --line0:#3557a6; --line1:#b7791f; --line2:#2a7f62; --line3:#b83a3a; --line4:#7a4fa3; --line5:#0f8391; --line6:#8a6d3b;
  --line7:#c2548c; }
@media (prefers-color-scheme: dark) { :root { --paper:#14171a; --card:#1c2024; --ink:#e8e6e1; --soft:#9aa3ad;
  --line:#31363c; --good:#4fb38f; --fair:#d8a24a; --bad:#e07070; --track:#2a2f35; --mark:#f2f0ea; --accent:#8fabf0;
  --line0:#8fabf0; --line1:#d8a24a; --line2:#4fb38f; --line3:#e07070; --line4:#b795e0; --line5:#55c2d0; --line6:#c4a877;
  --line7:#e48fba; } }
* { box-sizing:border-box } html { -webkit-text-size-adjust:100% }
body { margin:0; background:var(--paper); color:var(--ink); font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
  "Helvetica Neue",Arial,sans-serif; }
main { max-width:1040px; margin:0 auto; padding:48px 24px 96px }
h1 { font-size:2.3rem; line-height:1.15; letter-spacing:-.02em; margin:0 0 .3em }
h2 { font-size:1.35rem; letter-spacing:-.01em; margin:2.8em 0 .2em; padding-top:1.1em; border-top:1px solid
  var(--line) }
h3 { font-size:1rem; margin:0 0 .3em } p { margin:.4em 0 1em; max-width:72ch } .soft,.note { color:var(--soft) }
.note { font-size:.88rem } .lead { font-size:1.12rem; max-width:62ch } a { color:var(--accent) }
.tiles { display:grid; grid-template-columns:repeat(auto-fit,minmax(170px,1fr)); gap:14px; margin:1.8em 0 0 }
.tile,.card { background:var(--card); border:1px solid var(--line); border-radius:12px; padding:16px 18px }
.tile b { display:block; font-size:1.85rem; line-height:1.2; letter-spacing:-.02em;
  font-variant-numeric:tabular-nums }
.tile span { color:var(--soft); font-size:.88rem } .tile b small { font-size:.55em; color:var(--soft);
  font-weight:500 }
.wide { overflow-x:auto } table { border-collapse:collapse; width:100%; font-variant-numeric:tabular-nums;
  font-size:.93rem }
th { text-align:left; color:var(--soft); font-weight:500; font-size:.82rem; border-bottom:1px solid var(--line) }
th,td { padding:7px 12px 7px 0; vertical-align:middle } td { border-bottom:1px solid var(--line) }
.n { text-align:right; white-space:nowrap } tr.mean td { font-weight:600; background:color-mix(in srgb,var(--track)
  45%,transparent) }
td.task { white-space:nowrap; font-weight:500 } td.bar { width:32%; min-width:200px; padding-right:14px }
.track { position:relative; height:16px; background:var(--track); border-radius:4px }
.fill { position:absolute; inset:0 auto 0 0; border-radius:4px; opacity:.85 }
.good { background:var(--good) } .fair { background:var(--fair) } .bad {
  background:var(--bad) }
.tgood { color:var(--good) } .tfair { color:var(--fair) } .tbad { color:var(--bad) }
.grid { display:grid; gap:18px; grid-template-columns:repeat(auto-fill,minmax(215px,1fr)); margin-top:1em }
.grid.two { grid-template-columns:repeat(auto-fill,minmax(320px,1fr)) }
figure { margin:0; overflow-wrap:anywhere } figure img { width:100%; border-radius:8px; display:block;
  background:var(--track) }
figure.sharp img { image-rendering:pixelated } figcaption { font-size:.88rem; margin-top:.55em; line-height:1.45 }
svg { width:100%; height:auto; display:block } svg text { fill:var(--soft); font:11px system-ui,sans-serif }
svg .axis { stroke:var(--line) } svg .column { fill:var(--accent); opacity:.8 } svg .marker { stroke:var(--mark);
  stroke-dasharray:3 3 } svg .curve { fill:none; stroke:var(--accent); stroke-width:1.8 }
blockquote { margin:0 0 1em; white-space:break-spaces; font:0.88rem/1.55
  ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;
  overflow-wrap:anywhere } blockquote .said { background:color-mix(in srgb,var(--accent) 16%,transparent);
  border-radius:3px }
pre { overflow:auto; max-height:420px; font:.82rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;
  margin:.6em 0 0 }
code { font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace; font-size:.9em } summary { cursor:pointer }
.keys { display:grid; grid-template-columns:fit-content(50%) minmax(0,1fr); gap:2px 18px; font-size:.93rem } .keys dt {
  color:var(--soft) }
.keys dt,.keys dd { margin:0; overflow-wrap:anywhere } footer { margin-top:4em; color:var(--soft); font-size:.85rem }
"""


def escape(text: object) -> str:
    """Text as HTML."""
    return html.escape(str(text))


def whole(value: float) -> str:
    """A rounded number without the sign of a negative zero."""
    return str(round(value))


def breakable(name: str) -> str:
    """A task's name, escaped, that may be broken at its dots and underscores."""
    return escape(name).replace(".", ".<wbr>").replace("_", "_<wbr>")


def document(title: str, body: str, *, style: str = "", script: str = "") -> str:
    """The whole page; `style` and `script` hold rules and code of its own."""
    code = f"<script>\n{script}</script>" if script else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head><body><main>\n{body}\n</main>{code}</body></html>\n"
    )


def section(title: str, body: str, *, about: str = "") -> str:
    """A heading, a sentence or two about what follows (HTML), and the body (HTML)."""
    note = f'<p class="soft">{about}</p>' if about else ""
    return f"<section><h2>{escape(title)}</h2>{note}{body}</section>\n"


def image(data: bytes, mime: str, *, alt: str) -> str:
    """A picture inside the page."""
    return f'<img alt="{escape(alt)}" src="data:{mime};base64,{base64.b64encode(data).decode()}">'


def tiles(values: Sequence[tuple[str, str]]) -> str:
    """Large figures with what they mean. The figure is HTML, the meaning is text."""
    return '<div class="tiles">' + "".join(
        f'<div class="tile"><b>{figure}</b><span>{escape(meaning)}</span></div>' for figure, meaning in values
    ) + "</div>"  # fmt: skip


def keys(pairs: Mapping[str, object]) -> str:
    """Names and their values."""
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in pairs.items())
    return f'<dl class="keys">{rows}</dl>'


def table(head: Sequence[str], rows: Sequence[str]) -> str:
    """`head`: column titles, those that start with ">" are right-aligned; `rows`: ready <tr> elements."""
    titles = "".join(
        f'<th class="n">{escape(t[1:])}</th>' if t.startswith(">") else f"<th>{escape(t)}</th>" for t in head
    )
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def text_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A `table` of text, every cell aligned as its title is."""
    starts = ['<td class="n">' if title.startswith(">") else "<td>" for title in head]
    lines = ("".join(f"{start}{escape(cell)}</td>" for start, cell in zip(starts, row, strict=True)) for row in rows)
    return table(head, [f"<tr>{line}</tr>" for line in lines])


def share_bar(share: float, largest: float) -> str:
    """A bar of a share, the largest one full."""
    return f'<div class="track"><div class="fill good" style="width:{100 * share / largest:.2f}%"></div></div>'


def curve(xs: Sequence[float], ys: Sequence[float], *, label: str) -> str:
    """One line chart as SVG, with round ticks; coloured by the page's style."""
    width, height, left, right, top, bottom = 340, 190, 40, 10, 12, 24
    points = [(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(y)]
    if len(points) < 2:
        return '<p class="note">too few records for a curve</p>'
    low_x, high_x = points[0][0], max(points[-1][0], points[0][0] + 1)
    low_y, high_y = min(y for _, y in points), max(y for _, y in points)
    marks = ticks(low_y, high_y)
    low_y, high_y = min(low_y, marks[0]), max(high_y, marks[-1])
    to_x = lambda x: left + (x - low_x) / (high_x - low_x) * (width - left - right)  # noqa: E731
    to_y = lambda y: top + (high_y - y) / (high_y - low_y or 1) * (height - top - bottom)  # noqa: E731
    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">']
    for tick in marks:
        y = to_y(tick)
        parts.append(f'<line class="axis" x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for x in (low_x, (low_x + high_x) / 2, high_x):
        anchor = "start" if x == low_x else "end" if x == high_x else "middle"
        parts.append(f'<text x="{to_x(x):.1f}" y="{height - 6}" text-anchor="{anchor}">{x:,.0f}</text>')
    path = " ".join(f"{to_x(x):.1f},{to_y(y):.1f}" for x, y in points)
    return "".join([*parts, f'<polyline class="curve" points="{path}"/></svg>'])


def histogram(
    values: Sequence[float], *, label: str, markers: Mapping[str, float] | None = None, columns: int = 24
) -> str:
    """How often values lie where, as SVG; `markers` are dashed lines with a name each. All values are finite."""
    width, height, top, bottom = 340, 120, 16, 22
    places = [*values, *(markers or {}).values()]
    low, high = min(places), max(places)
    if low == high:  # One value still has a column, in the middle.
        low, high = low - max(abs(low), 1) / 2, high + max(abs(high), 1) / 2
    counts = [0] * columns
    for value in values:
        counts[min(columns - 1, int((value - low) / (high - low) * columns))] += 1
    step, most = width / columns, max(counts)
    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">']
    for place, count in enumerate(counts):
        if count:
            tall = max(1.5, count / most * (height - top - bottom))
            parts.append(
                f'<rect class="column" x="{place * step + 0.5:.1f}" y="{height - bottom - tall:.1f}" '
                f'width="{step - 1:.1f}" height="{tall:.1f}"><title>{count:,}</title></rect>'
            )
    parts.append(f'<line class="axis" x1="0" x2="{width}" y1="{height - bottom}" y2="{height - bottom}"/>')
    for end, anchor, value in ((0, "start", low), (width, "end", high)):
        parts.append(f'<text x="{end}" y="{height - 7}" text-anchor="{anchor}">{value:.4g}</text>')
    for name, value in (markers or {}).items():
        x = (value - low) / (high - low) * width
        anchor = "start" if x < 0.2 * width else "end" if x > 0.8 * width else "middle"
        parts.append(f'<line class="marker" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 3}" y2="{height - bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="10" text-anchor="{anchor}">{escape(name)}</text>')
    return "".join([*parts, "</svg>"])


def ticks(low: float, high: float) -> list[float]:
    """About four round numbers from below `low` to above `high`."""
    span = max(high - low, 1e-6)
    power = 10 ** math.floor(math.log10(span / 3))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 4)
    first = math.floor(low / step)
    count = math.ceil(high / step) - first
    return [round((first + i) * step, 10) for i in range(count + 1)]
