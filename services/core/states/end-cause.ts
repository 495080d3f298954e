/**
 * Causes of a run's end. ALL_EPOCHS: it trained to its end. EARLY_STOPPING: its own patience ended its last stage. RULE: the sweep's
 * stopping rule. NOT_PROMOTED: it was paused at a rung when the search ended. BUDGET, TARGET: the search ended. USER: a person. ERROR: it
 * failed or can't be trained. REUSED: it took over the result of a run of another sweep.
 */
export const END_CAUSES = [
  'ALL_EPOCHS',
  'EARLY_STOPPING',
  'RULE',
  'NOT_PROMOTED',
  'BUDGET',
  'TARGET',
  'USER',
  'ERROR',
  'REUSED',
] as const;
export type EndCause = (typeof END_CAUSES)[number];
