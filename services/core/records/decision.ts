/** Kinds of stored decisions: verdicts, actions of the search, and those of people and of the scheduler. */
export const DECISION_KINDS = [
  'CONTINUE',
  'STOP',
  'PAUSE',
  'PROMOTE',
  'END',
  'STOP_RUN',
  'EXTEND',
  'CHANGE_BUDGET',
  'RETRY_RUN',
  'PREEMPT',
  'SCREEN',
  'REPEAT',
  'SUGGEST',
] as const;
export type DecisionKind = (typeof DECISION_KINDS)[number];

/** Bounds that end a search while runs may still train. */
export const SEARCH_BOUNDS = ['BUDGET', 'WALL_TIME', 'TARGET'] as const;

/** Ends at which nothing was left to do, so that they stop no run that trains. */
const DECIDED_ENDS = ['ALL_DECIDED', 'SPACE_EXHAUSTED', 'PATIENCE'] as const;

/** Reasons why a search has ended. */
export const SEARCH_ENDS = [...DECIDED_ENDS, ...SEARCH_BOUNDS, 'USER'] as const;
export type SearchEnd = (typeof SEARCH_ENDS)[number];

/** Returns whether a search ended because nothing was left to do. */
export function isDecided(end: SearchEnd): boolean {
  return DECIDED_ENDS.some((decided) => decided === end);
}
