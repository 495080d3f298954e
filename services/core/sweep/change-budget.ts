import type { Objective } from '../objective.ts';
import { isBetter } from '../objective.ts';
import type { BudgetSpec, TargetSpec } from './search-spec.ts';

/** New bounds of a budget. Absent: unchanged; null: no bound. */
export type BudgetChange = Partial<Omit<BudgetSpec, 'patienceRounds'>> & { readonly patienceRounds?: number | null };

const UNBOUNDED: BudgetSpec = { slotSeconds: null, wallSeconds: null, target: null };

/** Returns the budget after a change; null: nothing is bounded. */
export function changedBudget(present: BudgetSpec | null, change: BudgetChange): BudgetSpec | null {
  const { slotSeconds, wallSeconds, target, patienceRounds = null } = { ...UNBOUNDED, ...present, ...change };
  const patience = patienceRounds === null ? {} : { patienceRounds };
  const isUnbounded = slotSeconds === null && wallSeconds === null && target === null && patienceRounds === null;
  return isUnbounded ? null : { slotSeconds, wallSeconds, target, ...patience };
}

/** Bounds that a change has raised or removed, so that more work may follow. */
export interface LooserBounds {
  readonly slotSeconds: boolean;
  readonly wallSeconds: boolean;
  readonly target: boolean;
  readonly patience: boolean;
}

export function looserBounds(objective: Objective, from: BudgetSpec | null, to: BudgetSpec | null): LooserBounds {
  const { slotSeconds, wallSeconds, target } = from ?? UNBOUNDED;
  return {
    slotSeconds: isRaised(slotSeconds, to?.slotSeconds ?? null),
    wallSeconds: isRaised(wallSeconds, to?.wallSeconds ?? null),
    target: target !== null && isHarder(objective, target, to?.target ?? null),
    patience: isRaised(from?.patienceRounds ?? null, to?.patienceRounds ?? null),
  };
}

function isRaised(from: number | null, to: number | null): boolean {
  return from !== null && (to === null || to > from);
}

function isHarder(objective: Objective, from: TargetSpec, to: TargetSpec | null): boolean {
  return to === null || isBetter(objective, to.value, from.value) || to.confidence > from.confidence;
}
