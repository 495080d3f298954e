import { quantile } from '../../core/statistics/quantile.ts';
import { formatMetric, formatNumber, formatValue } from '../terminal/format.ts';
import { digitsOf } from './labels.ts';

/** A range of values that a chart shows; a few extreme values may lie outside. */
export interface Axis {
  readonly scale: 'linear' | 'log';
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
}

/** Place of a value on an axis; `none` for NaN and infinities. */
export type Place = 'inside' | 'above' | 'below' | 'none';

/** Number of spreads from the median beyond which a value is not shown: about Tukey's outer fence, the quartile and three more. */
const FENCE = 3.5;
/** Least spread: a factor of 2 for losses, 0.1 for scores. */
const LEAST_LOG_SPREAD = Math.log10(2);
const LEAST_SCORE_SPREAD = 0.1;
/** Highest shown value by the 10 % quantile from which losses have a logarithmic axis. */
const LOG_FROM = 8;
const TICKS = 5;
/** Relative difference up to which the ends of an axis are equal. */
const NEAR = 1e-9;

/**
 * Chooses the axis of a chart so that diverged runs do not flatten the others, as long as they have less than half of the values. The
 * spread is twice the distance from the median to the quartile on the good side, which diverged runs do not move; for positive losses, of
 * the logarithms. Values more than 3.5 spreads from the median lie outside. The axis is logarithmic for losses whose highest shown value
 * exceeds eight times their 10 % quantile; it is linear from zero where at least half of the losses are exactly zero.
 *
 * @param values NaN and infinities are left out.
 * @param kind `loss`: from zero, lower is better; `score`: accuracies and the like.
 */
export function robustAxis(values: readonly number[], kind: 'loss' | 'score'): Axis {
  const finite = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (finite.length === 0) return linear(0, 1);
  const positive = kind === 'loss' ? finite.filter((value) => value > 0) : [];
  const inLogs = positive.length > 0;
  const considered = inLogs ? positive : finite;
  const isShown = inLogs
    ? withinFence(considered.map(Math.log10), 0.25, LEAST_LOG_SPREAD)
    : withinFence(considered, kind === 'loss' ? 0.25 : 0.75, LEAST_SCORE_SPREAD);
  const shown = considered.filter((value) => isShown(inLogs ? Math.log10(value) : value));
  const [low = 0, high = 1] = [shown[0], shown.at(-1)];
  if (inLogs && positive.length <= finite.length / 2) return linear(0, high);
  return inLogs && high > LOG_FROM * quantile(shown, 0.1) ? logarithmic(low, high) : linear(low, high);
}

export function placeOf({ low, high }: Axis, value: number): Place {
  if (!Number.isFinite(value)) return 'none';
  return value > high ? 'above' : value < low ? 'below' : 'inside';
}

/** Returns the position of a value as a part of the axis, 0 to 1; values outside are at its ends. */
export function positionOn({ scale, low, high }: Axis, value: number): number {
  const place = scale === 'log' ? Math.log : (x: number): number => x;
  if (scale === 'log' && value <= 0) return 0;
  return Math.min(1, Math.max(0, (place(value) - place(low)) / (place(high) - place(low))));
}

/** Returns the format of an axis's ticks: few digits, or as many as tell them apart. */
export function tickFormat({ ticks }: Axis): (tick: number) => string {
  if (new Set(ticks.map(formatTick)).size === ticks.length) return formatTick;
  const digits = digitsOf(ticks);
  return (tick) => formatNumber(tick, digits);
}

function formatTick(value: number): string {
  return Math.abs(value) >= 1e5 ? formatMetric(value) : formatValue(Number(value.toPrecision(4)));
}

function withinFence(sorted: readonly number[], goodQuartile: number, leastSpread: number): (value: number) => boolean {
  const median = quantile(sorted, 0.5);
  const spread = Math.max(2 * Math.abs(quantile(sorted, goodQuartile) - median), leastSpread);
  return (value) => Math.abs(value - median) <= FENCE * spread;
}

/**
 * Returns an axis whose ends are ticks: multiples of 1, 2 or 5 times a power of ten. Numbers that differ in their last bits only are
 * shown as equal ones, unless they are integers.
 */
export function linear(low: number, high: number): Axis {
  const size = Math.max(Math.abs(low), Math.abs(high));
  const isNear = high - low <= NEAR * size;
  const isOfIntegers = Number.isInteger(low) && Number.isInteger(high);
  const width = isNear && !(isOfIntegers && high > low) ? size * 0.1 || 1 : high - low;
  const rough = niceStep(width / TICKS);
  const step = isNear && isOfIntegers ? Math.max(1, rough) : rough;
  const [from, to] = [Math.floor(low / step + 1e-9), Math.ceil(high / step - 1e-9)];
  const count = Math.max(1, to - from);
  const ticks = Array.from({ length: count + 1 }, (_, index) => {
    const tick = (from + index) * step;
    return Number.isInteger(step) ? tick : Number(tick.toPrecision(15));
  });
  return { scale: 'linear', low: ticks[0] ?? low, high: ticks.at(-1) ?? high, ticks };
}

/** Returns an axis whose ends are 1, 2 or 5 times a power of ten. */
export function logarithmic(low: number, high: number): Axis {
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const steps = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index)).flatMap((power) =>
    [1, 2, 5].map((digit) => Number((digit * power).toPrecision(3))),
  );
  const from = Math.max(
    0,
    steps.findLastIndex((step) => step <= low * (1 + 1e-9)),
  );
  const to = steps.findIndex((step) => step >= high * (1 - 1e-9));
  const within = steps.slice(from, Math.max(to, from + 1) + 1);
  const powers = within.filter((_, index) => (from + index) % 3 === 0);
  const ticks = within.length <= TICKS + 3 ? within : powers.length <= TICKS + 3 ? powers : thinned(powers);
  return { scale: 'log', low: within[0] ?? low, high: within.at(-1) ?? high, ticks };
}

function thinned(powers: readonly number[]): readonly number[] {
  const every = Math.ceil(powers.length / TICKS);
  return powers.filter((_, index) => index % every === 0);
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const digit = [1, 2, 5, 10].find((candidate) => candidate * power >= rough * (1 - 1e-9)) ?? 10;
  return digit * power;
}

/** Returns ticks for counts from 1: every one, or multiples of 2, 5 or 10 times a power of ten. */
export function countTicks(last: number): readonly number[] {
  const step = Math.max(1, niceStep(last / 9));
  const ticks = Array.from({ length: Math.floor(last / step) }, (_, index) => (index + 1) * step);
  return step > 2 ? [1, ...ticks] : ticks;
}
