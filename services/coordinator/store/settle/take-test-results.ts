import type { TestRole } from '../../../core/task.ts';
import { trainerOf } from '../run-sql.ts';
import { TEST_CLASSES, TEST_COLUMNS, toTestResult } from '../runs/test-result-row.ts';
import type { TestRow } from '../runs/test-result-row.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Gives runs that are to be tested the stored results of the checkpoints that would be tested, where another sweep has tested these on
 * the same images. A test is a function of the two, so repeating it would give the same figures, and no selection of this sweep has
 * seen them. The tested runs are locked, so that no deletion of their sweep removes a part of the results while they are copied.
 *
 * @param roles of the runs; the results get them, whatever the role was in the other sweep
 * @returns the runs that have a result now
 */
export async function takeTestResults(
  tx: StoreTransaction,
  sweepId: string,
  roles: ReadonlyMap<string, TestRole>,
): Promise<ReadonlySet<string>> {
  const { rows } = await tx.query<{ run_id: string; tested_run_id: string }>(
    `WITH found AS MATERIALIZED (
     SELECT DISTINCT ON (r.run_id) r.run_id, t.run_id AS tested_run_id
       FROM runs r
       JOIN sweeps s ON s.sweep_id = r.sweep_id
       JOIN runs o ON o.run_id = coalesce(r.reused_run_id, r.run_id)
       JOIN checkpoints c
         ON c.run_id = ${trainerOf('o', 'r.best_stage')}
        AND c.stage = r.best_stage AND c.epoch = r.best_epoch AND c.kind = 'BEST' AND c.state = 'STORED'
       JOIN test_results t ON t.checkpoint_id = c.checkpoint_id
       JOIN runs tested ON tested.run_id = t.run_id
       JOIN sweeps ts ON ts.sweep_id = tested.sweep_id AND ts.dataset_id = s.dataset_id
      WHERE r.sweep_id = $1 AND r.run_id = ANY($2) AND ts.sweep_id <> $1
      ORDER BY r.run_id, t.create_time, t.run_id
     )
     SELECT f.run_id, f.tested_run_id FROM found f JOIN runs tested ON tested.run_id = f.tested_run_id
      ORDER BY f.tested_run_id, f.run_id FOR KEY SHARE OF tested`,
    [sweepId, [...roles.keys()]],
  );
  for (const { run_id: runId, tested_run_id: testedRunId } of rows) {
    await copyTestResult(tx, sweepId, { runId, testedRunId, role: roles.get(runId) ?? 'EVERY_RUN' });
  }
  return new Set(rows.map(({ run_id }) => run_id));
}

async function copyTestResult(
  tx: StoreTransaction,
  sweepId: string,
  { runId, testedRunId, role }: { readonly runId: string; readonly testedRunId: string; readonly role: TestRole },
): Promise<void> {
  await tx.query(
    `INSERT INTO test_results
       (run_id, checkpoint_id, role, accuracy, accuracy_low, accuracy_high, loss, roc_auc,
        macro_f1, balanced_accuracy, image_count, correct_count, confusion_matrix)
     SELECT $1, checkpoint_id, $3, accuracy, accuracy_low, accuracy_high, loss, roc_auc,
            macro_f1, balanced_accuracy, image_count, correct_count, confusion_matrix
       FROM test_results WHERE run_id = $2`,
    [runId, testedRunId, role],
  );
  await tx.query(
    `INSERT INTO test_class_results (run_id, class_index, class_name, precision, recall, f1, support)
     SELECT $1, class_index, class_name, precision, recall, f1, support FROM test_class_results WHERE run_id = $2`,
    [runId, testedRunId],
  );
  await tx.query(
    `INSERT INTO test_predictions (run_id, path, label, predicted_label, probabilities)
     SELECT $1, path, label, predicted_label, probabilities FROM test_predictions WHERE run_id = $2`,
    [runId, testedRunId],
  );
  const { rows } = await tx.query<TestRow>(
    `SELECT ${TEST_COLUMNS} FROM test_results t LEFT JOIN LATERAL (${TEST_CLASSES}) classes ON true WHERE t.run_id = $1`,
    [runId],
  );
  const result = rows[0] && toTestResult(runId, rows[0]);
  if (result) tx.emit(sweepId, { kind: 'TEST_RESULT', result });
}
