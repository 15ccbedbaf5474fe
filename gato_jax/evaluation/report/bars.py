"""Bars of scores in percent of the expert, with their intervals."""

STYLE = """
.half,.full { position:absolute; top:-4px; bottom:-4px; width:0; border-left:1.5px dashed var(--soft); opacity:.75 }
.full { border-left-style:solid; opacity:.45 }
.span { position:absolute; top:7px; height:2px; background:var(--mark) }
.span::before,.span::after { content:""; position:absolute; top:-4px; height:10px; border-left:2px solid var(--mark) }
.span::after { right:0 }
.stack { display:grid; gap:12px } .stack summary { font-weight:600 } .domain { display:grid;
  grid-template-columns:1fr auto; gap:2px 12px; margin:0 0 .9em } .domain .track,.domain .note { grid-column:1 / -1 }
.token { margin:0 0 .7em } .choice { display:grid; grid-template-columns:minmax(70px,1fr) 2fr 62px; gap:10px;
  align-items:center; font-size:.88rem; color:var(--soft) } .choice.chosen { color:var(--ink); font-weight:600 }
.choice .track { height:10px; display:block } .choice .fill { display:block }
@media (max-width:640px) {
  /* A score's bar stands below its name, over the whole width; return, random and expert follow in their own line. */
  table:has(td.bar) thead { display:none }
  table:has(td.bar) tr { display:flex; flex-wrap:wrap; gap:0 14px; padding:8px 0; border-bottom:1px solid var(--line) }
  table:has(td.bar) td { border:0; padding:1px 0 } table:has(td.bar) td:empty { display:none }
  table:has(td.bar) td.task { flex:1 1 auto; white-space:normal }
  table:has(td.bar) td.bar { flex:1 0 100%; width:auto; min-width:0; padding:6px 0 }
  .keys:has(code) { grid-template-columns:1fr } .keys:has(code) dd { margin-bottom:8px }
  table:has(td.bar) td[data-label]::before { content:attr(data-label) " "; color:var(--soft) }
}
"""
"""Rules for them, behind those of `html_page`."""

SCALE = 120.0
"""Percent of expert at the right end of a bar."""


def bar(percent: float, low: float, high: float, grade: str) -> str:
    """A bar from 0 to 120 % with its interval, the 50 % line dashed and the expert's line at 100 %."""
    place = lambda value: min(100.0, max(0.0, value / SCALE * 100))  # noqa: E731
    left, right = place(low), place(high)
    span = f'<div class="span" style="left:{left:.2f}%;width:{right - left:.2f}%"></div>' if high > low else ""
    return (
        f'<div class="track"><div class="fill {grade}" style="width:{place(percent):.2f}%"></div>'
        f'<div class="half" style="left:{place(50):.2f}%"></div><div class="full" style="left:{place(100):.2f}%"></div>'
        f"{span}</div>"
    )
