import { BoundReachedError } from '../../../core/errors.ts';
import { boundReached } from '../../../core/stopping/budget.ts';
import type { SearchEndCause } from '../../../core/stopping/budget.ts';
import type { SweepScope } from '../move-sweep.ts';
import { readSpending } from '../search/read-spending.ts';
import { readSpec } from '../sweeps/read-spec.ts';

/** Options of `graft sweep extend` that raise a bound, with what they must be. */
const OPTIONS: Readonly<Record<SearchEndCause, string>> = {
  ALL_DECIDED: '',
  SPACE_EXHAUSTED: '',
  PATIENCE: '',
  BUDGET: '--slot-seconds',
  WALL_TIME: '--wall-time',
  TARGET: '--target',
};

/**
 * Requires that no bound of a locked sweep's budget would end new work at once: such work would be stopped before it has begun.
 *
 * @param action what a person does; @param subject to what
 * @throws BoundReachedError
 */
export async function requireRoom(
  { tx, sweep: { sweepId, state } }: SweepScope,
  action: 'extend' | 'retry',
  subject: string,
): Promise<void> {
  const { objective } = await readSpec(tx, sweepId);
  const bound = boundReached(objective, await readSpending(tx, sweepId, () => Promise.resolve(null)));
  if (bound === null) return;
  const larger = `give a larger one with ${OPTIONS[bound.cause]}, or remove it with ${OPTIONS[bound.cause]} none`;
  const remedy =
    action === 'extend'
      ? `This bound must change in the same call: ${larger}.`
      : `Extend the sweep first (graft sweep extend): ${larger}.`;
  throw new BoundReachedError(subject, state, action, bound.reason, remedy);
}
