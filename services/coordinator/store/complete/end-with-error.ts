import type { Repair } from '../../../core/repair.ts';
import type { SearchEnd } from '../../../core/records/decision.ts';
import { countProblems } from '../../../core/dataset.ts';
import { isMachineFault } from '../../../core/machine-fault.ts';
import { decideRetry } from '../../../core/retry.ts';
import type { RetryDecision } from '../../../core/retry.ts';
import { isTerminalSweepState } from '../../../core/states/sweep-state.ts';
import type { ErrorClass, TaskError } from '../../../core/task.ts';
import { recordFault, resetRounds } from '../faults/record-fault.ts';
import type { RecordedFault } from '../faults/record-fault.ts';
import { repairArtifacts } from '../repair/repair-artifacts.ts';
import type { ConfirmedDamage } from '../repair/damaged-checkpoint.ts';
import { moveRuns } from '../move-runs.ts';
import type { RunMove } from '../move-runs.ts';
import { moveSweep } from '../move-sweep.ts';
import { isEvaluationAwaiting, isHeadAwaited } from '../run-sql.ts';
import { endRuns } from '../runs/end-runs.ts';
import { whyStopped } from '../search/close-search.ts';
import { recordDependentSweeps } from '../settle/settle-sweeps.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import { IDLE_RUNS } from '../state-sql.ts';
import type { TaskScope } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { runIdsOnlyIn } from '../tasks/run-ids-of.ts';
import { endAttempt } from './end-attempt.ts';
import { failSweep } from './fail-sweep.ts';

/** The recorded state of the attempt. The consequences depend on the error alone. */
export type FailedAttemptState = 'FAILED' | 'EXPIRED' | 'RELEASED';

/**
 * Ends an attempt without a result: the task is retried, or fails with its dependents (core/retry.ts). In a sweep that has ended nothing
 * is retried. An attempt that found stored files damaged is not counted (`repairArtifacts`).
 *
 * @param damage confirmed damage of checkpoints that the error names
 */
export async function endWithError(
  scope: TaskScope,
  reported: TaskError,
  attempt: FailedAttemptState,
  damage: ConfirmedDamage = new Map(),
): Promise<void> {
  const { tx, sweep, task } = scope;
  if (isTerminalSweepState(sweep.state)) {
    const { message } = reported;
    await endAttempt(scope, { attempt, task: 'CANCELLED', event: attempt, message, error: reported });
    await cancelRunsOf(scope);
    await recordDependentSweeps(tx, task);
    return;
  }
  const stopped = await whyNothingIsRetried(scope);
  if (stopped !== null) {
    const { message } = reported;
    await endAttempt(scope, { attempt, task: 'CANCELLED', event: attempt, message, error: reported });
    const runIds = await runIdsOnlyIn(tx, task.taskId);
    await moveRuns(tx, runIds, { to: 'STOPPING', from: ['RUNNING'], ...stopped });
    await endRuns(tx, runIds, { to: 'STOPPED', ...stopped });
    await settleSweep(scope, [task.taskId]);
    return;
  }
  const repair = await repairArtifacts(scope, reported, damage);
  if (repair !== null) {
    await endForRepair(scope, reported, attempt, repair);
    return;
  }
  const fault = isMachineFault(reported) ? await recordFault(tx, task, reported) : undefined;
  const error = { ...reported, message: fault?.message ?? reported.message };
  const decision = await decide(scope, error, fault);
  if (decision.action === 'REQUEUE') await requeue(scope, error, attempt, decision);
  else await fail(scope, error, attempt, decision);
}

/**
 * Returns why the runs of a training task stop instead of being retried: a bound has ended the search; null: they are retried, as what
 * an evaluation waits for always is.
 */
async function whyNothingIsRetried({ tx, task }: TaskScope): Promise<Pick<RunMove, 'reason' | 'cause'> | null> {
  if (task.stage !== 'HEAD' && task.stage !== 'FINE_TUNE') return null;
  const { rows } = await tx.query<{ end_reason: SearchEnd | null }>(
    `SELECT q.end_reason FROM searches q JOIN tasks t ON t.sweep_id = q.sweep_id
      WHERE t.task_id = $1 AND NOT ${isEvaluationAwaiting('t')}`,
    [task.taskId],
  );
  const end = rows[0]?.end_reason ?? null;
  return end === null ? null : whyStopped(tx, task.sweepId, end);
}

/** Ends an attempt that waits for a repair. It is not counted, because the store is at fault; `repairArtifacts` limits the repetitions. */
async function endForRepair(
  scope: TaskScope,
  error: TaskError,
  attempt: FailedAttemptState,
  { waits, failure }: Repair,
): Promise<void> {
  const { tx, task } = scope;
  const { message } = error;
  if (failure !== null && (failure.runIds === null || task.stage === 'EVALUATE')) {
    const { reason } = failure;
    if (error.manifestDamaged === true) {
      await endAttempt(scope, { attempt, task: 'FAILED', event: attempt, message: reason, error });
      await failSweep(tx, task.sweepId, reason);
    } else await fail(scope, error, attempt, { action: 'FAILED', code: error.code, reason });
    return;
  }
  await endAttempt(scope, { attempt, task: waits ? 'WAITING' : 'READY', event: attempt, message, error });
  await parkRuns(scope, `not counted: ${message}`);
  if (failure?.runIds) {
    await endRuns(tx, failure.runIds, { to: 'FAILED', reason: failure.reason });
    await settleSweep(scope, [task.taskId]);
  }
}

const COUNTERS = {
  COUNTED: 'failure_count',
  INFRASTRUCTURE: 'infrastructure_count',
  MEMORY: 'memory_count',
  PERMANENT: null,
  NUMERIC: null,
} as const satisfies Readonly<Record<ErrorClass, string | null>>;

/** Counts the failure and decides. The counter is stored before the next attempt exists, so that no crash can lose a failure. */
async function decide(
  { tx, task }: TaskScope,
  error: TaskError,
  fault: RecordedFault | undefined,
): Promise<RetryDecision> {
  const counter = fault !== undefined ? null : COUNTERS[error.errorClass];
  const { rows } = await tx.query<{ failure_count: number; infrastructure_count: number; memory_count: number }>(
    `UPDATE tasks SET ${counter === null ? 'state = state' : `${counter} = ${counter} + 1`}
      WHERE task_id = $1 RETURNING failure_count, infrastructure_count, memory_count`,
    [task.taskId],
  );
  return decideRetry({
    errorClass: error.errorClass,
    code: error.code,
    message: error.message,
    jitter: tx.store.random(),
    countedFailures: rows[0]?.failure_count ?? 0,
    infrastructureInARow: rows[0]?.infrastructure_count ?? 0,
    memoryFailures: rows[0]?.memory_count ?? 0,
    ...(fault && { hasOtherSlot: fault.hasOtherSlot, machineRounds: fault.machineRounds }),
  });
}

async function requeue(
  scope: TaskScope,
  error: TaskError,
  attempt: FailedAttemptState,
  decision: Extract<RetryDecision, { action: 'REQUEUE' }>,
): Promise<void> {
  const { tx, sweep, task } = scope;
  const { delayMs, reason, pausesSweep = false } = decision;
  await endAttempt(scope, { attempt, task: 'READY', event: attempt, message: error.message, error, delayMs });
  if (pausesSweep) await resetRounds(tx, task.taskId);
  const isPaused =
    pausesSweep && (await moveSweep(tx, sweep.sweepId, 'PAUSED', `${error.message} Then resume the sweep.`));
  await parkRuns(isPaused ? { ...scope, sweep: { ...sweep, state: 'PAUSED' } } : scope, reason);
}

/** Moves the runs of a requeued task to QUEUED, or to PAUSED with their sweep. Those in STOPPING end with what is stored of them. */
export async function parkRuns(scope: TaskScope, reason: string): Promise<void> {
  const { tx, sweep, task } = scope;
  if (task.stage !== 'HEAD' && task.stage !== 'FINE_TUNE') return;
  const runIds = await runIdsOnlyIn(tx, task.taskId);
  await moveRuns(tx, runIds, { to: sweep.state === 'PAUSED' ? 'PAUSED' : 'QUEUED', reason, from: ['RUNNING'] });
  await endStopping(scope, runIds);
}

/** Ends the runs that were to be saved by the attempt that has just ended, without those whose head others wait for. */
async function endStopping(scope: TaskScope, runIds: readonly string[]): Promise<void> {
  const { tx, task } = scope;
  const { rows } = await tx.query<{ run_id: string; state_reason: string }>(
    `SELECT r.run_id, r.state_reason FROM runs r JOIN tasks t ON t.task_id = $2
      WHERE r.run_id = ANY($1) AND r.state = 'STOPPING' AND NOT ${isHeadAwaited('r', 't')} ORDER BY r.run_id`,
    [runIds, task.taskId],
  );
  for (const { run_id: runId, state_reason: reason } of rows) await endRuns(tx, [runId], { to: 'STOPPED', reason });
  if (rows.length > 0) await settleSweep(scope, null);
}

/** Cancels the runs of a task whose sweep was cancelled: they were STOPPING and have now stopped. */
export async function cancelRunsOf({ tx, sweep, task }: TaskScope): Promise<void> {
  if (sweep.state !== 'CANCELLED' || task.stage === 'EVALUATE') return;
  await moveRuns(tx, await runIdsOnlyIn(tx, task.taskId), { to: 'CANCELLED', reason: 'the sweep was cancelled' });
}

async function fail(
  scope: TaskScope,
  error: TaskError,
  attempt: FailedAttemptState,
  decision: Exclude<RetryDecision, { action: 'REQUEUE' }>,
): Promise<void> {
  const { tx, task } = scope;
  const message = decision.reason;
  await endAttempt(scope, { attempt, task: 'FAILED', event: attempt, message, error });
  if (task.stage === 'INDEX') {
    await failSweep(tx, task.sweepId, describeIndexFailure(error, message));
    await recordDependentSweeps(tx, task);
    return;
  }
  if (task.stage === 'HEAD' || task.stage === 'FINE_TUNE') {
    const runIds = await runIdsOnlyIn(tx, task.taskId);
    const held = task.stage === 'HEAD' ? await heldSharersOf(tx, runIds) : [];
    await endRuns(tx, [...runIds, ...held].sort(), { to: decision.action, reason: message });
  }
  await recordDependentSweeps(tx, task);
  await settleSweep(scope, [task.taskId]);
}

/** Returns the runs that share the head of these and have no task that would fail with it: they were to wait after the head. */
async function heldSharersOf(tx: StoreTransaction, runIds: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ run_id: string }>(
    `SELECT r.run_id FROM runs r
      WHERE r.head_run_id = ANY($1) AND r.state IN ${IDLE_RUNS}
        AND NOT EXISTS (SELECT 1 FROM task_runs tr WHERE tr.run_id = r.run_id)
      ORDER BY r.run_id`,
    [runIds],
  );
  return rows.map(({ run_id }) => run_id);
}

/** Lists all problems at once, so that a person fixes them in one pass; each once, because the trainer's message may list them already. */
function describeIndexFailure(error: TaskError, message: string): string {
  const problems = error.datasetProblems.filter(({ fatal }) => fatal);
  const all = problems.length > 0 ? problems : error.datasetProblems;
  const listed = all.slice(0, 20).filter((problem) => problem.message === '' || !message.includes(problem.message));
  if (listed.length === 0) return message;
  const lines = listed.map((problem) => `${problem.code} ${problem.path}: ${problem.message}`);
  const rest = countProblems(all) - listed.length;
  return [message, ...lines, ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n');
}
