import { failpoint } from '../../../platform/lifecycle/failpoint.ts';
import { lockSweep, moveSweep } from '../move-sweep.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import { readDueRound } from './due-round.ts';
import { insertRound } from './insert-round.ts';

/**
 * Computes the next round of a sweep and stores it. Does nothing where none is due.
 *
 * @returns whether the round was dropped, because the sweep has changed meanwhile: it may be due again
 * @throws NotFoundError for a sweep that was deleted
 */
export async function askRound(store: Store, sweepId: string): Promise<boolean> {
  const round = await inTransaction(store, (tx) => readDueRound(tx, sweepId));
  if (round === null) return false;
  const { input, due } = round;
  const computed = await store.planner.suggest({ input, due });
  failpoint('round.computed');
  return !(await insertRound(store, sweepId, round, computed));
}

/** Pauses a sweep whose round can't be computed or planned; a person investigates and resumes it. */
export async function pauseWithoutRound(store: Store, sweepId: string, message: string): Promise<void> {
  await inTransaction(store, async (tx) => {
    const { state } = await lockSweep(tx, sweepId);
    const reason = `the next round of runs could not be added: ${message}. Resume the sweep to try it again.`;
    if (state === 'ACTIVE') await moveSweep(tx, sweepId, 'PAUSED', reason);
  });
}
