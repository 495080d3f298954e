export const OBJECTIVE_METRICS = ['val_loss', 'val_accuracy'] as const;
export type ObjectiveMetric = (typeof OBJECTIVE_METRICS)[number];

export const OBJECTIVE_GOALS = ['minimize', 'maximize'] as const;
export type ObjectiveGoal = (typeof OBJECTIVE_GOALS)[number];

/** The direction in which each metric improves. */
export const GOAL_OF_METRIC = {
  val_loss: 'minimize',
  val_accuracy: 'maximize',
} as const satisfies Readonly<Record<ObjectiveMetric, ObjectiveGoal>>;

export function isObjectiveMetric(name: string): name is ObjectiveMetric {
  return Object.hasOwn(GOAL_OF_METRIC, name);
}

/** The measure that ranks runs and selects the best checkpoint; always taken on the validation split. */
export interface Objective {
  readonly metric: ObjectiveMetric;
  readonly goal: ObjectiveGoal;
}

/**
 * Returns whether a value is better than the best, as Keras `ModelCheckpoint(save_best_only=True)`: strictly better. NaN is never
 * better, and the first finite value always is.
 */
export function isBetter(objective: Objective, candidate: number, best: number | null): boolean {
  if (Number.isNaN(candidate)) return false;
  if (best === null || Number.isNaN(best)) return true;
  return objective.goal === 'minimize' ? candidate < best : candidate > best;
}
