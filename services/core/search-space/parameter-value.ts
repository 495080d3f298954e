import { controlProblem } from '../text/control-characters.ts';
import { show } from '../text/show.ts';
import { canonicalClassWeights, classWeightsProblem, isMeantAsClassWeights } from './class-weights.ts';
import type { ParameterValue } from '../sweep/sweep-spec.ts';
import type { NumericDefinition, ParameterDefinition, StringDefinition } from './define-parameter.ts';
import { didYouMean } from '../text/nearest-name.ts';

/**
 * Describes the mistake of a value, the received value and the remedy; null if it is valid.
 *
 * @param value as read from a file or a request; may have any type.
 */
export function valueProblem(definition: ParameterDefinition, value: unknown): string | null {
  switch (definition.type) {
    case 'bool':
      return typeof value === 'boolean' ? null : `must be true or false; received ${show(value)}.`;
    case 'string':
      return stringProblem(definition, value);
    case 'int':
    case 'number':
      return numberProblem(definition, value);
  }
}

/**
 * Returns the canonical form of a valid value: integers as strings where the parameter is a string, no negative zero.
 */
export function normalizeValue(definition: ParameterDefinition, value: ParameterValue): ParameterValue {
  if (definition.type === 'string' && typeof value === 'number') return String(value);
  if (isClassWeights(definition, value)) return canonicalClassWeights(value);
  return value === 0 ? 0 : value;
}

/** Describes the allowed values for messages: `an integer from 32 to 1024`. */
export function describeAllowed(definition: ParameterDefinition): string {
  switch (definition.type) {
    case 'bool':
      return 'true or false';
    case 'string':
      if (definition.choices !== null) {
        const weights = definition.allowClassWeights === true ? ', or weights by class name' : '';
        return `one of ${definition.choices.join(', ')}${weights}`;
      }
      return definition.allowWholeNumber ? 'a name or an integer' : 'a string';
    case 'int':
    case 'number':
      return describeBounds(definition);
  }
}

function describeBounds(definition: NumericDefinition): string {
  const noun = definition.type === 'int' ? 'an integer' : 'a number';
  const low = definition.open === 'min' || definition.open === 'both' ? `above ${definition.min}` : null;
  const high = definition.open === 'max' || definition.open === 'both' ? `below ${definition.max}` : null;
  if (low === null && high === null) return `${noun} from ${definition.min} to ${definition.max}`;
  return `${noun} ${low ?? `of at least ${definition.min}`} and ${high ?? `at most ${definition.max}`}`;
}

/** Returns whether the number is within the definition's bounds. */
export function withinBounds(definition: NumericDefinition, value: number): boolean {
  const { min, max, open } = definition;
  const aboveMin = open === 'min' || open === 'both' ? value > min : value >= min;
  const belowMax = open === 'max' || open === 'both' ? value < max : value <= max;
  return aboveMin && belowMax;
}

function numberProblem(definition: NumericDefinition, value: unknown): string | null {
  const right = typeof value === 'number' && withinBounds(definition, value);
  if (right && (definition.type === 'number' || Number.isInteger(value))) return null;
  return `must be ${describeBounds(definition)}; received ${show(value)}.`;
}

function stringProblem(definition: StringDefinition, value: unknown): string | null {
  if (typeof value === 'number' && definition.allowWholeNumber) {
    return Number.isSafeInteger(value) && value >= 1 ? null : `must be at least 1 as a number; received ${value}.`;
  }
  if (typeof value !== 'string') return `must be ${describeAllowed(definition)}; received ${show(value)}.`;
  if (definition.choices === null) {
    return value === '' && !definition.allowEmpty ? 'must not be empty.' : controlProblem(value);
  }
  if (definition.choices.includes(value)) return null;
  if (isClassWeights(definition, value)) return classWeightsProblem(value);
  const hint = didYouMean(value, definition.choices);
  return `must be ${describeAllowed(definition)}; received ${show(value)}.${hint}`;
}

function isClassWeights(definition: ParameterDefinition, value: ParameterValue): value is string {
  const isAllowed = definition.type === 'string' && definition.allowClassWeights === true;
  return isAllowed && typeof value === 'string' && isMeantAsClassWeights(value);
}
