import { SEARCH_DEFAULTS } from '../sweep/search-spec.ts';
import type { SearchSpec } from '../sweep/search-spec.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import { canHave } from './largest-run.ts';
import type { SpaceSpec } from './largest-run.ts';

/** A sampler with its version, as it is stored with each suggestion. */
export type SamplerVersion = 'gp@1' | 'tpe@1';

const SAMPLER_OF_STRATEGY: Readonly<Record<string, SamplerVersion>> = { gp: 'gp@1', tpe: 'tpe@1' };

/** Rounds of an adaptive sweep: the spec's section with every default filled in. */
export interface RoundsPolicy {
  readonly sampler: SamplerVersion;
  /** Scored runs before the first model. */
  readonly startupRuns: number;
  /** Runs of a round; null: by the number of runs. */
  readonly roundRuns: number | null;
  /** Part of each round that are Sobol points. */
  readonly explore: number;
  readonly pack: boolean;
  /** True: some runs are fine-tuned, so that their heads have only a part of a budget. */
  readonly fineTunes: boolean;
  /** True: parameters of fine-tuning vary. Promotions from the heads then precede rounds, because their model needs scores. */
  readonly variesFineTuning: boolean;
}

/** The part of a spec that rounds depend on. */
export type RoundsSpec = SpaceSpec & Pick<SweepSpec, 'strategy' | 'search'>;

/** Part of a round that are Sobol points: a protection against a model that errs, of which a density needs more. */
const DEFAULT_EXPLORE: Readonly<Record<SamplerVersion, number>> = { 'gp@1': 0, 'tpe@1': 0.25 };

/** Returns the rounds of a sweep; null: its strategy has none, and all runs are known at its start. */
export function roundsPolicyOf(spec: RoundsSpec): RoundsPolicy | null {
  const sampler = SAMPLER_OF_STRATEGY[spec.strategy];
  if (sampler === undefined) return null;
  const { startupRuns, roundRuns, explore, pack }: SearchSpec = spec.search ?? SEARCH_DEFAULTS;
  return {
    sampler,
    startupRuns,
    roundRuns,
    explore: explore ?? DEFAULT_EXPLORE[sampler],
    pack,
    fineTunes: canHave(spec, 'fine_tune.enabled', true),
    variesFineTuning: spec.parameters.some(({ name }) => isOfFineTuning(name)),
  };
}

/** Returns whether a parameter concerns fine-tuning only, so that it changes nothing about the head. */
export function isOfFineTuning(name: string): boolean {
  return name.startsWith('fine_tune.');
}

/** Runs of a round up to `FEW_RUNS` runs, and above. A Gaussian process loses little in rounds of 8, and a group of 16 costs little more. */
const ROUND_OF_FEW = 8;
const ROUND_OF_MANY = 16;
const FEW_RUNS = 48;
/** Runs that train as one group. */
export const MAX_ROUND_RUNS = 64;

/** Returns the number of runs that a round has; the last one may have fewer. @param maxRuns null: only a budget bounds them */
export function roundSize({ roundRuns }: Pick<RoundsPolicy, 'roundRuns'>, maxRuns: number | null): number {
  const size = roundRuns ?? (maxRuns !== null && maxRuns <= FEW_RUNS ? ROUND_OF_FEW : ROUND_OF_MANY);
  return Math.min(size, MAX_ROUND_RUNS);
}

/** Returns the number of runs of the first round: those that the first model needs, at least the listed variants. */
export function firstRoundSize({
  search = SEARCH_DEFAULTS,
  maxRuns,
  variants,
}: Pick<SweepSpec, 'search' | 'maxRuns' | 'variants'>): number {
  const size = Math.max(variants.length, search.startupRuns, roundSize(search, maxRuns));
  return Math.min(size, maxRuns ?? Infinity);
}
