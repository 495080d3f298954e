import { decideMachineFault, machineFault } from '../../../core/machine-fault.ts';
import type { MissingWeights, TaskError, TaskResult, WeightsReference } from '../../../core/task.ts';
import { forgetFaults } from '../faults/record-fault.ts';
import { otherSlots } from '../faults/other-slots.ts';
import { endRuns } from '../runs/end-runs.ts';
import { IDLE_RUNS } from '../state-sql.ts';
import type { TaskScope } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';

export type IndexResult = Extract<TaskResult, { stage: 'INDEX' }>;

/** Codes of the faults of machines that lack weights. */
const CODES: readonly string[] = ['WEIGHTS_MISSING', 'WEIGHTS_UNAVAILABLE'];

/** Returns the error of a machine that lacks weights which another machine, or a later attempt, may find; null: none is such. */
export function shortageOf(missing: readonly MissingWeights[]): TaskError | null {
  const elsewhere = missing.filter((weights) => weights.elsewhere);
  if (elsewhere.length === 0) return null;
  const code = elsewhere.some(({ temporary }) => temporary) ? 'WEIGHTS_UNAVAILABLE' : 'WEIGHTS_MISSING';
  return machineFault(code, elsewhere.map(({ reason }) => reason).join('\n'));
}

/**
 * Returns whether INDEX may find more than this attempt: on a slot of another machine that has not failed it, or in a later round if a
 * download failed for the moment.
 */
export async function mayFindMore({ tx, task }: TaskScope, { code, message }: TaskError): Promise<boolean> {
  const { rows } = await tx.query<{ has_other: boolean; round: number }>(
    `SELECT EXISTS (${otherSlots('t')} AND os.trainer_id <> $2) AS has_other, machine_round_count + 1 AS round
       FROM tasks t WHERE t.task_id = $1`,
    [task.taskId, task.trainerId],
  );
  const { has_other: hasOther, round } = rows[0] ?? { has_other: false, round: Infinity };
  if (hasOther) return true;
  const { action } = decideMachineFault({ code, message, isPermanent: false, hasOther, round });
  return code === 'WEIGHTS_UNAVAILABLE' && action === 'AGAIN';
}

/** Returns a result with the weights that only an earlier attempt has found. */
export function joinResults(result: IndexResult, earlier: IndexResult | null): IndexResult {
  if (earlier === null) return result;
  const lacks = (missing: readonly WeightsReference[], { backbone, weights }: WeightsReference): boolean =>
    missing.some((other) => other.backbone === backbone && other.weights === weights);
  return {
    ...result,
    weights: [...result.weights, ...earlier.weights.filter((known) => lacks(result.missingWeights, known))],
    missingWeights: result.missingWeights.filter((missing) => !lacks(earlier.weights, missing)),
  };
}

/** Returns what the attempts of INDEX have found so far; null: nothing yet. */
export async function readPartial(tx: StoreTransaction, taskId: string): Promise<IndexResult | null> {
  const { rows } = await tx.query<{ partial_index: IndexResult | null }>(
    'SELECT partial_index FROM tasks WHERE task_id = $1',
    [taskId],
  );
  return rows[0]?.partial_index ?? null;
}

/** Keeps what the attempts of INDEX have found so far. */
export async function keepPartial(tx: StoreTransaction, taskId: string, found: IndexResult): Promise<void> {
  await tx.query('UPDATE tasks SET partial_index = $2::jsonb WHERE task_id = $1', [taskId, JSON.stringify(found)]);
}

/** Deletes what is kept of a search that is over. Weights that no trainer has are no evidence against the machines. */
export async function forgetSearch(
  tx: StoreTransaction,
  taskId: string,
  missing: readonly MissingWeights[],
): Promise<void> {
  await tx.query('UPDATE tasks SET partial_index = NULL WHERE task_id = $1 AND partial_index IS NOT NULL', [taskId]);
  if (shortageOf(missing) !== null) await forgetFaults(tx, taskId, CODES);
}

/** Returns what INDEX reports about missing weights, before any run is trained; their runs carry the reasons. Empty: none is missing. */
export function describeMissing(missing: readonly MissingWeights[]): string {
  if (missing.length === 0) return '';
  const named = missing.map(({ backbone, weights }) => `${backbone} (${weights})`).join(', ');
  return `; weights are missing for ${named}: the runs on them fail, and the others are trained`;
}

/** Fails the runs whose weights are missing. */
export async function failRunsWithout(
  tx: StoreTransaction,
  sweepId: string,
  missing: readonly MissingWeights[],
): Promise<void> {
  for (const { backbone, weights, reason } of missing) {
    const { rows } = await tx.query<{ run_id: string }>(
      `SELECT run_id FROM runs
        WHERE sweep_id = $1 AND state IN ${IDLE_RUNS} AND parameters ->> 'backbone' = $2 AND parameters ->> 'weights' = $3
        ORDER BY run_id`,
      [sweepId, backbone, weights],
    );
    await endRuns(
      tx,
      rows.map(({ run_id }) => run_id),
      { to: 'FAILED', reason },
    );
  }
}
