import type { TestResultRecord } from '../../../core/records/test-result.ts';
import type { TestRole } from '../../../core/task.ts';
import type { OuterJoined } from '../../../platform/db/outer-joined.ts';

/** A row of `test_results` with the figures of its classes. */
export interface TestRow {
  readonly checkpoint_id: string;
  readonly test_role: TestRole;
  readonly accuracy: number;
  readonly accuracy_low: number;
  readonly accuracy_high: number;
  readonly loss: number;
  readonly roc_auc: number | null;
  readonly macro_f1: number | null;
  readonly balanced_accuracy: number | null;
  readonly image_count: number;
  readonly correct_count: number;
  readonly confusion_matrix: number[];
  readonly class_names: string[] | null;
  readonly precisions: number[] | null;
  readonly recalls: number[] | null;
  readonly f1s: number[] | null;
  readonly supports: number[] | null;
}

/** Columns of a `TestRow` in `FROM test_results t JOIN LATERAL (TEST_CLASSES) classes`. */
export const TEST_COLUMNS = `
  t.checkpoint_id, t.role AS test_role, t.accuracy, t.accuracy_low, t.accuracy_high, t.loss, t.roc_auc, t.macro_f1,
  t.balanced_accuracy, t.image_count, t.correct_count, t.confusion_matrix,
  classes.class_names, classes.precisions, classes.recalls, classes.f1s, classes.supports`;

/** The classes of a row `t` of `test_results`. */
export const TEST_CLASSES = `
         SELECT array_agg(c.class_name ORDER BY c.class_index) AS class_names,
                array_agg(c.precision ORDER BY c.class_index) AS precisions,
                array_agg(c.recall ORDER BY c.class_index) AS recalls,
                array_agg(c.f1 ORDER BY c.class_index) AS f1s,
                array_agg(c.support ORDER BY c.class_index) AS supports
           FROM test_class_results c WHERE c.run_id = t.run_id`;

/** Returns the result of a run; null if it was not tested. */
export function toTestResult(runId: string, row: OuterJoined<TestRow>): TestResultRecord | null {
  if (row.checkpoint_id === null) return null;
  return {
    runId,
    checkpointId: row.checkpoint_id,
    role: row.test_role,
    accuracy: row.accuracy,
    accuracyLow: row.accuracy_low,
    accuracyHigh: row.accuracy_high,
    loss: row.loss,
    rocAuc: row.roc_auc,
    macroF1: row.macro_f1,
    balancedAccuracy: row.balanced_accuracy,
    imageCount: row.image_count,
    correctCount: row.correct_count,
    confusionMatrix: row.confusion_matrix,
    classResults: (row.class_names ?? []).map((className, index) => ({
      className,
      precision: row.precisions?.[index] ?? 0,
      recall: row.recalls?.[index] ?? 0,
      f1: row.f1s?.[index] ?? 0,
      support: row.supports?.[index] ?? 0,
    })),
  };
}
