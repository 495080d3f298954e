import type { ParameterDefinition } from '../search-space/define-parameter.ts';
import { normalizeValue } from '../search-space/parameter-value.ts';
import type { ParameterDomain, ParameterValue } from '../sweep/sweep-spec.ts';

type Range = Extract<ParameterDomain, { kind: 'range' }>;

/**
 * Significant digits of a drawn real number: a learning rate of 0.000731942 is as useful as one of seventeen digits, reads better,
 * and does not depend on the last bits of a platform's `Math.exp`.
 */
const SIGNIFICANT_DIGITS = 6;

/** Returns the values of a grid, in order. A range with a step is not expanded: it may have more values than memory. */
export function gridList(domain: ParameterDomain, definition: ParameterDefinition): ValueList {
  if (domain.kind === 'values' || domain.gridPoints === null) return listValues(domain, definition);
  const values = gridPointsOf(domain, domain.gridPoints, definition);
  return { count: values.length, at: (place) => values[place] ?? domain.min };
}

/** Returns the values of `gridList` as an array. */
export function gridValues(domain: ParameterDomain, definition: ParameterDefinition): ParameterValue[] {
  const { count, at } = gridList(domain, definition);
  return Array.from({ length: count }, (_, place) => at(place));
}

function gridPointsOf(range: Range, gridPoints: number, definition: ParameterDefinition): number[] {
  const { min, max, scale } = range;
  const values = Array.from({ length: gridPoints }, (_, index) => {
    // The ends keep all digits of the spec.
    if (index === 0) return min;
    if (index === gridPoints - 1) return max;
    const part = index / (gridPoints - 1);
    return roundReal(range, definition, scale === 'log' ? min * (max / min) ** part : min + part * (max - min));
  });
  return [...new Set(values)];
}

/** Distinct values of a domain, by place; `at` is defined for 0 to `count` - 1. */
export interface ValueList {
  readonly count: number;
  readonly at: (place: number) => ParameterValue;
}

/**
 * Returns the values that `valueAt` can give, each once. A range of real numbers with more than `MAX_LISTED_REALS` of them is
 * represented by the middles of `REAL_PARTS` equal parts.
 */
export function listValues(domain: ParameterDomain, definition: ParameterDefinition): ValueList {
  if (domain.kind === 'values') {
    const { values } = domain;
    return { count: values.length, at: (place) => valueAt(domain, definition, (place + 0.5) / values.length) };
  }
  const { min, max, step } = domain;
  if (step !== null) return { count: stepCount(min, max, step) + 1, at: (place) => stepAt(domain, place) };
  if (definition.type === 'int') return { count: max - min + 1, at: (place) => min + place };
  const reals = listReals(domain, definition);
  if (reals !== null) return { count: reals.length, at: (place) => reals[place] ?? min };
  return { count: REAL_PARTS, at: (place) => valueAt(domain, definition, (place + 0.5) / REAL_PARTS) };
}

/** Longest list: more values than a sweep can have runs, so that a longer one is never exhausted. */
const MAX_LISTED_REALS = 20_000;
const REAL_PARTS = 2 ** 20;

/** Returns all numbers of `SIGNIFICANT_DIGITS` digits within the bounds; null where there are too many to list. */
function listReals(range: Range, definition: ParameterDefinition): readonly number[] | null {
  const { min, max } = range;
  if (min === max) return [min];
  // Close to zero there is always another one.
  if (min <= 0) return null;
  const reals = new Set<number>();
  let value = roundReal(range, definition, min);
  while (value < max) {
    reals.add(value);
    if (reals.size > MAX_LISTED_REALS) return null;
    const unit = 10 ** (Math.floor(Math.log10(value)) - SIGNIFICANT_DIGITS + 1);
    const next = Number((value + unit).toPrecision(SIGNIFICANT_DIGITS));
    // Bounds may have more digits than drawn numbers; the step from such a bound is shorter.
    value = next > value ? next : value + unit;
  }
  return [...reals.add(roundReal(range, definition, max))];
}

/** Returns whether a value is in the domain. */
export function domainHas(domain: ParameterDomain, definition: ParameterDefinition, value: ParameterValue): boolean {
  if (domain.kind === 'values') return domain.values.some((one) => normalizeValue(definition, one) === value);
  if (typeof value !== 'number' || value < domain.min || value > domain.max) return false;
  return domain.step === null || stepAt(domain, Math.round((value - domain.min) / domain.step)) === value;
}

/** Returns the number of values of a grid without creating them; a range with neither points nor a step counts as one. */
export function gridSize(domain: ParameterDomain): number {
  if (domain.kind === 'values') return domain.values.length;
  if (domain.gridPoints !== null) return domain.gridPoints;
  return domain.step === null ? 1 : stepCount(domain.min, domain.max, domain.step) + 1;
}

/**
 * Returns the value at a place of the domain.
 *
 * @param u in [0, 1).
 */
export function valueAt(domain: ParameterDomain, definition: ParameterDefinition, u: number): ParameterValue {
  if (domain.kind === 'values') {
    const value = domain.values[Math.floor(u * domain.values.length)];
    if (value === undefined) throw new RangeError(`The list of values of ${definition.name} is empty.`);
    return value;
  }
  const { min, max, scale, step } = domain;
  if (step !== null) return steppedValue(domain, u);
  if (definition.type === 'int') {
    // Each integer owns the unit interval above it, so that both ends are as likely as the others.
    const value = scale === 'log' ? min * ((max + 1) / min) ** u : min + u * (max + 1 - min);
    return clamp(Math.floor(value), min, max);
  }
  const value = scale === 'log' ? min * (max / min) ** u : min + u * (max - min);
  return roundReal(domain, definition, value);
}

function steppedValue(range: Range, u: number): number {
  const { min, max, scale } = range;
  const step = range.step ?? 1;
  const last = stepCount(min, max, step);
  if (scale === 'linear') return stepAt(range, Math.floor(u * (last + 1)));
  return stepAt(range, clamp(Math.round((min * (max / min) ** u - min) / step), 0, last));
}

function stepAt(range: Range, index: number): number {
  const step = range.step ?? 1;
  const value = range.min + index * step;
  const isWhole = Number.isInteger(range.min) && Number.isInteger(step);
  return clamp(isWhole ? value : shorten(value), range.min, range.max);
}

/** Returns the number of steps that fit. A billionth is tolerated, because steps of 0.1 do not add up exactly. */
function stepCount(min: number, max: number, step: number): number {
  return Math.floor((max - min) / step + 1e-9);
}

/** Returns a drawn number as a run has it: an integer, or six significant digits, within the range. */
export function roundReal(range: Range, definition: ParameterDefinition, value: number): number {
  const rounded = definition.type === 'int' ? Math.round(value) : Number(value.toPrecision(SIGNIFICANT_DIGITS));
  return clamp(rounded, range.min, range.max);
}

/** Removes the rounding of binary addition behind the twelfth digit, as in 0.1 + 0.2. */
function shorten(value: number): number {
  return Number(value.toPrecision(12));
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
