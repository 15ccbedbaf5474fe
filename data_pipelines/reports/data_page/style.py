"""Rules of the page's own, behind those of `html_page`: first frames, and the browser of episodes."""

STYLE = """
.strip { display:flex; flex-wrap:wrap; gap:6px; margin-bottom:.5em } .strip img { width:calc(25% - 4.5px);
  min-width:48px; border-radius:6px; background:var(--track); object-fit:contain }
.sharp img { image-rendering:pixelated } td .track { min-width:80px }
.tiles { grid-template-columns:repeat(auto-fit,minmax(140px,1fr)) }
.cards { display:grid; gap:14px; grid-template-columns:repeat(auto-fill,minmax(min(280px,100%),1fr)); margin-top:1em }
.card h3 { font-size:.95rem; overflow-wrap:anywhere } .card p { margin:.2em 0 .6em }
#browser { scroll-margin-top:8px } #browser select,#browser button { font:inherit; color:var(--ink);
  background:var(--card); border:1px solid var(--line); border-radius:10px; min-height:44px; padding:0 12px;
  max-width:100% }
#browser button { min-width:44px; cursor:pointer } #browser button:disabled { opacity:.4; cursor:default }
#browser :focus-visible { outline:2px solid var(--accent); outline-offset:2px }
.bar2,.player { display:flex; flex-wrap:wrap; gap:8px; align-items:center } .bar2 { margin:1em 0 }
.bar2 select { flex:1 1 220px; min-width:0 }
.player { position:sticky; top:0; z-index:2; background:var(--paper); padding:8px 0;
  border-bottom:1px solid var(--line) }
.player input { flex:1 1 140px; min-width:100px; height:44px; accent-color:var(--accent) }
.player .at { flex:1 0 100%; font-size:.88rem; color:var(--soft); font-variant-numeric:tabular-nums }
.player .play { background:var(--accent) !important; color:var(--paper) !important; min-width:84px !important }
.both { display:flex; flex-wrap:wrap; gap:18px; margin-top:14px; align-items:flex-start }
.views { flex:0 1 320px; display:flex; flex-wrap:wrap; gap:10px } .views figure { flex:1 1 300px; min-width:0 }
.views img,.views canvas { width:100%; max-height:320px; object-fit:contain; border-radius:10px; display:block;
  background:var(--track); image-rendering:pixelated }
.views figure.cells { flex:1 1 90px; max-width:150px }
.views figcaption,.said { font-size:.82rem; color:var(--soft) } .said b { color:var(--ink); font-weight:500 }
.plots { flex:1 1 300px; min-width:0; display:grid; gap:12px;
  grid-template-columns:repeat(auto-fill,minmax(min(260px,100%),1fr)) }
.plot { background:var(--card); border:1px solid var(--line); border-radius:12px; padding:10px 12px; min-width:0 }
.plot h3 { font-size:.86rem; display:flex; justify-content:space-between; gap:8px; margin:0 0 4px;
  overflow-wrap:anywhere }
.plot h3 span { color:var(--soft); font-weight:400; white-space:nowrap }
.area { position:relative; height:96px; touch-action:pan-y; cursor:crosshair }
.area svg,.area canvas { position:absolute; inset:0; width:100%; height:100%; image-rendering:pixelated }
.area polyline { fill:none; stroke-width:1.6; vector-effect:non-scaling-stroke }
.area .now { position:absolute; top:0; bottom:0; border-left:1.5px solid var(--mark); opacity:.7; pointer-events:none }
.values { display:flex; flex-wrap:wrap; gap:2px 12px; font-size:.78rem; color:var(--soft); margin-top:4px;
  font-variant-numeric:tabular-nums } .values i { display:inline-block; width:.7em; height:.7em; border-radius:2px;
  margin-right:.35em } .values b { font-weight:500; color:var(--ink) }
.texts { display:grid; gap:14px; grid-template-columns:repeat(auto-fill,minmax(150px,1fr)) }
.texts .card { padding:12px; overflow-wrap:anywhere }
.texts img { width:100%; border-radius:8px; background:var(--track);
  image-rendering:pixelated; margin-bottom:8px } .texts p { white-space:pre-wrap; margin:0 0 .4em; font-size:.92rem }
.texts.long { grid-template-columns:1fr }
@media (max-width:640px) {
  main { padding:28px 16px 64px } h1 { font-size:1.7rem } .tiles { grid-template-columns:1fr 1fr; gap:10px }
  .tile { padding:12px 14px } .tile b { font-size:1.5rem } h2 { margin-top:2em }
  .player input { order:1; flex-basis:100% } .player .at { flex:1 1 auto; order:0 } .player select { order:0 }
  #tasks thead { display:none } #tasks tr { display:flex; flex-wrap:wrap; gap:0 14px; padding:8px 0;
    border-bottom:1px solid var(--line) } #tasks td { border:0; padding:1px 0 } #tasks td:empty { display:none }
  #tasks td.task { flex:1 0 100%; white-space:normal; overflow-wrap:anywhere }
  #tasks td.bar { flex:1 0 100%; min-width:0 }
  td[data-label]::before { content:attr(data-label) " "; color:var(--soft) }
}
"""
