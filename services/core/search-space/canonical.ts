import { digestOf } from '../digest.ts';
import { InvalidRequestError } from '../errors.ts';
import type { FieldViolation, Parameters, ParameterValue } from '../sweep/sweep-spec.ts';
import { minimumImageSize } from '../network/backbones.ts';
import { didYouMean } from '../text/nearest-name.ts';
import { kerasHint } from './keras-names.ts';
import { findDefinition, PARAMETER_DEFINITIONS, PARAMETER_NAMES, parentAllows } from './parameter-definitions.ts';
import { normalizeValue, valueProblem } from './parameter-value.ts';
import { show } from '../text/show.ts';

/**
 * Returns the complete parameters without the later ones at their default. Two runs train the same thing if and only if their
 * canonical parameters are equal. Throws as `completeParameters` does.
 */
export function canonicalParameters(parameters: Parameters): Parameters {
  return Object.fromEntries(Object.entries(completeParameters(parameters)).filter(isKept));
}

/**
 * Returns all parameters that exist in a run, sorted by name. Defaults are filled in. Parameters that their parent
 * rules out, or that are optional and missing, are dropped.
 *
 * @throws {InvalidRequestError} for unknown names, wrong values and contradictions, with the parameter's name as the
 * field.
 */
export function completeParameters(parameters: Parameters): Parameters {
  const violations = parameterViolations(parameters);
  if (violations.length > 0) throw new InvalidRequestError(violations);
  const filled = new Map<string, ParameterValue>();
  for (const definition of PARAMETER_DEFINITIONS) {
    const parent = definition.parent;
    if (parent !== null && !parentAllows(parent, filled.get(parent.name))) continue;
    const value = ownValue(parameters, definition.name) ?? definition.default;
    if (value !== null) filled.set(definition.name, normalizeValue(definition, value));
  }
  const contradictions = findContradictions(filled);
  if (contradictions.length > 0) throw new InvalidRequestError(contradictions);
  return Object.fromEntries([...filled].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isKept([name, value]: readonly [string, ParameterValue]): boolean {
  const definition = findDefinition(name);
  return definition?.isOmittedAtDefault !== true || value !== definition.default;
}

/** Returns the SHA-256 over the canonical parameters, hexadecimal. Throws as `completeParameters` does. */
export function parametersDigest(parameters: Parameters): string {
  return digestOf(canonicalParameters(parameters));
}

/** Returns violations by unknown names and wrong values; the field is the parameter's name. */
function parameterViolations(parameters: Parameters): FieldViolation[] {
  const violations: FieldViolation[] = [];
  for (const [name, value] of Object.entries(parameters)) {
    const definition = findDefinition(name);
    const description = definition === null ? unknownParameter(name) : valueProblem(definition, value);
    if (description !== null) violations.push({ field: name, description });
  }
  return violations;
}

/** Returns contradictions between two parameters, which the table can't express. */
function findContradictions(filled: ReadonlyMap<string, ParameterValue>): FieldViolation[] {
  return [
    { field: 'epochs', description: epochsProblem(filled) },
    { field: 'image_size', description: imageSizeProblem(filled) },
    { field: 'batch_size', description: batchSizeProblem(filled) },
    ...WARM_UPS.map(([field, epochs]) => ({ field, description: warmupProblem(filled, field, epochs) })),
  ].flatMap(({ field, description }) => (description === null ? [] : [{ field, description }]));
}

function epochsProblem(filled: ReadonlyMap<string, ParameterValue>): string | null {
  if (filled.get('epochs') !== 0 || filled.get('fine_tune.allow_untrained_head') === true) return null;
  return filled.get('fine_tune.enabled') === true
    ? '0 leaves the head untrained, and fine-tuning on an untrained head destroys what the base has learnt. Give at least ' +
        '1, or set fine_tune.allow_untrained_head: true.'
    : '0 trains nothing, because without fine-tuning there is only the head. Give at least 1.';
}

function imageSizeProblem(filled: ReadonlyMap<string, ParameterValue>): string | null {
  const backbone = String(filled.get('backbone'));
  const size = Number(filled.get('image_size'));
  const minimum = minimumImageSize(backbone);
  if (size >= minimum) return null;
  return `must be at least ${minimum} with backbone ${backbone}, as in Keras; received ${size}. Give larger images, or another backbone.`;
}

/** Parameters of warm-ups, with the number of epochs of their phase. */
export const WARM_UPS = [
  ['schedule.warmup_epochs', 'epochs'],
  ['fine_tune.schedule_warmup_epochs', 'fine_tune.epochs'],
] as const;

function warmupProblem(filled: ReadonlyMap<string, ParameterValue>, field: string, epochs: string): string | null {
  const warmup = Number(filled.get(field) ?? 0);
  const all = Number(filled.get(epochs) ?? 0);
  if (warmup === 0 || all === 0 || warmup < all) return null;
  return `must be below ${epochs}, which is ${all}: the schedule follows the warm-up; received ${warmup}.`;
}

function batchSizeProblem(filled: ReadonlyMap<string, ParameterValue>): string | null {
  const mixing = ['augmentation.mixup_alpha', 'augmentation.cutmix_alpha'].find(
    (name) => Number(filled.get(name) ?? 0) > 0,
  );
  if (filled.get('batch_size') !== 1 || mixing === undefined) return null;
  return `1 leaves no other image to mix with, but ${mixing} is ${String(filled.get(mixing))}. Give at least 2, or set ${mixing}: 0.`;
}

/** Returns the message for a name that is not in the table. */
export function unknownParameter(name: string): string {
  return `there is no parameter ${show(name)}.${kerasHint(name) || didYouMean(name, PARAMETER_NAMES)}`;
}

function ownValue(parameters: Parameters, name: string): ParameterValue | undefined {
  return Object.hasOwn(parameters, name) ? parameters[name] : undefined;
}
