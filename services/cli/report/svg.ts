import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { escapeControlsInLines } from '../../core/text/control-characters.ts';
import { countTicks, tickFormat } from './axis.ts';
import type { Axis } from './axis.ts';
import { Html } from './html.ts';

export interface SvgOptions {
  /** Name and description for screen readers. */
  readonly title: string;
  readonly description: string;
  readonly plot: Plot.PlotOptions;
}

/** Attributes with lengths, which Plot writes with up to 17 digits. */
const LENGTHS = /\b(cx|cy|x|y|x1|x2|y1|y2|r|width|height|d|points|transform)="([^"]*)"/g;

/**
 * Renders a chart as SVG: an image with a name and a description, its lengths rounded to tenths of a unit. Controls in its names are
 * escaped.
 */
export function renderSvg({ title, description, plot }: SvgOptions): Html {
  // Its types require those of the DOM, which this project does not load; the chart only passes the document on.
  const { document } = parseHTML('<!doctype html><html><body></body></html>') as unknown as { document: object };
  const options: Plot.PlotOptions = {
    ...plot,
    style: { fontSize: '12px', fontFamily: 'inherit', background: 'transparent', overflow: 'visible' },
    ariaLabel: title,
    ariaDescription: description,
  };
  const svg = Plot.plot(Object.assign(options, { document })) as unknown as {
    readonly outerHTML: string;
    setAttribute(name: string, value: string): void;
  };
  svg.setAttribute('role', 'img');
  return new Html(
    escapeControlsInLines(svg.outerHTML).replaceAll(
      LENGTHS,
      (_, name: string, value: string) => `${name}="${value.replaceAll(/-?\d+\.\d+/g, rounded)}"`,
    ),
  );
}

/** Returns the scale of an axis of values, with a line at each tick and no label. */
export function valueAxis(axis: Axis): Plot.ScaleOptions {
  return {
    label: null,
    type: axis.scale,
    domain: [axis.low, axis.high],
    ticks: [...axis.ticks],
    tickFormat: tickFormat(axis),
    grid: true,
  };
}

/** Returns the scale of an axis that counts from 1 to `last`, with its label in the middle. */
export function countAxis(label: string, last: number): Plot.ScaleOptions {
  return { label, labelAnchor: 'center', labelArrow: 'none', ticks: [...countTicks(last)], tickFormat: 'd' };
}

function rounded(length: number | string): string {
  return String(Math.round(Number(length) * 10) / 10);
}
