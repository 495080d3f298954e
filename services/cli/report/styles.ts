import { Html } from './html.ts';

/** Style sheet of the report: one column on a telephone, two from 800 pixels; light, dark and for print. */
export const STYLES = new Html(`
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f5f6f8; --ink: #1b1f24; --faint: #59636e; --line: #d5dae0;
  --run-1: #0a62c4; --run-2: #b3470b; --run-3: #1a7f37; --good: 10 98 196; --bad: 190 50 30;
  --edge: rgb(0 0 0 / .16); --ok: #1a7f37; --fail: #b42318; --warn: #8a5a00; --busy: #0a62c4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161b; --panel: #1b2027; --ink: #e8ecf0; --faint: #9aa4af; --line: #343c46;
    --run-1: #6cb0ff; --run-2: #ffa066; --run-3: #5fd07f; --good: 108 176 255; --bad: 255 130 110;
    --edge: rgb(255 255 255 / .2); --ok: #5fd07f; --fail: #ff8a7a; --warn: #f0b94a; --busy: #6cb0ff;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 75rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: break-word;
}
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.8rem 0 .7rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
h3 small { font-weight: 400; color: var(--faint); }
p { margin: .4rem 0 .8rem; max-width: 62rem; }
a { color: var(--run-1); }
code, pre { font: .875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { overflow-wrap: anywhere; }
pre { margin: .4rem 0 .8rem; padding: .7rem .9rem; background: var(--panel); border-radius: .5rem; overflow: auto; max-height: 32rem; }
pre.command, pre.reason { white-space: pre-wrap; overflow-wrap: anywhere; }
pre.reason { margin: .3rem 0 0; padding: 0; background: none; }
.faint, caption, figcaption p { color: var(--faint); }
.lines { white-space: pre-line; }
.whole { white-space: nowrap; }
.pair { display: inline-block; max-width: 100%; margin-right: .35em; }
.long { overflow-wrap: anywhere; }
td > .long, th > .long { display: inline-block; min-width: 16rem; max-width: 24rem; white-space: normal; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: 1rem 0 0; font-size: .9rem; }
.notice { border-left: .25rem solid var(--line); background: var(--panel); border-radius: .3rem; padding: .5rem .9rem; margin: .8rem 0; }
.notice p { margin: 0; }
.notice.bad { border-color: var(--fail); } .notice.warning { border-color: var(--warn); } .notice.plain { border-color: var(--busy); }
.headline { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .8rem; margin: 1.2rem 0 0; padding: 0; }
.headline div { background: var(--panel); border-radius: .5rem; padding: .7rem .9rem; min-width: 0; }
.headline div:first-child { grid-column: span 2; }
@media (max-width: 24rem) { .headline div:first-child { grid-column: auto; } }
.headline dt { color: var(--faint); font-size: .85rem; }
.headline dd { margin: 0; font-size: 1.35rem; font-weight: 600; line-height: 1.25; }
.headline small { display: block; font-size: .85rem; font-weight: 400; color: var(--faint); margin-top: .15rem; }
.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem 1rem; margin: 0; align-content: start; }
.facts dt { color: var(--faint); }
.facts dd { margin: 0; }
.scroll {
  overflow-x: auto; max-width: 100%;
  background:
    linear-gradient(90deg, var(--paper) 1rem, transparent) 0 0 / 2.5rem 100% no-repeat local,
    linear-gradient(270deg, var(--paper) 1rem, transparent) 100% 0 / 2.5rem 100% no-repeat local,
    linear-gradient(90deg, var(--edge), transparent) 0 0 / .7rem 100% no-repeat scroll,
    linear-gradient(270deg, var(--edge), transparent) 100% 0 / .7rem 100% no-repeat scroll;
}
.scroll:focus-visible, summary:focus-visible, a:focus-visible, pre:focus-visible { outline: 2px solid var(--run-1); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
caption { text-align: left; padding-bottom: .4rem; }
th, td { padding: .3rem .5rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; white-space: nowrap; }
thead th { vertical-align: bottom; }
th.parameter { white-space: normal; min-width: 5.2rem; line-height: 1.25; }
td.parameter { white-space: nowrap; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.short { white-space: nowrap; }
td.medium { min-width: 8rem; }
td.wide { min-width: 16rem; }
tr.winner td, tr.winner th { background: var(--panel); font-weight: 600; }
.tags { display: inline-flex; flex-wrap: wrap; gap: .25rem; }
.tag { font-size: .8rem; padding: 0 .5em; border: 1px solid var(--line); border-radius: 1em; white-space: nowrap; }
.state { font-size: .8rem; font-weight: 600; letter-spacing: .02em; white-space: nowrap; color: var(--faint); }
.state::before { content: ""; display: inline-block; width: .6em; height: .6em; margin-right: .35em; background: currentColor; border-radius: 50%; }
.state-succeeded { color: var(--ok); }
.state-failed, .state-infeasible, .state-expired { color: var(--fail); }
.state-failed::before, .state-infeasible::before, .state-expired::before { border-radius: 0; transform: rotate(45deg) scale(.9); }
.state-cancelled, .state-stopped, .state-paused, .state-stopping, .state-released { color: var(--warn); }
.state-cancelled::before, .state-stopped::before, .state-paused::before, .state-stopping::before, .state-released::before { border-radius: 0; }
.state-active, .state-running, .state-leased { color: var(--busy); }
.columns { display: grid; gap: 1.6rem 1.5rem; grid-template-columns: minmax(0, 1fr); }
@media (min-width: 800px) { .columns { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
figure { margin: 0; min-width: 0; }
figcaption h3 { margin: 0; }
figcaption p { margin: 0 0 .3rem; font-size: .9rem; }
figure svg { display: block; width: 100%; height: auto; }
main > section > figure { max-width: 36rem; margin-top: 1.6rem; }
main > section > figure.parallel, main > section > figure.wide-chart { max-width: none; }
.parallel svg, .heat svg { width: auto; max-width: none; }
.wide-chart { margin-bottom: 1.2rem; }
.folded { min-width: 0; }
.outside { font-size: .85rem; color: var(--faint); margin: .2rem 0 0; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; list-style: none; padding: 0; margin: 0 0 .6rem; }
.legend li { min-width: 0; }
.key { white-space: nowrap; }
.key::before { content: ""; display: inline-block; width: 1.7rem; margin-right: .4rem; vertical-align: middle; border-top: .17rem solid var(--swatch); }
.key-1 { --swatch: var(--run-1); } .key-2 { --swatch: var(--run-2); } .key-3 { --swatch: var(--run-3); } .key-rest { --swatch: var(--faint); }
.key-2::before { border-top-style: dashed; } .key-3::before { border-top-style: dotted; } .key-rest::before { opacity: .6; }
.matrix { min-width: 18rem; }
.matrix td, .matrix th { text-align: center; min-width: 4.5rem; }
.matrix th[scope=row] { text-align: right; }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .9rem; padding: 0; margin: 0; list-style: none; }
.images li { background: var(--panel); border-radius: .5rem; padding: .6rem; font-size: .82rem; overflow-wrap: anywhere; }
.images img, .missing { display: block; width: 96px; height: 96px; object-fit: contain; margin-bottom: .4rem; }
.missing { display: grid; place-items: center; border: 1px dashed var(--line); color: var(--faint); text-align: center; }
summary { cursor: pointer; color: var(--faint); margin: .6rem 0; }
footer { margin-top: 3rem; color: var(--faint); font-size: .85rem; }
@media print {
  :root { --paper: #fff; --panel: #f5f6f8; --ink: #000; --faint: #444; --line: #bbb; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  h2, h3, figcaption { break-after: avoid; }
  figure, tr, .headline div, .images li { break-inside: avoid; }
  .scroll, pre { overflow: visible; max-height: none; }
  pre { white-space: pre-wrap; }
  * { print-color-adjust: exact; }
}
`);
