import type { ParameterDefinition } from '../search-space/parameter-definitions.ts';
import type { ParameterDomain, ParameterValue } from '../sweep/sweep-spec.ts';

type Range = Extract<ParameterDomain, { kind: 'range' }>;

/**
 * Digits of a drawn real number: a learning rate of 0.000731942 says as much as one of seventeen digits, reads better, and
 * does not depend on the last bits of a platform's `Math.exp`.
 */
const SIGNIFICANT_DIGITS = 6;

/** The values a grid tries, in order. */
export function gridValues(domain: ParameterDomain, definition: ParameterDefinition): ParameterValue[] {
  if (domain.kind === 'values') return [...domain.values];
  const { min, max, gridPoints } = domain;
  if (gridPoints === null) return steppedValues(domain);
  const values = Array.from({ length: gridPoints }, (_, index) => {
    const part = gridPoints === 1 ? 0 : index / (gridPoints - 1);
    const value = domain.scale === 'log' ? min * (max / min) ** part : min + part * (max - min);
    return roundInto(domain, definition, value);
  });
  return [...new Set(values)];
}

/** How many values a grid tries, without making them; a range with neither points nor a step counts as one. */
export function gridSize(domain: ParameterDomain): number {
  if (domain.kind === 'values') return domain.values.length;
  if (domain.gridPoints !== null) return domain.gridPoints;
  return domain.step === null ? 1 : stepCount(domain.min, domain.max, domain.step) + 1;
}

/**
 * The value at a place of the domain.
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
    // Each whole number owns the unit interval above it, so that both ends are as likely as the others.
    const value = scale === 'log' ? min * ((max + 1) / min) ** u : min + u * (max + 1 - min);
    return clamp(Math.floor(value), min, max);
  }
  const value = scale === 'log' ? min * (max / min) ** u : min + u * (max - min);
  return roundInto(domain, definition, value);
}

function steppedValue(range: Range, u: number): number {
  const { min, max, scale } = range;
  const step = range.step ?? 1;
  const last = stepCount(min, max, step);
  if (scale === 'linear') return stepAt(range, Math.floor(u * (last + 1)));
  return stepAt(range, clamp(Math.round((min * (max / min) ** u - min) / step), 0, last));
}

function steppedValues(range: Range): number[] {
  const last = range.step === null ? 0 : stepCount(range.min, range.max, range.step);
  return Array.from({ length: last + 1 }, (_, index) => stepAt(range, index));
}

function stepAt(range: Range, index: number): number {
  return clamp(shorten(range.min + index * (range.step ?? 1)), range.min, range.max);
}

/** Steps that fit; a billionth more than whole counts as whole, because 0.1 steps do not add up exactly. */
function stepCount(min: number, max: number, step: number): number {
  return Math.floor((max - min) / step + 1e-9);
}

function roundInto(range: Range, definition: ParameterDefinition, value: number): number {
  const rounded = definition.type === 'int' ? Math.round(value) : Number(value.toPrecision(SIGNIFICANT_DIGITS));
  return clamp(rounded, range.min, range.max);
}

/** Takes away what binary addition leaves behind the twelfth digit, as in 0.1 + 0.2. */
function shorten(value: number): number {
  return Number(value.toPrecision(12));
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
