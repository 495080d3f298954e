import { isTerminalSweepState } from '../../../core/states/sweep-state.ts';
import { lockSweepOfTask } from '../move-sweep.ts';
import { endAttempt } from '../complete/end-attempt.ts';
import { cancelRunsOf, endWithError, parkRuns } from '../complete/end-with-error.ts';
import { settleSweeps } from '../settle/settle-sweeps.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import { attemptStateOf, fence } from '../tasks/fence.ts';
import type { LeaseClaim } from '../tasks/fence.ts';

export type ReleaseReason = 'DRAINING' | 'PAUSED' | 'PREEMPTED';

const WORDS: Readonly<Record<ReleaseReason, string>> = {
  DRAINING: 'the trainer is ending',
  PAUSED: 'the sweep is paused',
  PREEMPTED: 'the node was taken away',
};

/**
 * Releases an unfinished task: it becomes READY, or CANCELLED with its sweep. The end of a trainer or the loss of its node is an
 * INFRASTRUCTURE error, not a counted failure. Idempotent by (task, lease epoch).
 *
 * @throws LeaseLostError, LeaseNotHeldError
 */
export async function releaseTask(store: Store, claim: LeaseClaim, reason: ReleaseReason): Promise<void> {
  const otherSweeps = await inTransaction(store, async (tx) => {
    const sweep = await lockSweepOfTask(tx, claim);
    if ((await attemptStateOf(tx, claim)) === 'RELEASED') return [];
    const scope = { tx, sweep, task: await fence(tx, claim) };
    const message = `handed back: ${WORDS[reason]}`;
    if (isTerminalSweepState(sweep.state)) {
      await endAttempt(scope, { attempt: 'RELEASED', task: 'CANCELLED', event: 'RELEASED', message, error: null });
      await cancelRunsOf(scope);
    } else if (reason === 'PAUSED') {
      await endAttempt(scope, { attempt: 'RELEASED', task: 'READY', event: 'RELEASED', message, error: null });
      await parkRuns(scope, message);
    } else {
      const error = { errorClass: 'INFRASTRUCTURE', code: reason, message, datasetProblems: [] } as const;
      await endWithError(scope, error, 'RELEASED');
    }
    return [...tx.otherSweeps];
  });
  await settleSweeps(store, otherSweeps);
}
