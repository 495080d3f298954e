import type { ParameterDomain } from '../sweep/sweep-spec.ts';
import type { NumericDefinition, ParameterDefinition } from '../search-space/define-parameter.ts';
import { describeAllowed, normalizeValue, valueProblem, withinBounds } from '../search-space/parameter-value.ts';
import { show } from '../text/show.ts';
import type { ViolationList } from './violations.ts';

type Range = Extract<ParameterDomain, { kind: 'range' }>;

/** Maximum number of points of one range in a grid; more would be too many runs anyway. */
const MAX_GRID_POINTS = 10_000;

/**
 * Checks the values of a dimension.
 *
 * @param path path of the dimension, for example `parameters[2]`.
 * @param strategy null if the strategy itself is unknown.
 */
export function validateDomain(
  path: string,
  definition: ParameterDefinition,
  domain: ParameterDomain,
  strategy: string | null,
  found: ViolationList,
): void {
  if (domain.kind === 'values') {
    validateValues(`${path}.values`, definition, domain.values, found);
  } else if (definition.type === 'int' || definition.type === 'number') {
    validateRange(`${path}.range`, definition, domain, strategy, found);
  } else {
    found.add(
      `${path}.range`,
      `'${definition.name}' is not a number and has no range. Give a list of values, each ${describeAllowed(definition)}.`,
    );
  }
}

/** Checks values, of a dimension or of a condition. */
export function validateValues(
  path: string,
  definition: ParameterDefinition,
  values: readonly unknown[],
  found: ViolationList,
): void {
  if (values.length === 0) {
    found.add(path, `is empty. Give at least one value for '${definition.name}': ${describeAllowed(definition)}.`);
  }
  const firsts = new Map<unknown, number>();
  values.forEach((value, index) => {
    const problem = valueProblem(definition, value);
    if (problem !== null) {
      found.add(`${path}[${index}]`, `'${definition.name}' ${problem}`);
      return;
    }
    const normal = normalizeValue(definition, value as number | string | boolean);
    const first = firsts.get(normal);
    if (first === undefined) firsts.set(normal, index);
    else
      found.add(`${path}[${index}]`, `${show(value)} is in the list already, at place ${first}. Take one of them out.`);
  });
}

function validateRange(
  path: string,
  definition: NumericDefinition,
  range: Range,
  strategy: string | null,
  found: ViolationList,
): void {
  const minRight = validateBound(`${path}.min`, definition, range.min, found);
  const maxRight = validateBound(`${path}.max`, definition, range.max, found);
  if (minRight && maxRight && range.min > range.max) {
    found.add(`${path}.min`, `must not be above max; received min ${range.min} and max ${range.max}. Swap them.`);
  }
  if (range.scale === 'log' && range.min <= 0) {
    found.add(
      `${path}.min`,
      `must be above 0 on a logarithmic scale; received ${range.min}. Raise it, or use scale: linear.`,
    );
  }
  validateStep(path, definition, range, found);
  validateGridPoints(path, definition, range, strategy, found);
}

function validateBound(path: string, definition: NumericDefinition, value: unknown, found: ViolationList): boolean {
  const typeRight =
    typeof value === 'number' && Number.isFinite(value) && (definition.type === 'number' || Number.isInteger(value));
  if (typeRight && withinBounds(definition, value)) return true;
  found.add(path, `'${definition.name}' must be ${describeAllowed(definition)}; received ${show(value)}.`);
  return false;
}

function validateStep(path: string, definition: NumericDefinition, range: Range, found: ViolationList): void {
  const { step } = range;
  if (step === null) return;
  if (!Number.isFinite(step) || step <= 0) {
    found.add(`${path}.step`, `must be a number above 0; received ${show(step)}. Leave it out for any value.`);
  } else if (definition.type === 'int' && !Number.isInteger(step)) {
    found.add(`${path}.step`, `must be whole, because '${definition.name}' is; received ${step}.`);
  } else if (range.min < range.max && step > range.max - range.min) {
    found.add(
      `${path}.step`,
      `must fit between min and max; received ${step}, and ${range.max - range.min} is between them.`,
    );
  }
  if (range.scale === 'log') {
    found.add(
      `${path}.step`,
      `contradicts scale: log: a step puts the same distance between values, a logarithmic scale the same ratio; ` +
        `received step ${step}. Take step out (a grid then needs grid_points), or use scale: linear.`,
    );
  }
}

function validateGridPoints(
  path: string,
  definition: NumericDefinition,
  range: Range,
  strategy: string | null,
  found: ViolationList,
): void {
  const points = range.gridPoints;
  if (points === null) {
    if (strategy === 'grid' && range.step === null) {
      found.add(
        `${path}.grid_points`,
        `is missing: a grid needs to know how many points of '${definition.name}' to try between ${range.min} and ` +
          `${range.max}. Give grid_points (for example 4) or step, a list of values, or use strategy: random or sobol.`,
      );
    }
    return;
  }
  if (!Number.isInteger(points) || points < 2 || points > MAX_GRID_POINTS) {
    found.add(
      `${path}.grid_points`,
      `must be an integer from 2 to ${MAX_GRID_POINTS}; received ${show(points)}. For one value, use a list.`,
    );
  } else if (range.step !== null) {
    found.add(`${path}.grid_points`, 'and step say the same thing twice. Give one of them.');
  } else if (strategy !== null && strategy !== 'grid') {
    found.add(`${path}.grid_points`, `is for strategy: grid only; the strategy is ${strategy}. Take it out.`);
  }
}
