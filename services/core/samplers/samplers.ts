import { InvalidRequestError } from '../errors.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import { GRID } from './grid.ts';
import { LIST } from './list.ts';
import { RANDOM } from './random.ts';
import type { Sampler } from './sampler.ts';
import { SOBOL } from './sobol.ts';

/** The strategies by name, as sweep files and `graft.v1.Strategy` have them. The compiler compares the latter with this table. */
export const SAMPLERS = {
  grid: GRID,
  random: RANDOM,
  sobol: SOBOL,
  list: LIST,
} as const satisfies Readonly<Record<string, Sampler>>;

export type StrategyName = keyof typeof SAMPLERS;

export const STRATEGIES = Object.keys(SAMPLERS) as readonly StrategyName[];

export function isStrategy(name: string): name is StrategyName {
  return Object.hasOwn(SAMPLERS, name);
}

/** Returns the name of a spec's strategy. @throws InvalidRequestError where there is none of that name. */
export function strategyOf({ strategy }: Pick<SweepSpec, 'strategy'>): StrategyName {
  if (isStrategy(strategy)) return strategy;
  const description = `must be one of ${STRATEGIES.join(', ')}; received '${strategy}'.`;
  throw new InvalidRequestError([{ field: 'strategy', description }]);
}

/** Returns whether the strategy draws its runs, so that the first one says nothing of what was used before the search. */
export function drawsRuns({ strategy }: Pick<SweepSpec, 'strategy'>): boolean {
  return isStrategy(strategy) && SAMPLERS[strategy].draws;
}
