import { InvalidRequestError } from '../../../core/errors.ts';
import type { ClassCount } from '../../../core/dataset.ts';
import { checkEvaluate } from '../../../core/reports/check-evaluate.ts';
import type { EvaluatedRun } from '../../../core/reports/check-evaluate.ts';
import { compileRunConfig } from '../../../core/search-space/compile.ts';
import type { Parameters } from '../../../core/sweep/sweep-spec.ts';
import { testStatistics } from '../../../core/statistics/test-statistics.ts';
import { isTerminalSweepState } from '../../../core/states/sweep-state.ts';
import type { TestMeasurement, TestRole } from '../../../core/task.ts';
import type { TestResultRecord } from '../../../core/records/test-result.ts';
import { countOf } from '../../../core/text/count-of.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import type { TaskScope } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { insertTestResult } from '../runs/insert-test-result.ts';
import { endAttempt } from './end-attempt.ts';

/**
 * Records the results on the test split. Every figure is computed here, from the predictions.
 *
 * @param labels of the test images by path, from the manifest; null: it could not be read, and only counts are compared
 * @throws InvalidRequestError for predictions of other images, or for checkpoints other than those of the task
 */
export async function completeEvaluate(
  scope: TaskScope,
  measurements: readonly TestMeasurement[],
  labels: ReadonlyMap<string, number> | null,
): Promise<void> {
  const { tx, sweep, task } = scope;
  const runs = await readRuns(tx, task.taskId);
  const { classNames, imageCounts } = await readTestSplit(tx, task.sweepId);
  const violations = checkEvaluate(measurements, runs, { classCount: classNames.length, imageCounts, labels });
  if (violations.length > 0) throw new InvalidRequestError(violations);
  const roles = new Map(runs.map(({ runId, role }) => [runId, role]));
  for (const [index, measurement] of measurements.entries()) {
    const role = roles.get(measurement.runId) ?? measurement.role;
    const result = toResult(measurement, role, classNames, `evaluate.results[${index}].predictions`);
    await insertTestResult(tx, result, measurement.predictions);
    tx.emit(task.sweepId, { kind: 'TEST_RESULT', result });
  }
  await tx.query(`UPDATE task_runs SET state = 'SUCCEEDED' WHERE task_id = $1`, [task.taskId]);
  const message = `${countOf(measurements.length, 'run')} on the test split`;
  await endAttempt(scope, { attempt: 'SUCCEEDED', task: 'SUCCEEDED', event: 'SUCCEEDED', message, error: null });
  if (!isTerminalSweepState(sweep.state)) await settleSweep(scope, [task.taskId]);
}

async function readRuns(tx: StoreTransaction, taskId: string): Promise<EvaluatedRun[]> {
  const { rows } = await tx.query<{
    run_id: string;
    role: TestRole | null;
    source_checkpoint_id: string | null;
    parameters: Parameters;
  }>(
    `SELECT tr.run_id, tr.role, tr.source_checkpoint_id, r.parameters
       FROM task_runs tr JOIN runs r ON r.run_id = tr.run_id WHERE tr.task_id = $1 ORDER BY tr.run_id`,
    [taskId],
  );
  return rows.map((row) => {
    const { labelSmoothing, loss, head } = compileRunConfig(row.parameters);
    return {
      runId: row.run_id,
      checkpointId: row.source_checkpoint_id ?? '',
      role: row.role ?? 'EVERY_RUN',
      labelSmoothing,
      loss: loss.name,
      hasPenalty: head.l2 > 0,
    };
  });
}

async function readTestSplit(
  tx: StoreTransaction,
  sweepId: string,
): Promise<{ readonly classNames: readonly string[]; readonly imageCounts: readonly number[] }> {
  const { rows } = await tx.query<{ class_names: string[]; class_counts: readonly ClassCount[] }>(
    `SELECT d.class_names, d.class_counts FROM sweeps s JOIN datasets d ON d.dataset_id = s.dataset_id
      WHERE s.sweep_id = $1`,
    [sweepId],
  );
  const { class_names: classNames, class_counts: counts } = rows[0] ?? { class_names: [], class_counts: [] };
  const inTest = new Map(counts.filter(({ split }) => split === 'test').map((count) => [count.className, count]));
  return { classNames, imageCounts: classNames.map((name) => inTest.get(name)?.imageCount ?? 0) };
}

function toResult(
  measurement: TestMeasurement,
  role: TestRole,
  classNames: readonly string[],
  field: string,
): TestResultRecord {
  const statistics = statisticsOf(measurement, classNames.length, field);
  return {
    runId: measurement.runId,
    checkpointId: measurement.checkpointId,
    role,
    accuracy: statistics.accuracy,
    accuracyLow: statistics.accuracyLow,
    accuracyHigh: statistics.accuracyHigh,
    loss: measurement.loss,
    rocAuc: statistics.rocAuc,
    macroF1: statistics.macroF1,
    balancedAccuracy: statistics.balancedAccuracy,
    imageCount: statistics.imageCount,
    correctCount: statistics.correctCount,
    confusionMatrix: statistics.confusionMatrix,
    classResults: statistics.classScores.map((scores, index) => ({ className: classNames[index] ?? '', ...scores })),
  };
}

function statisticsOf(
  measurement: TestMeasurement,
  classCount: number,
  field: string,
): ReturnType<typeof testStatistics> {
  try {
    return testStatistics(measurement.predictions, classCount);
  } catch (error) {
    if (error instanceof RangeError) throw new InvalidRequestError([{ field, description: error.message }]);
    throw error;
  }
}
