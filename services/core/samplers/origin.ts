import { digestOf } from '../digest.ts';
import { canonicalParameters } from '../search-space/canonical.ts';
import { EXTENDED_NAMES } from '../sweep/extend-spec.ts';
import type { Parameters, SweepSpec } from '../sweep/sweep-spec.ts';
import { basePoint } from './baseline.ts';
import { drawsRuns, SAMPLERS, strategyOf } from './samplers.ts';
import type { StrategyName } from './samplers.ts';

/** Names of a point of a strategy, with its number. */
const POINTS: Readonly<Record<StrategyName, string>> = {
  grid: 'combination # of the grid',
  random: 'draw # of the random search',
  sobol: 'point # of the Sobol sequence',
  list: 'variant # of the sweep file',
  gp: 'point # of the Sobol sequence',
  tpe: 'point # of the Sobol sequence',
};

/** Points that are compared with a run before its origin is given up: a sequence has no end. */
const MAX_POINTS = 20_000;

/** Returns where a run's parameters come from: a variant, a point of the strategy, or the defaults; null: unknown. */
export function originOf(spec: SweepSpec, parameters: Parameters): string | null {
  const digest = digestOf(canonicalParameters(parameters));
  const isIt = (point: Parameters): boolean => digestOf(canonicalParameters(point)) === digest;
  const base = { ...basePoint(spec), ...extendedOf(spec, parameters) };
  const variant = spec.variants.findIndex((given) => isIt({ ...base, ...given }));
  if (variant !== -1) return POINTS.list.replace('#', String(variant + 1));
  if (drawsRuns(spec) && isIt(base)) return 'the defaults, as the baseline';
  const strategy = strategyOf(spec);
  let number = 0;
  for (const point of SAMPLERS[strategy].sample(spec, base)) {
    number++;
    if (isIt(point)) return POINTS[strategy].replace('#', String(number));
    if (number === MAX_POINTS) break;
  }
  return null;
}

/** Returns the epochs of a run, where the sweep does not vary them: the spec has those of its latest extension. */
function extendedOf(spec: SweepSpec, parameters: Parameters): Parameters {
  const varied = new Set([...spec.parameters.map(({ name }) => name), ...spec.variants.flatMap(Object.keys)]);
  const own = EXTENDED_NAMES.filter((name) => !varied.has(name) && parameters[name] !== undefined);
  return Object.fromEntries(own.map((name) => [name, parameters[name] ?? 0]));
}
