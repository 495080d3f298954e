import type { OptimizerConfig } from '../../core/run-config.ts';

/** The role of a training step in gradient accumulation and in the average of the weights. */
export interface StepRole {
  /** Updates before this step. */
  readonly updateCount: number;
  /** True: the mean of the accumulated gradients is applied; false: the step only accumulates. */
  readonly isUpdate: boolean;
  /** Share of the moving average that remains; 0 without an average, and before the second update. */
  readonly averageMomentum: number;
}

/**
 * Returns the role of the step after `iterations` others, as Keras 3.15 (keras/src/optimizers/base_optimizer.py). Accumulation
 * does not end with an epoch, and gradients that remain at the end of training are not applied. The average moves in every step,
 * also in those that only accumulate.
 */
export function stepRole(
  { gradientAccumulationSteps = 1, emaMomentum = 0 }: OptimizerConfig,
  iterations: number,
): StepRole {
  const updateCount = Math.floor(iterations / gradientAccumulationSteps);
  return {
    updateCount,
    isUpdate: (iterations + 1) % gradientAccumulationSteps === 0,
    averageMomentum: updateCount === 0 ? 0 : emaMomentum,
  };
}
