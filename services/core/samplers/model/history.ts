import type { Parameters } from '../../sweep/sweep-spec.ts';

/** A measured value of a run, oriented so that larger is better. */
export interface Score {
  /** Not NaN. */
  readonly value: number;
  /** Known variance of the value, in its unit squared; null where it is unknown. */
  readonly variance: number | null;
  /** Rung at which it was measured; a higher one is nearer to the end of training. */
  readonly rung: number;
}

/** A run as far as a sampler may know it. Test results have no place in it. */
export interface HistoryRun {
  /** Number of the run. */
  readonly index: number;
  /** Canonical parameters. */
  readonly parameters: Parameters;
  /**
   * - `PENDING`: planned or training;
   * - `SCORED`: trained to its end;
   * - `STOPPED`: ended earlier, by a rule or by failure; its score, if there is one, is that of its last rung;
   * - `INFEASIBLE`: can't be trained.
   */
  readonly status: 'PENDING' | 'SCORED' | 'STOPPED' | 'INFEASIBLE';
  readonly score: Score | null;
}

/** Key of all random numbers of a round of suggestions. */
export interface SuggestKey {
  /** Seed of the sweep. */
  readonly seed: number;
  /** Number of the round, from 0. */
  readonly round: number;
}

/** Returns whether a point must not be suggested: the sweep has it already, or it can't be trained. */
export type IsKnown = (point: Parameters) => boolean;
