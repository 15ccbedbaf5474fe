"""What the page adds to the looks of `html_page`: colours of the modalities, for a light and a dark screen."""

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
:root{{--loss:var(--bad);--prompt:var(--fair);--prompted:color-mix(in srgb,var(--fair) 14%,transparent);{_LIGHT}}}
@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}
main{{max-width:1280px}}
#summary table{{font-size:.82rem}}#summary td:first-child{{white-space:nowrap}}
.row>h3{{margin-top:1.6em}}
.window{{background:var(--card);border:1px solid var(--line);border-radius:4px;margin:.4em 0;padding:.3em .5em}}
.window>b{{font-size:11px;color:var(--soft);font-weight:normal}}
.sequence{{border-left:4px solid var(--ink);margin:.35em 0;padding-left:.5em}}
.step{{display:flex;align-items:flex-start;gap:.5em;padding:1px 0 1px .3em}}
.step.prompt{{background:var(--prompted);box-shadow:inset 4px 0 0 var(--prompt)}}
.step>.at{{flex:0 0 6.6em;font:11px/1.6 monospace;color:var(--soft)}}
.step.prompt>.at{{color:var(--prompt)}}
.step>div{{display:flex;flex-wrap:wrap;gap:0 .8em}}
.cells{{display:flex;flex-wrap:wrap;gap:1px}}
.cells i{{font:11px/1.5 monospace;min-width:calc(1.2em + 4px);padding:0 2px;text-align:center;white-space:pre}}
.cells i.loss{{box-shadow:inset 0 -3px 0 var(--loss)}}
.cells i:hover{{outline:2px solid var(--ink)}}
.step img{{image-rendering:pixelated;height:64px}}
.step .note,.window>.note{{font-size:12px}}
.legend{{display:flex;flex-wrap:wrap;gap:.4em;max-width:none}}.legend i{{font:12px/1.6 monospace;padding:0 .6em}}
.legend .loss{{box-shadow:inset 0 -3px 0 var(--loss)}}
.legend .prompt{{background:var(--prompted);box-shadow:inset 4px 0 0 var(--prompt)}}
{_KINDS}
@media (max-width:600px){{main{{padding:24px 12px}}.step{{flex-wrap:wrap}}.step>.at{{flex-basis:100%}}}}
"""
"""Rules of the page's own, behind those of `html_page`: cells of tokens, the sequences and windows around them."""
