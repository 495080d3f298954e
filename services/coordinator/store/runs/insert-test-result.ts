import type { TestPrediction } from '../../../core/task.ts';
import type { TestResultRecord } from '../../../core/records/test-result.ts';
import type { StoreTransaction } from '../transaction.ts';

/** Inserts a run's test result with its classes and all its predictions. */
export async function insertTestResult(
  tx: StoreTransaction,
  result: TestResultRecord,
  predictions: readonly TestPrediction[],
): Promise<void> {
  await tx.query(
    `INSERT INTO test_results
       (run_id, checkpoint_id, role, accuracy, accuracy_low, accuracy_high, loss, roc_auc,
        macro_f1, balanced_accuracy, image_count, correct_count, confusion_matrix)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      result.runId,
      result.checkpointId,
      result.role,
      result.accuracy,
      result.accuracyLow,
      result.accuracyHigh,
      result.loss,
      result.rocAuc,
      result.macroF1,
      result.balancedAccuracy,
      result.imageCount,
      result.correctCount,
      result.confusionMatrix,
    ],
  );
  await tx.query(
    `INSERT INTO test_class_results (run_id, class_index, class_name, precision, recall, f1, support)
     SELECT $1, c.ordinality - 1, c.class_name, c.precision, c.recall, c.f1, c.support
       FROM unnest($2::text[], $3::float8[], $4::float8[], $5::float8[], $6::int[])
            WITH ORDINALITY AS c (class_name, precision, recall, f1, support, ordinality)`,
    [
      result.runId,
      result.classResults.map(({ className }) => className),
      result.classResults.map(({ precision }) => precision),
      result.classResults.map(({ recall }) => recall),
      result.classResults.map(({ f1 }) => f1),
      result.classResults.map(({ support }) => support),
    ],
  );
  const rowsPerStatement = Math.max(1, Math.floor(NUMBERS_PER_STATEMENT / Math.max(1, result.classResults.length)));
  for (let start = 0; start < predictions.length; start += rowsPerStatement) {
    const rows = predictions.slice(start, start + rowsPerStatement);
    await tx.query(
      `INSERT INTO test_predictions (run_id, path, label, predicted_label, probabilities)
       SELECT $1, p.path, p.label, p.predicted_label, p.probabilities
         FROM jsonb_to_recordset($2::jsonb)
              AS p (path text, label int, predicted_label int, probabilities float8[])`,
      [result.runId, JSON.stringify(rows.map(toRow))],
    );
  }
}

/** Probabilities per statement: 1.2 MB of JSON with two classes, which block the event loop for 8 ms. PostgreSQL accepts at most 255 MB. */
const NUMBERS_PER_STATEMENT = 20_000;

/** Returns a prediction as JSON for PostgreSQL, with NaN and infinities, which JSON lacks, as strings. */
function toRow(prediction: TestPrediction): Readonly<Record<string, unknown>> {
  return {
    path: prediction.path,
    label: prediction.label,
    predicted_label: prediction.predictedLabel,
    probabilities: prediction.probabilities.map((p) => (Number.isFinite(p) ? p : String(p))),
  };
}
