"""How a report looks: dark on light, readable on a phone, on a screen and on paper."""

STYLE = """
:root { color-scheme: light; --ink: #1d1f22; --dim: #63676d; --rule: #e2e2de; --card: #f6f6f3;
  --right: #1a9850; --wrong: #d72638; --asked: #28468c; --unknown: #969696; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.5rem 4rem; background: #fff;
  color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "Liberation Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.02em;
  overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 0 0 .8rem; letter-spacing: -.01em; }
h3 { font-size: 1rem; margin: 1.4rem 0 .5rem; }
section { margin-top: 2.2rem; padding-top: 1.4rem; border-top: 1px solid var(--rule); }
p { margin: 0 0 .6rem; }
.dim, small { color: var(--dim); font-size: .85rem; overflow-wrap: anywhere; }
header .dim { margin: 0; font-family: ui-monospace, "DejaVu Sans Mono", monospace; }
.note { margin-top: 2rem; padding: .8rem 1rem; border-left: 3px solid #e69f00; background: #fdf6e7;
  overflow-wrap: anywhere; }
.tiles { display: grid; gap: .8rem; margin-top: 1.4rem;
  grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); }
.tiles div { background: var(--card); border-radius: 10px; padding: .8rem 1rem; display: grid;
  align-content: start; }
.tiles span { color: var(--dim); font-size: .85rem; }
.tiles strong { font-size: 1.55rem; line-height: 1.3; font-weight: 650; letter-spacing: -.02em;
  white-space: nowrap; }
.card dl { margin: 0; display: grid; gap: .45rem 2.4rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.card dl div { display: grid; grid-template-columns: 6.5rem 1fr; gap: .8rem; }
dt { color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin-bottom: .5rem; }
table { border-collapse: collapse; font-size: .9rem; min-width: 60%; }
th, td { text-align: left; padding: .38rem .9rem .38rem 0; vertical-align: top;
  border-bottom: 1px solid var(--rule); }
th { font-weight: 500; }
thead th { color: var(--dim); font-size: .82rem; overflow-wrap: anywhere; }
td { overflow-wrap: anywhere; min-width: 6rem; }
.numbers td, .numbers thead th { text-align: right; min-width: 3rem; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.numbers tbody th, .numbers thead th:first-child { text-align: left; white-space: nowrap; }
.numbers tr.run th { font-weight: 600; padding-top: 1rem; white-space: normal;
  overflow-wrap: anywhere; }
.numbers tr.untrained { color: var(--dim); }
tr.same td, tr.same th { color: var(--dim); }
.charts { display: grid; gap: 1.6rem 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
figure { margin: 0; min-width: 0; break-inside: avoid; }
figcaption { display: flex; flex-wrap: wrap; gap: .1rem .9rem; font-size: .9rem;
  margin-bottom: .2rem; }
figure > svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-size: 10.5px; fill: #63676d; font-variant-numeric: tabular-nums; }
svg text.word { font-weight: 600; paint-order: stroke; stroke: #fff; stroke-width: 3px; }
.grid { stroke: #ececea; }
.level { stroke-dasharray: 2 3; stroke-width: 1.2; opacity: .8; }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
circle.mark { fill: none; stroke-width: 1.8; }
.map svg { background: var(--card); border-radius: 8px; }
.map path { fill: none; stroke-width: 5.5; stroke-linecap: round; stroke-opacity: .8; }
.bar { margin-bottom: 1rem; }
.bar > svg { height: 1.1rem; border-radius: 4px; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem .9rem; font-size: .82rem; color: var(--dim);
  margin: .3rem 0; }
.legend span { display: inline-flex; align-items: center; gap: .35rem; }
.legend svg { width: 22px; height: 8px; stroke-width: 2; }
.legend i { width: .7rem; height: .7rem; border-radius: 2px; flex: none; }
i.right { background: var(--right); } i.wrong { background: var(--wrong); }
i.asked { background: var(--asked); }
.search { margin-bottom: 1rem; break-inside: avoid; }
.search p, .cluster p { margin: 0 0 .25rem; }
.search b { color: var(--ink); font-weight: 600; margin-left: .4rem; }
.strip { list-style: none; margin: 0; padding: 0; display: grid; gap: .45rem;
  grid-template-columns: repeat(12, minmax(0, 1fr)); }
.strip li { min-width: 0; }
.strip span { display: block; text-align: center; font-size: .75rem; color: var(--dim);
  font-variant-numeric: tabular-nums; }
.frame { border: 3px solid var(--unknown); border-radius: 5px; background: var(--card);
  aspect-ratio: 1 / 2; overflow: hidden; display: grid; place-items: center; font-size: .7rem;
  color: var(--dim); text-align: center; }
.frame img { width: 100%; height: 100%; object-fit: contain; display: block; }
.right .frame { border-color: var(--right); } .wrong .frame { border-color: var(--wrong); }
.asked .frame { border-color: var(--asked); }
.strip.query { grid-template-columns: repeat(11, minmax(0, 1fr)); }
.cluster { border-left: 4px solid; padding-left: .9rem; margin-bottom: 1.1rem;
  break-inside: avoid; }
pre { background: var(--card); border-radius: 8px; padding: .9rem 1rem; overflow-x: auto;
  font: .82rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; margin: .4rem 0; }
.command { white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; font-weight: 600; margin-top: 1rem; }
@media (max-width: 40rem) {
  body { padding: 1.1rem .9rem 3rem; font-size: 14px; }
  h1 { font-size: 1.5rem; }
  .tiles { grid-template-columns: 1fr 1fr; gap: .5rem; }
  .tiles div { padding: .6rem .8rem; }
  .tiles strong { font-size: 1.25rem; }
  .card dl div { grid-template-columns: 5.2rem 1fr; }
  .strip, .strip.query { grid-template-columns: repeat(6, minmax(0, 1fr)); gap: .35rem; }
  .numbers { font-size: .82rem; width: 100%; }
  .numbers th, .numbers td { padding-right: .45rem; min-width: 0; }
  svg text { font-size: 11.5px; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 11px; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  section { margin-top: 1.2rem; }
  .scroll, pre { overflow: visible; white-space: pre-wrap; }
}
"""
