import { InvalidRequestError, LeaseLostError } from '../../../core/errors.ts';
import type { TaskError, TaskResult } from '../../../core/task.ts';
import { reviewBenches } from '../faults/review-benches.ts';
import type { ConfirmedDamage } from '../repair/damaged-checkpoint.ts';
import { lockSweepOfTask } from '../move-sweep.ts';
import { settleSweeps } from '../settle/settle-sweeps.ts';
import type { Store } from '../store.ts';
import { attemptStateOf, tryFence } from '../tasks/fence.ts';
import type { FencedTask, LeaseClaim, TaskScope } from '../tasks/fence.ts';
import { inTransaction } from '../transaction.ts';
import { completeEvaluate } from './complete-evaluate.ts';
import { completeFeatures } from './complete-features.ts';
import { completeIndex, endIndexWithError } from './complete-index.ts';
import { completeProbe } from './complete-probe.ts';
import { completeTrain } from './complete-train.ts';
import { endWithError } from './end-with-error.ts';

/** The end of an attempt: a result, or a failure as a whole. */
export type TaskEnd =
  | { readonly kind: 'result'; readonly result: TaskResult }
  /** `damage`: confirmed damage of checkpoints that the error names. */
  | { readonly kind: 'error'; readonly error: TaskError; readonly damage?: ConfirmedDamage };

/**
 * Ends an attempt, moves its runs and settles its sweep, in one transaction. Idempotent by (task, lease epoch): an attempt that an
 * earlier call has ended is not changed.
 *
 * @param testLabels of the test images by path, for EVALUATE; null: unknown
 * @throws LeaseLostError, LeaseNotHeldError, InvalidRequestError
 */
export async function completeTask(
  store: Store,
  claim: LeaseClaim,
  end: TaskEnd,
  testLabels: ReadonlyMap<string, number> | null = null,
): Promise<void> {
  const { otherSweeps, suspects } = await inTransaction(
    store,
    async (tx) => {
      const sweep = await lockSweepOfTask(tx, claim);
      const task = await tryFence(tx, claim);
      if (task === null) {
        const state = await attemptStateOf(tx, claim);
        if (state === 'SUCCEEDED' || state === 'FAILED') return { otherSweeps: [], suspects: [] };
        throw new LeaseLostError(claim.taskId, claim.leaseEpoch);
      }
      const scope = { tx, sweep, task };
      if (end.kind === 'result') await completeWithResult(scope, end.result, testLabels);
      else if (task.stage === 'INDEX') await endIndexWithError(scope, end.error);
      else await endWithError(scope, end.error, 'FAILED', end.damage);
      return { otherSweeps: [...tx.otherSweeps], suspects: [...tx.suspects] };
    },
    'complete',
  );
  await reviewBenches(store, suspects);
  await settleSweeps(store, otherSweeps);
}

async function completeWithResult(
  scope: TaskScope,
  result: TaskResult,
  testLabels: ReadonlyMap<string, number> | null,
): Promise<void> {
  checkStage(scope.task, result);
  switch (result.stage) {
    case 'INDEX':
      return completeIndex(scope, result);
    case 'PROBE':
      return completeProbe(scope, result);
    case 'FEATURES':
      return completeFeatures(scope, result);
    case 'TRAIN':
      return completeTrain(scope, result.outcomes);
    case 'EVALUATE':
      return completeEvaluate(scope, result.measurements, testLabels);
  }
}

function checkStage(task: FencedTask, result: TaskResult): void {
  const isRight =
    result.stage === 'TRAIN' ? task.stage === 'HEAD' || task.stage === 'FINE_TUNE' : result.stage === task.stage;
  if (isRight) return;
  const description = `the task's stage is ${task.stage}; received the result of ${result.stage}.`;
  throw new InvalidRequestError([{ field: 'result', description }]);
}
