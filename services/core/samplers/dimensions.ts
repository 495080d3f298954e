import { normalizeValue } from '../search-space/parameter-value.ts';
import type { ParameterDefinition } from '../search-space/define-parameter.ts';
import { findDefinition, parentAllows } from '../search-space/parameter-definitions.ts';
import type { ParameterSpec, Parameters, ParameterValue } from '../sweep/sweep-spec.ts';

/** A dimension with its definition and its place in the spec. */
export interface Dimension {
  readonly spec: ParameterSpec;
  readonly definition: ParameterDefinition;
  readonly position: number;
}

/**
 * Orders the dimensions so that each follows everything its existence depends on (built-in parents and the spec's own
 * conditions), otherwise as listed. Expects a valid spec: names without a definition are omitted, a cycle is cut.
 */
export function orderDimensions(specs: readonly ParameterSpec[]): Dimension[] {
  const dimensions = new Map<string, Dimension>();
  specs.forEach((spec, position) => {
    const definition = findDefinition(spec.name);
    if (definition !== null) dimensions.set(spec.name, { spec, definition, position });
  });
  const ordered: Dimension[] = [];
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const parent of parentNames(name, dimensions.get(name))) visit(parent);
    const dimension = dimensions.get(name);
    if (dimension !== undefined) ordered.push(dimension);
  };
  for (const name of dimensions.keys()) visit(name);
  return ordered;
}

/** Returns whether the dimension exists beside the values of all dimensions before it. */
export function dimensionExists(dimension: Dimension, chosen: Parameters): boolean {
  const parent = dimension.definition.parent;
  if (parent !== null && !parentAllows(parent, effectiveValue(chosen, parent.name))) return false;
  return dimension.spec.conditions.every((condition) => {
    const value = effectiveValue(chosen, condition.name);
    const definition = findDefinition(condition.name);
    if (value === undefined || definition === null) return false;
    return condition.values.some((allowed) => normalizeValue(definition, allowed) === value);
  });
}

/** Returns the value of a run: chosen, or the default; undefined where the parameter does not exist in it. */
export function effectiveValue(chosen: Parameters, name: string): ParameterValue | undefined {
  const definition = findDefinition(name);
  if (definition === null) return undefined;
  const parent = definition.parent;
  if (parent !== null && !parentAllows(parent, effectiveValue(chosen, parent.name))) return undefined;
  const own = Object.hasOwn(chosen, name) ? chosen[name] : undefined;
  const value = own ?? definition.default;
  return value === null ? undefined : normalizeValue(definition, value);
}

/** Adds to `base` the values of all dimensions that exist; `pick` is called for those only. */
export function assignDimensions(
  ordered: readonly Dimension[],
  base: Parameters,
  pick: (dimension: Dimension) => ParameterValue,
): Parameters {
  let chosen = base;
  for (const dimension of ordered) {
    if (dimensionExists(dimension, chosen)) chosen = { ...chosen, [dimension.spec.name]: pick(dimension) };
  }
  return chosen;
}

function parentNames(name: string, dimension: Dimension | undefined): string[] {
  const builtIn = findDefinition(name)?.parent?.name;
  const own = dimension?.spec.conditions.map((condition) => condition.name) ?? [];
  return builtIn === undefined ? own : [builtIn, ...own];
}
