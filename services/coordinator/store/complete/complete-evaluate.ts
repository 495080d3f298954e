import { InvalidRequestError } from '../../../core/errors.ts';
import { testStatistics } from '../../../core/statistics/test-statistics.ts';
import { isTerminalSweepState } from '../../../core/states/sweep-state.ts';
import type { TestMeasurement, TestRole } from '../../../core/task.ts';
import type { LockedSweep } from '../move-sweep.ts';
import type { TestResultRecord } from '../records.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import type { Store } from '../store.ts';
import type { FencedTask } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { insertTestResult } from '../runs/insert-test-result.ts';
import { endAttempt } from './end-attempt.ts';

interface Member {
  readonly role: TestRole;
  readonly checkpointId: string | null;
}

/** Records what the trainer saw on the test split; every figure is computed here, from the predictions. */
export async function completeEvaluate(
  tx: StoreTransaction,
  store: Store,
  sweep: LockedSweep,
  task: FencedTask,
  measurements: readonly TestMeasurement[],
): Promise<void> {
  const members = await readMembers(tx, task.taskId);
  const classNames = await readClassNames(tx, task.sweepId);
  checkMeasurements(members, measurements);
  for (const [index, measurement] of measurements.entries()) {
    const member = members.get(measurement.runId);
    if (!member) continue;
    const result = toResult(measurement, member, classNames, `evaluate.results[${index}].predictions`);
    await insertTestResult(tx, result, measurement.predictions);
    tx.emit(task.sweepId, { kind: 'TEST_RESULT', result });
  }
  await tx.query(`UPDATE task_runs SET state = 'SUCCEEDED' WHERE task_id = $1`, [task.taskId]);
  const message = `${measurements.length} ${measurements.length === 1 ? 'run' : 'runs'} on the test split`;
  await endAttempt(tx, task, { attempt: 'SUCCEEDED', task: 'SUCCEEDED', event: 'SUCCEEDED', message, error: null });
  if (!isTerminalSweepState(sweep.state)) await settleSweep(tx, store, sweep, [task.taskId]);
}

async function readMembers(tx: StoreTransaction, taskId: string): Promise<Map<string, Member>> {
  const { rows } = await tx.query<{ run_id: string; role: TestRole | null; source_checkpoint_id: string | null }>(
    'SELECT run_id, role, source_checkpoint_id FROM task_runs WHERE task_id = $1 ORDER BY run_id',
    [taskId],
  );
  return new Map(
    rows.map((row) => [row.run_id, { role: row.role ?? 'EVERY_RUN', checkpointId: row.source_checkpoint_id }]),
  );
}

async function readClassNames(tx: StoreTransaction, sweepId: string): Promise<string[]> {
  const { rows } = await tx.query<{ class_names: string[] }>(
    'SELECT d.class_names FROM sweeps s JOIN datasets d ON d.dataset_id = s.dataset_id WHERE s.sweep_id = $1',
    [sweepId],
  );
  return rows[0]?.class_names ?? [];
}

/** Exactly the checkpoints that were handed out, so that a result can't be of anything else. */
function checkMeasurements(members: ReadonlyMap<string, Member>, measurements: readonly TestMeasurement[]): void {
  const given = new Map(measurements.map((measurement) => [measurement.runId, measurement.checkpointId]));
  const wrong = [...members].filter(([runId, { checkpointId }]) => given.get(runId) !== (checkpointId ?? ''));
  const unknown = measurements.filter(({ runId }) => !members.has(runId));
  if (wrong.length === 0 && unknown.length === 0) return;
  const expected = [...members].map(([runId, { checkpointId }]) => `${runId} from ${checkpointId ?? 'no checkpoint'}`);
  const received = measurements.map(({ runId, checkpointId }) => `${runId} from ${checkpointId}`);
  const description = `must be of ${expected.join(', ')}; received ${received.join(', ') || 'none'}.`;
  throw new InvalidRequestError([{ field: 'evaluate.results', description }]);
}

function toResult(
  measurement: TestMeasurement,
  member: Member,
  classNames: readonly string[],
  field: string,
): TestResultRecord {
  const statistics = statisticsOf(measurement, classNames.length, field);
  return {
    runId: measurement.runId,
    checkpointId: measurement.checkpointId,
    role: member.role,
    accuracy: statistics.accuracy,
    accuracyLow: statistics.accuracyLow,
    accuracyHigh: statistics.accuracyHigh,
    loss: measurement.loss,
    rocAuc: statistics.rocAuc,
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
