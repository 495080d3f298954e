import { dimensionExists, effectiveValue } from '../samplers/dimensions.ts';
import type { Dimension } from '../samplers/dimensions.ts';
import type { Parameters } from '../sweep/sweep-spec.ts';

/** Parameters that decide what the features of a cached head are, and the order of its batches. */
const SPLITTING = [
  'backbone',
  'weights',
  'cut',
  'image_size',
  'method',
  'feature_dtype',
  'head.pooling',
  'batch_size',
  'data_seed',
];

/** Returns whether runs with different values of a parameter can train in different groups (`planner/train-group.ts`). */
export function splitsGroups(name: string): boolean {
  return SPLITTING.includes(name) || name.startsWith('augmentation.');
}

/** Returns the values of the dimensions of a run that decide its group, parents before their children. */
function groupValues(dimensions: readonly Dimension[], run: Parameters): Parameters {
  const splitting = dimensions.filter(({ spec: { name } }) => splitsGroups(name));
  const values = splitting.flatMap((dimension) => {
    const { name } = dimension.spec;
    const value = dimensionExists(dimension, run) ? effectiveValue(run, name) : undefined;
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(values);
}

/** Number of suggestions of a round for each that may open a group. */
const RUNS_OF_FREE_ONE = 8;

/**
 * Returns the values that split groups of which the next run of a round has to take some: the first runs may have any, later ones those of
 * the runs before. Empty: the run may have any.
 *
 * @param round runs of the round so far
 * @param count runs of the whole round
 */
export function packedValues(
  dimensions: readonly Dimension[],
  round: readonly Parameters[],
  count: number,
  pack: boolean,
): readonly Parameters[] {
  if (!pack || round.length < Math.ceil(count / RUNS_OF_FREE_ONE)) return [];
  const values = round.map((run) => groupValues(dimensions, run));
  const distinct = [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
  return distinct.some((value) => Object.keys(value).length > 0) ? distinct : [];
}

/** Returns the number of the group of each run, from 1 in the order of their first members. */
export function groupNumbers(dimensions: readonly Dimension[], runs: readonly Parameters[]): number[] {
  const numbers = new Map<string, number>();
  return runs.map((run) => {
    const key = JSON.stringify(groupValues(dimensions, run));
    const number = numbers.get(key) ?? numbers.size + 1;
    numbers.set(key, number);
    return number;
  });
}
