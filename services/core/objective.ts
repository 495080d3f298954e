/** What runs are ranked by and what decides which checkpoint is best; always measured on the validation split. */
export interface Objective {
  readonly metric: 'val_loss' | 'val_accuracy';
  readonly goal: 'minimize' | 'maximize';
}

/**
 * Keras `ModelCheckpoint(save_best_only=True)`: better means strictly better, NaN is never better, and the first finite
 * value always is.
 */
export function isBetter(objective: Objective, candidate: number, best: number | null): boolean {
  if (Number.isNaN(candidate)) return false;
  if (best === null || Number.isNaN(best)) return true;
  return objective.goal === 'minimize' ? candidate < best : candidate > best;
}
