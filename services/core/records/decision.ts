/** Verdicts about a run at a rung. */
export const VERDICT_KINDS = ['CONTINUE', 'STOP', 'PAUSE'] as const;

/** Kinds of stored decisions: verdicts, actions of the search, and those of people and of the scheduler. */
export const DECISION_KINDS = [
  ...VERDICT_KINDS,
  'PROMOTE',
  'END',
  'STOP_RUN',
  'EXTEND',
  'CHANGE_BUDGET',
  'RETRY_RUN',
  'PREEMPT',
] as const;
export type DecisionKind = (typeof DECISION_KINDS)[number];

/** Reasons why a search has ended. */
export const SEARCH_ENDS = ['ALL_DECIDED', 'BUDGET', 'WALL_TIME', 'TARGET', 'USER'] as const;
export type SearchEnd = (typeof SEARCH_ENDS)[number];
