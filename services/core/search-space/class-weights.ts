import type { ClassWeights } from '../run-config.ts';
import { controlProblem } from '../text/control-characters.ts';
import { didYouMean } from '../text/nearest-name.ts';
import { show } from '../text/show.ts';

/** Largest weight; above it, float32 gradients would soon overflow. */
const MAX_WEIGHT = 1e6;
const EXAMPLE = `{"cat": 1, "dog": 3.5}`;

/** Returns whether a string is meant as weights by class name: it looks like a JSON object. */
export function isMeantAsClassWeights(text: string): boolean {
  return text.trimStart().startsWith('{');
}

/** Describes the mistake in weights by class name, written as a JSON object; null if they are valid. */
export function classWeightsProblem(text: string): string | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return `must be a JSON object of class names and weights, such as ${EXAMPLE}; received ${show(text)}.`;
  }
  if (typeof parsed !== 'object' || parsed === null) return `must be an object of class names and weights.`;
  const entries = Object.entries(parsed as Readonly<Record<string, unknown>>);
  if (entries.length === 0) return `names no class. Give a weight by class name, such as ${EXAMPLE}, or none.`;
  for (const [name, weight] of entries) {
    const problem = controlProblem(name);
    if (problem !== null) return problem;
    if (typeof weight !== 'number' || !(weight >= 0 && weight <= MAX_WEIGHT)) {
      return `needs a number from 0 to ${MAX_WEIGHT} as the weight of ${show(name)}; received ${show(weight)}.`;
    }
  }
  return null;
}

/** Returns valid weights with their names in order, so that equal weights are equal strings. */
export function canonicalClassWeights(text: string): string {
  const entries = Object.entries(JSON.parse(text) as Readonly<Record<string, number>>);
  return JSON.stringify(Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Reads the canonical value of the parameter. */
export function readClassWeights(value: string): ClassWeights {
  if (value === 'none' || value === 'balanced') return value;
  return JSON.parse(value) as Readonly<Record<string, number>>;
}

/** Describes the names that are no classes of the data set; null: all are. */
export function unknownClassProblem(weights: ClassWeights, classNames: readonly string[]): string | null {
  if (typeof weights === 'string') return null;
  const unknown = Object.keys(weights).filter((name) => !classNames.includes(name));
  const [first] = unknown;
  if (first === undefined) return null;
  // Stored weights of earlier versions may have control characters, which PostgreSQL refuses in a reason.
  const named = unknown.slice(0, MAX_NAMED).map(show).join(', ');
  const more = unknown.length > MAX_NAMED ? ` and ${unknown.length - MAX_NAMED} more` : '';
  const classes = classNames.slice(0, MAX_NAMED).join(', ') + (classNames.length > MAX_NAMED ? ', …' : '');
  return (
    `class_weights names ${named}${more}, which the data set does not have; its ${classNames.length} classes are ` +
    `${classes}.${didYouMean(first, classNames)}`
  );
}

const MAX_NAMED = 5;
