"""Looks of the page: colours of the modalities, for a light and a dark screen. Nothing is fetched from anywhere."""

from data_pipelines.vocabulary import TokenType

COLOURS = {
    TokenType.PADDING: ("#e4e4e4", "#3a3a3a"),
    TokenType.PATCH: ("#d9c8f5", "#57408a"),
    TokenType.OBSERVATION: ("#c3ddf7", "#1f4f7d"),
    TokenType.SEPARATOR: ("#bdbdbd", "#666666"),
    TokenType.ACTION: ("#ffd9ac", "#8a5211"),
    TokenType.TEXT: ("#cde8c1", "#2f6323"),
}
"""Background of each type on a light and on a dark page; text on it is the page's own colour."""

_LIGHT = "".join(f"--{kind.name.lower()}:{colours[0]};" for kind, colours in COLOURS.items())
_DARK = "".join(f"--{kind.name.lower()}:{colours[1]};" for kind, colours in COLOURS.items())
_KINDS = "".join(f".k{int(kind)}{{background:var(--{kind.name.lower()})}}" for kind in COLOURS)

STYLE = f"""
:root{{color-scheme:light dark;--page:#fff;--ink:#1c1c1c;--faint:#6b6b6b;--line:#c9c9c9;--loss:#c4161c;--prompt:#8a6d00;
  --prompted:#fbf3d6;{_LIGHT}}}
@media (prefers-color-scheme:dark){{:root{{--page:#161616;--ink:#ececec;--faint:#a0a0a0;--line:#4a4a4a;--loss:#ff6b6b;
  --prompt:#e8c44a;--prompted:#332d16;{_DARK}}}}}
body{{font:14px/1.45 system-ui,sans-serif;margin:1.5em auto;max-width:1280px;padding:0 1em;
  background:var(--page);color:var(--ink)}}
h1{{font-size:1.4em}}h2{{font-size:1.2em;margin-top:2em}}h3{{font-size:1em;margin:1.4em 0 .3em}}
table{{border-collapse:collapse}}
.wide{{overflow-x:auto;font-size:12px}}td,th{{padding:.15em .6em;white-space:nowrap;
  text-align:right;border-bottom:1px solid var(--line)}}
td:first-child,th:first-child{{text-align:left}}
.faint,.note{{color:var(--faint)}}
.segment{{border:1px solid var(--line);border-radius:4px;margin:.4em 0;padding:.3em .5em}}
.segment>b{{font-size:11px;color:var(--faint);font-weight:normal}}
.sequence{{border-left:4px solid var(--ink);margin:.35em 0;padding-left:.5em}}
.step{{display:flex;align-items:flex-start;gap:.5em;padding:1px 0 1px .3em}}
.step.prompt{{background:var(--prompted);box-shadow:inset 4px 0 0 var(--prompt)}}
.step>.at{{flex:0 0 6.6em;font:11px/1.6 monospace;color:var(--faint)}}
.step.prompt>.at{{color:var(--prompt)}}
.step>div{{display:flex;flex-wrap:wrap;gap:0 .8em}}
.cells{{display:flex;flex-wrap:wrap;gap:1px}}
.cells i{{font:11px/1.5 monospace;min-width:1.2em;padding:0 2px;text-align:center;white-space:pre}}
.cells i.loss{{box-shadow:inset 0 -3px 0 var(--loss)}}
.cells i:hover{{outline:2px solid var(--ink)}}
.step img,.frames img{{image-rendering:pixelated;height:64px}}
.note{{font-size:12px}}
.legend i{{font:12px/1.6 monospace;padding:0 .6em;margin-right:.4em}}
.legend .loss{{box-shadow:inset 0 -3px 0 var(--loss)}}.legend .prompt{{
  background:var(--prompted);box-shadow:inset 4px 0 0 var(--prompt)}}
{_KINDS}
"""
