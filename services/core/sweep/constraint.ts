/** Costs of a model that a sweep may bound. All of them are known before training. */
export const CONSTRAINT_NAMES = ['model_bytes', 'parameters', 'flops'] as const;
export type ConstraintName = (typeof CONSTRAINT_NAMES)[number];

/** A bound on the models of a sweep: runs over it are never trained. */
export interface Constraint {
  readonly name: ConstraintName;
  /** Largest cost that is allowed. */
  readonly atMost: number;
}
