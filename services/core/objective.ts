/**
 * Validation metrics that treat all classes alike, however few images they have. A task lists those that its trainer records
 * (`class-metrics.ts`).
 */
export const CLASS_METRICS = ['val_macro_f1', 'val_balanced_accuracy', 'val_auc'] as const;
export type ClassMetric = (typeof CLASS_METRICS)[number];

export const OBJECTIVE_METRICS = ['val_loss', 'val_accuracy', ...CLASS_METRICS] as const;
export type ObjectiveMetric = (typeof OBJECTIVE_METRICS)[number];

export const OBJECTIVE_GOALS = ['minimize', 'maximize'] as const;
export type ObjectiveGoal = (typeof OBJECTIVE_GOALS)[number];

/** The direction in which each metric improves. */
export const GOAL_OF_METRIC = {
  val_loss: 'minimize',
  val_accuracy: 'maximize',
  val_macro_f1: 'maximize',
  val_balanced_accuracy: 'maximize',
  val_auc: 'maximize',
} as const satisfies Readonly<Record<ObjectiveMetric, ObjectiveGoal>>;

export function isObjectiveMetric(name: string): name is ObjectiveMetric {
  return Object.hasOwn(GOAL_OF_METRIC, name);
}

export function isClassMetric(name: string): name is ClassMetric {
  return CLASS_METRICS.some((metric) => metric === name);
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
