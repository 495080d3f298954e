import type { ParameterValue, SweepSpec } from '../sweep/sweep-spec.ts';
import { didYouMean } from '../text/nearest-name.ts';
import { controlProblem } from '../text/control-characters.ts';
import { pathProblem } from './path-problem.ts';
import { memberPath } from './violations.ts';
import type { ViolationList } from './violations.ts';

/** Weights that are not a path. */
const NAMED_WEIGHTS: readonly string[] = ['imagenet', 'random'];

const WHAT = 'a weight file';

/** Checks every `weights` of a spec that is a path, wherever it is given. */
export function validateWeights({ base, parameters, variants }: SweepSpec, found: ViolationList): void {
  const check = (field: string, value: ParameterValue | undefined): void => {
    const problem = typeof value === 'string' ? weightsProblem(value) : null;
    if (problem !== null) found.add(field, problem);
  };
  check(memberPath('base', 'weights'), base['weights']);
  parameters.forEach(({ name, domain }, index) => {
    if (name !== 'weights' || domain.kind !== 'values') return;
    domain.values.forEach((value, place) => check(`parameters[${index}].values[${place}]`, value));
  });
  variants.forEach((variant, index) => check(memberPath(`variants[${index}]`, 'weights'), variant['weights']));
}

function weightsProblem(value: string): string | null {
  // An empty text and control characters are mistakes of any parameter, and reported as such.
  if (value === '' || NAMED_WEIGHTS.includes(value) || controlProblem(value) !== null) return null;
  const problem = pathProblem(value, WHAT);
  if (problem === null) return null;
  const hint = didYouMean(value, NAMED_WEIGHTS);
  return /[/\\.~$%]/.test(value)
    ? problem
    : `must be imagenet, random or the path of ${WHAT}; received '${value}'.${hint}`;
}
