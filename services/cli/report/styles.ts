import { Html } from './html.ts';

/** Style sheet of the report: one column on a telephone, two from 800 pixels; light and dark. */
export const STYLES = new Html(`
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f5f6f8; --ink: #1b1f24; --faint: #59636e; --line: #d5dae0;
  --run-1: #0a62c4; --run-2: #b3470b; --run-3: #1a7f37; --good: 10 98 196; --bad: 190 50 30;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161b; --panel: #1b2027; --ink: #e8ecf0; --faint: #9aa4af; --line: #343c46;
    --run-1: #6cb0ff; --run-2: #ffa066; --run-3: #5fd07f; --good: 108 176 255; --bad: 255 130 110;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 78rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .7rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
figcaption h3 { margin-top: 0; }
p { margin: .4rem 0 .8rem; max-width: 62rem; }
.faint, caption, figcaption { color: var(--faint); }
.headline { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .8rem; margin: 1.2rem 0; padding: 0; }
.headline div { background: var(--panel); border-radius: .5rem; padding: .7rem .9rem; }
.headline dt { color: var(--faint); font-size: .85rem; }
.headline dd { margin: 0; font-size: 1.35rem; font-weight: 600; line-height: 1.25; }
.headline small { display: block; font-size: .85rem; font-weight: 400; color: var(--faint); }
.facts { display: grid; grid-template-columns: minmax(6.5rem, max-content) 1fr; gap: .15rem 1rem; margin: 0; }
.facts dt { color: var(--faint); }
.facts dd { margin: 0; }
.scroll { overflow-x: auto; }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--run-1); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
caption { text-align: left; padding-bottom: .4rem; }
th, td { padding: .3rem .55rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; white-space: nowrap; }
thead th { vertical-align: bottom; }
th.parameter { white-space: normal; min-width: 5.2rem; line-height: 1.25; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.short { white-space: nowrap; }
td.wide { min-width: 16rem; }
tr.winner td, tr.winner th { background: var(--panel); font-weight: 600; }
.columns { display: grid; gap: 1.5rem; grid-template-columns: minmax(0, 1fr); }
@media (min-width: 800px) { .columns { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
figure { margin: 0; }
figure svg { display: block; width: 100%; height: auto; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; list-style: none; padding: 0; margin: 0 0 .8rem; }
.legend li::before { content: ""; display: inline-block; width: 1.4rem; height: .25rem; border-radius: 2px; margin-right: .5rem; vertical-align: middle; background: var(--swatch); }
.swatch-1 { --swatch: var(--run-1); } .swatch-2 { --swatch: var(--run-2); } .swatch-3 { --swatch: var(--run-3); }
.swatch-rest { --swatch: var(--line); }
.matrix { min-width: 18rem; }
.matrix td, .matrix th { text-align: center; min-width: 4.5rem; }
.matrix th[scope=row] { text-align: right; }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .9rem; padding: 0; margin: 0; list-style: none; }
.images li { background: var(--panel); border-radius: .5rem; padding: .6rem; font-size: .82rem; }
.images img, .missing { display: block; width: 96px; height: 96px; object-fit: contain; margin-bottom: .4rem; }
.missing { display: grid; place-items: center; border: 1px dashed var(--line); color: var(--faint); text-align: center; }
summary { cursor: pointer; color: var(--faint); margin: .6rem 0; }
footer { margin-top: 3rem; color: var(--faint); font-size: .85rem; }
@media print { body { max-width: none; } h2 { break-after: avoid; } figure, tr, .images li { break-inside: avoid; } }
`);
