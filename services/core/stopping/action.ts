import type { SearchEndCause } from './budget.ts';
import type { RuleVersion } from './policy.ts';
import type { SamplerVersion } from './rounds-policy.ts';
import type { SCREEN_RULE, ScreenTable } from './screen/keep.ts';

/** An action of a search. One kind for each kind of step in `steps/` that acts. */
export type SearchAction = Promotion | Repetition | SearchEnd | Screening | RoundDue;

export interface Promotion {
  readonly kind: 'PROMOTE';
  readonly rule: RuleVersion;
  readonly runIndex: number;
  /** Rung at which the run waited. */
  readonly rung: number;
  readonly place: number;
  readonly cut: number;
  readonly count: number;
  /** True: only because a slot was idle. */
  readonly idle: boolean;
  readonly reason: string;
}

/** Another training of a finalist, with each of the next seeds. */
export interface Repetition {
  readonly kind: 'REPEAT';
  readonly rule: RuleVersion;
  readonly runIndex: number;
  /** Place among the finalists, from 1. */
  readonly place: number;
  /** Number of finalists. */
  readonly cut: number;
  /** Trainings of the run, its own included. */
  readonly seeds: number;
  readonly reason: string;
}

export interface SearchEnd {
  readonly kind: 'END';
  readonly rule: RuleVersion;
  readonly cause: SearchEndCause;
  readonly reason: string;
}

/** Candidates of the screen are kept or left out. */
export interface Screening {
  readonly kind: 'SCREEN';
  readonly rule: typeof SCREEN_RULE;
  readonly table: ScreenTable;
  readonly reason: string;
}

/** A round of further runs is due. Their parameters are computed afterwards (`core/search-round`), from the state that says so. */
export interface RoundDue {
  readonly kind: 'SUGGEST';
  readonly rule: SamplerVersion;
  /** Number of the round, from 0. */
  readonly round: number;
  /** Runs that are asked for; fewer come where the space has no more. */
  readonly count: number;
  readonly reason: string;
}
