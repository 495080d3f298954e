/** Repetitions of the best runs with further seeds, after all runs were trained. */
export interface FinalistSpec {
  /** Maximum number of runs that are repeated. */
  readonly runs: number;
  /** Trainings of each of them, its own included. 1: no run is repeated. */
  readonly seeds: number;
}

export const FINALIST_DEFAULTS: FinalistSpec = { runs: 3, seeds: 3 };

/** Ways to choose the winner: the best score, or the cheapest run within one standard error of it. */
export const WINNER_RULES = ['best', 'one_standard_error'] as const;
export type WinnerRule = (typeof WINNER_RULES)[number];

export const DEFAULT_WINNER_RULE: WinnerRule = 'best';
