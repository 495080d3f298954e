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
  // Sobol points start the sweep, until a model has enough results.
  gp: SOBOL,
  tpe: SOBOL,
} as const satisfies Readonly<Record<string, Sampler>>;

export type StrategyName = keyof typeof SAMPLERS;

/** Strategies that ask for runs by the results of earlier ones, round by round (`core/search-round`). */
export const ADAPTIVE_STRATEGIES = ['gp', 'tpe'] as const satisfies readonly StrategyName[];
export type AdaptiveStrategy = (typeof ADAPTIVE_STRATEGIES)[number];

/** Runs above which a Gaussian process takes too long. */
export const MOST_GP_RUNS = 200;

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

/** Returns whether a model asks for the runs of the sweep, round by round. */
export function isAdaptive(
  spec: Pick<SweepSpec, 'strategy'>,
): spec is Pick<SweepSpec, 'strategy'> & { readonly strategy: AdaptiveStrategy } {
  return ADAPTIVE_STRATEGIES.some((name) => name === spec.strategy);
}

/** Returns whether the strategy draws its runs, so that the first one says nothing of what was used before the search. */
export function drawsRuns({ strategy }: Pick<SweepSpec, 'strategy'>): boolean {
  return isStrategy(strategy) && SAMPLERS[strategy].draws;
}
