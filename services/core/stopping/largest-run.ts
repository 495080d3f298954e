import { findDefinition } from '../search-space/parameter-definitions.ts';
import type { ParameterValue, SweepSpec } from '../sweep/sweep-spec.ts';
import type { LadderRun } from './ladder.ts';

/** The part of a spec that says which values its runs can have. */
export type SpaceSpec = Pick<SweepSpec, 'parameters' | 'base' | 'variants'>;

/**
 * Returns a run with the most epochs that a run of the space can have, in each stage that one can have: the rungs of a sweep must not
 * depend on which of its runs come first.
 */
export function largestRun(spec: SpaceSpec): LadderRun {
  return {
    index: -1,
    headEpochs: largestOf(spec, 'epochs'),
    augmented: canHave(spec, 'method', 'augmented'),
    fineTuneEpochs: canHave(spec, 'fine_tune.enabled', true) ? largestOf(spec, 'fine_tune.epochs') : null,
  };
}

/** Returns whether a run of the space can have a value. Conditions are not considered. */
export function canHave(spec: SpaceSpec, name: string, value: ParameterValue): boolean {
  return possibleValues(spec, name).includes(value);
}

function largestOf(spec: SpaceSpec, name: string): number {
  return Math.max(0, ...possibleValues(spec, name).map(Number));
}

/** Returns the values that a parameter can have, of a range only its ends. */
function possibleValues({ parameters, base, variants }: SpaceSpec, name: string): ParameterValue[] {
  const dimension = parameters.find((parameter) => parameter.name === name);
  const isVaried = dimension !== undefined && dimension.conditions.length === 0;
  const usual = base[name] ?? findDefinition(name)?.default ?? null;
  const takesUsual = !isVaried || variants.some((variant) => !Object.hasOwn(variant, name));
  const domain = dimension?.domain;
  const drawn = domain === undefined ? [] : domain.kind === 'values' ? domain.values : [domain.min, domain.max];
  return [
    ...(takesUsual && usual !== null ? [usual] : []),
    ...variants.flatMap((variant) => variant[name] ?? []),
    ...drawn,
  ];
}
