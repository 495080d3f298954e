import { isTerminalSweepState } from '../../../core/states/sweep-state.ts';
import { lockSweepOfTask } from '../move-sweep.ts';
import { endAttempt } from '../complete/end-attempt.ts';
import { cancelRunsOf, endWithError, parkRuns } from '../complete/end-with-error.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import { settleSweeps } from '../settle/settle-sweeps.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import { attemptStateOf, fence } from '../tasks/fence.ts';
import type { LeaseClaim, TaskScope } from '../tasks/fence.ts';

export type ReleaseReason = 'DRAINING' | 'PAUSED' | 'PREEMPTED';

const WORDS: Readonly<Record<ReleaseReason, string>> = {
  DRAINING: 'the trainer is ending',
  PAUSED: 'the sweep is paused',
  PREEMPTED: 'the node was taken away',
};

/**
 * Releases an unfinished task: it becomes READY, or CANCELLED with its sweep. The end of a trainer or the loss of its node is an
 * INFRASTRUCTURE error, not a counted failure; the end of a preempted one (`preempt-task.ts`) counts nowhere. Idempotent by (task, lease epoch).
 *
 * @throws LeaseLostError, LeaseNotHeldError
 */
export async function releaseTask(store: Store, claim: LeaseClaim, reason: ReleaseReason): Promise<void> {
  const otherSweeps = await inTransaction(
    store,
    async (tx) => {
      const sweep = await lockSweepOfTask(tx, claim);
      if ((await attemptStateOf(tx, claim)) === 'RELEASED') return [];
      const scope = { tx, sweep, task: await fence(tx, claim) };
      const message = `handed back: ${WORDS[reason]}`;
      const isAsked = reason === 'PAUSED' && sweep.state === 'ACTIVE';
      const preemption = isAsked ? await commandReasonOf(tx, claim.taskId) : '';
      if (isTerminalSweepState(sweep.state)) {
        await endAttempt(scope, { attempt: 'RELEASED', task: 'CANCELLED', event: 'RELEASED', message, error: null });
        await cancelRunsOf(scope);
      } else if (preemption !== '') {
        await endPreempted(scope, preemption);
      } else if (reason === 'PAUSED') {
        await endAttempt(scope, { attempt: 'RELEASED', task: 'READY', event: 'RELEASED', message, error: null });
        await parkRuns(scope, message);
        await settleSweep(scope, null);
      } else {
        const error = { errorClass: 'INFRASTRUCTURE', code: reason, message, datasetProblems: [] } as const;
        await endWithError(scope, error, 'RELEASED');
      }
      return [...tx.otherSweeps];
    },
    'release',
  );
  await settleSweeps(store, otherSweeps);
}

/** Returns why the coordinator has commanded the task's attempt to pause; empty if it has not. */
async function commandReasonOf(tx: StoreTransaction, taskId: string): Promise<string> {
  const { rows } = await tx.query<{ command_reason: string }>(
    `SELECT command_reason FROM tasks WHERE task_id = $1 AND command = 'PAUSE'`,
    [taskId],
  );
  return rows[0]?.command_reason ?? '';
}

/** Ends a preempted attempt. Nothing is counted: the task was well, and continues from what it has just saved. */
async function endPreempted(scope: TaskScope, why: string): Promise<void> {
  const message = `preempted: ${why}`;
  const error = { errorClass: 'INFRASTRUCTURE', code: 'PREEMPTED', message, datasetProblems: [] } as const;
  await endAttempt(scope, { attempt: 'RELEASED', task: 'READY', event: 'RELEASED', message, error });
  await parkRuns(scope, `${message}; continues from its checkpoint`);
  // A bound may have ended the search since the command.
  await settleSweep(scope, null);
}
