import { digestOf } from '../digest.ts';
import { InvalidRequestError } from '../errors.ts';
import type { FieldViolation, Parameters, ParameterValue } from '../sweep/sweep-spec.ts';
import { didYouMean } from './nearest-name.ts';
import { findDefinition, PARAMETER_DEFINITIONS, PARAMETER_NAMES, parentAllows } from './parameter-definitions.ts';
import { normalizeValue, valueProblem } from './parameter-value.ts';

/**
 * All parameters that exist in a run, sorted by name: defaults filled in, and those dropped whose parent rules them out.
 * Two runs train the same thing exactly when their canonical parameters are equal.
 *
 * Throws `InvalidRequestError` for unknown names and wrong values, with the parameter's name as the field.
 */
export function canonicalParameters(parameters: Parameters): Parameters {
  const violations = parameterViolations(parameters);
  if (violations.length > 0) throw new InvalidRequestError(violations);
  const filled = new Map<string, ParameterValue>();
  for (const definition of PARAMETER_DEFINITIONS) {
    const parent = definition.parent;
    if (parent !== null && !parentAllows(parent, filled.get(parent.name))) continue;
    filled.set(
      definition.name,
      normalizeValue(definition, ownValue(parameters, definition.name) ?? definition.default),
    );
  }
  return Object.fromEntries([...filled].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** SHA-256 over the canonical parameters, hexadecimal. Throws as `canonicalParameters`. */
export function parametersDigest(parameters: Parameters): string {
  return digestOf(canonicalParameters(parameters));
}

/** Unknown names and wrong values; the field is the parameter's name. */
export function parameterViolations(parameters: Parameters): FieldViolation[] {
  const violations: FieldViolation[] = [];
  for (const [name, value] of Object.entries(parameters)) {
    const definition = findDefinition(name);
    const description = definition === null ? unknownParameter(name) : valueProblem(definition, value);
    if (description !== null) violations.push({ field: name, description });
  }
  return violations;
}

/** For messages about a name that is not in the table. */
export function unknownParameter(name: string): string {
  return `there is no parameter '${name}'.${didYouMean(name, PARAMETER_NAMES)}`;
}

function ownValue(parameters: Parameters, name: string): ParameterValue | undefined {
  return Object.hasOwn(parameters, name) ? parameters[name] : undefined;
}
