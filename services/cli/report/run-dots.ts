import * as Plot from '@observablehq/plot';
import type { RunRecord } from '../../core/records/run.ts';
import { formatMetric } from '../terminal/format.ts';
import { placeOf } from './axis.ts';
import type { Axis } from './axis.ts';

/** A run at its best objective value. */
export interface RunDot {
  readonly run: RunRecord;
  readonly value: number;
}

/** Number of runs up to which each dot has a tooltip; more would multiply the bytes. */
const MOST_TIPS = 250;

/** Draws a dot for each run, and a triangle at the end of the axis for each that lies outside. `x` is the channel of the position. */
export function runDots<Dot extends RunDot>(
  dots: readonly Dot[],
  x: keyof Dot & string,
  axis: Axis,
): readonly Plot.Dot[] {
  const at = (place: string): Dot[] => dots.filter(({ value }) => placeOf(axis, value) === place);
  const isMany = dots.length > MOST_TIPS;
  const title = ({ run }: Dot): string => `run ${run.runIndex}: ${formatMetric(run.bestValue)}`;
  const look = { fill: 'currentColor', fillOpacity: isMany ? 0.25 : 0.4, ...(isMany ? {} : { title }) };
  const triangle = { ...look, symbol: 'triangle', fillOpacity: 0.7, r: 3.5 } as const;
  return [
    Plot.dot(at('inside'), { ...look, x, y: 'value', r: isMany ? 2 : 3 }),
    Plot.dot(at('above'), { ...triangle, x, y: () => axis.high, dy: 4 }),
    Plot.dot(at('below'), { ...triangle, x, y: () => axis.low, dy: -4, rotate: 180 }),
  ];
}
