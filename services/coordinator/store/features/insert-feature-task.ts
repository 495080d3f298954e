import { insertFirst } from '../tasks/insert-first.ts';
import { countTasks } from '../tasks/insert-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';
import { recordMakers } from './claim-features.ts';

/** Sets that were not planned to be made by this sweep, or not any more, and the tasks that can't begin without them. */
export interface UnplannedFeatures {
  /** Locked. */
  readonly keys: readonly string[];
  readonly waiting: readonly string[];
  readonly description: string;
}

/** A further FEATURES task of a locked sweep, which the waiting tasks depend on. */
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
