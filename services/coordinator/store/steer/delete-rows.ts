import type { StoreTransaction } from '../transaction.ts';

const OWN_RUNS = 'SELECT run_id FROM runs WHERE sweep_id = $1';
const OWN_TASKS = 'SELECT task_id FROM tasks WHERE sweep_id = $1';

/** Deletes all rows of a sweep, and the shared rows that only it used. Rows that refer to others are deleted before these. */
export async function deleteRows(
  tx: StoreTransaction,
  sweepId: string,
  { featureKeys, datasetIds }: { readonly featureKeys: readonly string[]; readonly datasetIds: readonly string[] },
): Promise<void> {
  const batch = tx.batch();
  const own = [sweepId];
  batch.query(
    `UPDATE feature_sets SET computed_by_task_id = NULL WHERE computed_by_task_id IN (${OWN_TASKS})
        AND feature_key <> ALL($2)`,
    [sweepId, featureKeys],
  );
  batch.query(`DELETE FROM test_predictions WHERE run_id IN (${OWN_RUNS})`, own);
  batch.query(`DELETE FROM test_class_results WHERE run_id IN (${OWN_RUNS})`, own);
  batch.query(`DELETE FROM test_results WHERE run_id IN (${OWN_RUNS})`, own);
  batch.query(`DELETE FROM machine_faults WHERE task_id IN (${OWN_TASKS})`, own);
  batch.query(`DELETE FROM attempts WHERE task_id IN (${OWN_TASKS})`, own);
  batch.query(`DELETE FROM task_feature_sets WHERE task_id IN (${OWN_TASKS})`, own);
  batch.query(`DELETE FROM task_dependencies WHERE task_id IN (${OWN_TASKS}) OR depends_on_id IN (${OWN_TASKS})`, own);
  batch.query(`DELETE FROM task_runs WHERE task_id IN (${OWN_TASKS})`, own);
  batch.query('DELETE FROM probes WHERE sweep_id = $1', own);
  batch.query('DELETE FROM tasks WHERE sweep_id = $1', own);
  batch.query(`DELETE FROM run_parameters WHERE run_id IN (${OWN_RUNS})`, own);
  batch.query(`DELETE FROM epoch_metrics WHERE run_id IN (${OWN_RUNS})`, own);
  batch.query(`DELETE FROM repeat_results WHERE run_id IN (${OWN_RUNS})`, own);
  batch.query('DELETE FROM winners WHERE sweep_id = $1', own);
  batch.query('DELETE FROM suggestions WHERE sweep_id = $1', own);
  batch.query('DELETE FROM decisions WHERE sweep_id = $1', own);
  batch.query('DELETE FROM rung_entries WHERE sweep_id = $1', own);
  batch.query('DELETE FROM rungs WHERE sweep_id = $1', own);
  batch.query('DELETE FROM searches WHERE sweep_id = $1', own);
  batch.query(`DELETE FROM checkpoints WHERE run_id IN (${OWN_RUNS})`, own);
  batch.query('DELETE FROM outbox WHERE sweep_id = $1', own);
  batch.query('DELETE FROM mlflow_runs WHERE sweep_id = $1', own);
  batch.query('DELETE FROM events WHERE sweep_id = $1', own);
  batch.query('DELETE FROM runs WHERE sweep_id = $1', own);
  batch.query('DELETE FROM sweeps WHERE sweep_id = $1', own);
  batch.query('DELETE FROM feature_sets WHERE feature_key = ANY($1)', [featureKeys]);
  batch.query('DELETE FROM datasets WHERE dataset_id = ANY($1)', [datasetIds]);
  await batch.send();
}
