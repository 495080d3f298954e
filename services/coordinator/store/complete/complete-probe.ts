import { InvalidRequestError } from '../../../core/errors.ts';
import { checkProbe } from '../../../core/reports/check-probe.ts';
import type { AskedProbe } from '../../../core/reports/check-probe.ts';
import { correctCountOf } from '../../../core/statistics/evidence.ts';
import type { ProbeMeasurement } from '../../../core/task.ts';
import { countOf } from '../../../core/text/count-of.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import type { TaskScope } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { endAttempt } from './end-attempt.ts';

/** Records what a probe has measured. The last one of a sweep decides its screen. */
export async function completeProbe(scope: TaskScope, result: ProbeMeasurement): Promise<void> {
  const { tx, task } = scope;
  const violations = checkProbe(result, await readAsked(tx, task.taskId));
  if (violations.length > 0) throw new InvalidRequestError(violations);
  const { correct, imageCount, logMe, penalty, latencySeconds, featureCount, seconds } = result;
  const correctCount = correctCountOf({ correct, count: imageCount, losses: null });
  await tx.query(
    `UPDATE probes
        SET correct = $2, correct_count = $3, log_me = $4, penalty = $5, feature_count = $6, latency_seconds = $7, seconds = $8
      WHERE task_id = $1`,
    [task.taskId, Buffer.from(correct), correctCount, logMe, penalty, featureCount, latencySeconds, seconds],
  );
  const message =
    `${(correctCount / imageCount).toFixed(3)} of ${countOf(imageCount, 'image')} predicted correctly in ${seconds.toFixed(1)} s; ` +
    `one image takes ${(latencySeconds * 1000).toFixed(1)} ms`;
  await endAttempt(scope, { attempt: 'SUCCEEDED', task: 'SUCCEEDED', event: 'SUCCEEDED', message, error: null });
  await settleSweep(scope, [task.taskId]);
}

async function readAsked(tx: StoreTransaction, taskId: string): Promise<AskedProbe> {
  const { rows } = await tx.query<AskedProbe>(
    `SELECT train_image_count AS "trainImageCount", validation_image_count AS "validationImageCount"
       FROM probes WHERE task_id = $1`,
    [taskId],
  );
  if (rows[0] === undefined) throw new Error(`Task ${taskId} measures no candidate of its sweep.`);
  return rows[0];
}
