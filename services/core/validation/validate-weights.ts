import type { ParameterValue, SweepSpec } from '../sweep/sweep-spec.ts';
import { didYouMean } from '../text/nearest-name.ts';
import { controlProblem } from '../text/control-characters.ts';
import { pathProblem } from './path-problem.ts';
import { memberPath } from './violations.ts';
import type { ViolationList } from './violations.ts';

/** Weights that are not a path. */
const NAMED_WEIGHTS: readonly string[] = ['imagenet', 'random'];

const WHAT = 'a weight file';

interface GivenWeights {
  /** Path in the spec. */
  readonly field: string;
  readonly value: ParameterValue | undefined;
}

/** Checks every `weights` of a spec that is a path, wherever it is given. */
export function validateWeights(spec: SweepSpec, found: ViolationList): void {
  for (const { field, value } of weightsOf(spec)) {
    const problem = typeof value === 'string' ? weightsProblem(value) : null;
    if (problem !== null) found.add(field, problem);
  }
}

/** Returns every `weights` of a spec with its field, wherever it is given. */
export function weightsOf({ base, parameters, variants }: SweepSpec): readonly GivenWeights[] {
  return [
    { field: memberPath('base', 'weights'), value: base['weights'] },
    ...parameters.flatMap(({ name, domain }, index) => {
      if (name !== 'weights' || domain.kind !== 'values') return [];
      return domain.values.map((value, place) => ({ field: `parameters[${index}].values[${place}]`, value }));
    }),
    ...variants.map((variant, index) => ({
      field: memberPath(`variants[${index}]`, 'weights'),
      value: variant['weights'],
    })),
  ];
}

/** Returns whether weights are a path, valid or not, rather than a name. */
export function isWeightsPath(value: string): boolean {
  return value !== '' && !NAMED_WEIGHTS.includes(value);
}

function weightsProblem(value: string): string | null {
  // An empty text and control characters are mistakes of any parameter, and reported as such.
  if (!isWeightsPath(value) || controlProblem(value) !== null) return null;
  const problem = pathProblem(value, WHAT);
  if (problem === null) return null;
  const hint = didYouMean(value, NAMED_WEIGHTS);
  return /[/\\.~$%]/.test(value)
    ? problem
    : `must be imagenet, random or the path of ${WHAT}; received '${value}'.${hint}`;
}
