import { insertFirst } from '../tasks/insert-first.ts';
import { countTasks } from '../tasks/insert-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';
import { recordMakers } from './claim-features.ts';

/** Sets that no task of this sweep is to compute, and the tasks that can't begin without them. */
export interface UnplannedFeatures {
  /** Keys of locked rows. */
  readonly keys: readonly string[];
  readonly waiting: readonly string[];
  readonly description: string;
}

/** Inserts another FEATURES task of a locked sweep, on which the waiting tasks depend. */
export async function insertFeatureTask(
  tx: StoreTransaction,
  sweepId: string,
  { keys, waiting, description }: UnplannedFeatures,
): Promise<void> {
  const taskId = `${sweepId}-f${await countTasks(tx, sweepId)}`;
  const featureSets = keys.map((key) => ({ key }));
  await insertFirst(tx, sweepId, { taskId, stage: 'FEATURES', runIds: [], featureSets, dependsOn: [], description });
  await recordMakers(
    tx,
    keys.map((key) => [key, taskId]),
  );
  await tx.query('INSERT INTO task_dependencies (task_id, depends_on_id) SELECT unnest($2::text[]), $1', [
    taskId,
    waiting,
  ]);
}
