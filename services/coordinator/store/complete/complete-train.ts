import { InvalidRequestError } from '../../../core/errors.ts';
import { isMachineFault } from '../../../core/machine-fault.ts';
import { checkTrain } from '../../../core/reports/check-train.ts';
import { decideRetry } from '../../../core/retry.ts';
import { isTerminalRunState } from '../../../core/states/run-state.ts';
import type { RunState } from '../../../core/states/run-state.ts';
import { isTerminalSweepState } from '../../../core/states/sweep-state.ts';
import type { RunOutcome, TaskError } from '../../../core/task.ts';
import { countOf } from '../../../core/text/count-of.ts';
import { earlyStopText } from '../../../core/early-stop-text.ts';
import type { Batch } from '../../../platform/db/batch.ts';
import { addRunMove, moveRuns } from '../move-runs.ts';
import type { RunMove } from '../move-runs.ts';
import type { LockedSweep, SweepScope } from '../move-sweep.ts';
import { endRuns } from '../runs/end-runs.ts';
import { epochLimitSql, isHeadAwaited, isSearching } from '../run-sql.ts';
import { summarizeRuns } from '../runs/summarize-runs.ts';
import { whyStopped } from '../search/close-search.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import type { FencedTask, TaskScope } from '../tasks/fence.ts';
import { isElsewhere } from '../tasks/run-ids-of.ts';
import type { StoreTransaction } from '../transaction.ts';
import { addAttemptEnd } from './end-attempt.ts';
import { enterResults, NO_RESULTS } from './enter-results.ts';
import type { AtRung, Results } from './enter-results.ts';
import { continueStopped, STALE_STOP, wasContinued } from './continue-stopped.ts';
import { endWithError } from './end-with-error.ts';
import { retryAlone } from './retry-alone.ts';
import { PENDING_TASKS } from '../state-sql.ts';

interface MemberRow {
  readonly run_id: string;
  readonly state: RunState;
  readonly state_reason: string;
  readonly epoch_limit: number;
  readonly pause_epoch: number | null;
  readonly objective_metric: string;
  /** True if its fine-tuning is pending after this head. */
  readonly has_more: boolean;
  /** True if the task only repairs what the run has trained: it is of another sweep, or waits at a rung. */
  readonly is_repaired: boolean;
  /** True if another live task trains a later stage of it while its head is retrained here. */
  readonly is_elsewhere: boolean;
  /** True if live runs wait for the head it trains here, so that its outcome counts though the run has ended. */
  readonly is_awaited: boolean;
  /** True if other runs share its head. */
  readonly is_shared: boolean;
  /** True if runs of its sweep are compared at rungs, or a budget bounds them. */
  readonly is_searching: boolean;
}

/** Ends a HEAD or FINE_TUNE attempt. Each run of the group moves on by its own outcome. */
export async function completeTrain(scope: TaskScope, outcomes: readonly RunOutcome[]): Promise<void> {
  const { tx, sweep, task } = scope;
  const members = await readMembers(tx, task.taskId);
  checkOutcomes(members, outcomes);
  const alone = outcomes.length === 1 && members.length === 1 ? outcomes[0] : undefined;
  if (alone?.kind === 'FAILED') {
    await endWithError(scope, errorOf(alone), 'FAILED');
    return;
  }
  const message = messageOf(task, members, outcomes);
  const peakMemoryBytes = Math.max(0, ...outcomes.map((outcome) => outcome.peakMemoryBytes));
  const end = { attempt: 'SUCCEEDED', task: 'SUCCEEDED', event: 'SUCCEEDED', message, error: null } as const;
  const searching = members.some(({ is_searching }) => is_searching);
  const results = searching ? await enterResults(scope, outcomes) : NO_RESULTS;
  const batch = tx.batch();
  addAttemptEnd(scope, batch, { ...end, peakMemoryBytes });
  addOutcomes(batch, task, outcomes);
  const isStale =
    results.end === null && outcomes.some(({ kind }) => kind === 'STOPPED') && (await wasContinued(scope));
  await moveMembers(scope, batch, members, outcomes, { ...results, isStale });
  if (isStale) await continueStopped(scope);
  if (task.stage === 'HEAD' && members.some(({ is_shared }) => is_shared)) {
    await summarizeSharers(tx, task.taskId);
    if (tx.store.isMirrored) await mirrorHeadOfSharers(tx, sweep.sweepId, task.taskId);
  }
  await settleSweep(scope, [task.taskId]);
}

/** Describes an attempt that has ended well, for people; empty if every run trained all its epochs. */
function messageOf(task: FencedTask, members: readonly MemberRow[], outcomes: readonly RunOutcome[]): string {
  const [member] = members;
  const [outcome] = outcomes;
  if (members.length === 1 && member !== undefined && outcome !== undefined) {
    return outcome.kind === 'PAUSED'
      ? `paused after epoch ${outcome.epochCount}`
      : whyEnded(task, member, outcome).reason;
  }
  const part = (kind: RunOutcome['kind'], words: string): string[] => {
    const epochs = outcomes.filter((one) => one.kind === kind).map(({ epochCount }) => epochCount);
    return epochs.length === 0
      ? []
      : [`${epochs.length} of ${countOf(members.length, 'run')} ${words}${rangeOf(kind, epochs)}`];
  };
  return [...part('FAILED', 'failed'), ...part('EARLY_STOPPED', 'stopped early'), ...part('PAUSED', 'paused')].join(
    ', ',
  );
}

function rangeOf(kind: RunOutcome['kind'], epochs: readonly number[]): string {
  if (kind === 'FAILED') return '';
  const [first, last] = [Math.min(...epochs), Math.max(...epochs)];
  return first === last ? ` after epoch ${last}` : ` after epochs ${first} to ${last}`;
}

async function readMembers(tx: StoreTransaction, taskId: string): Promise<MemberRow[]> {
  const { rows } = await tx.prepared<MemberRow>(
    `SELECT r.run_id, r.state, r.state_reason, ${epochLimitSql('r', 'own')} AS epoch_limit,
            own.stage = 'HEAD' AND EXISTS (
              SELECT 1 FROM task_runs o JOIN tasks t ON t.task_id = o.task_id
               WHERE o.run_id = r.run_id AND t.state IN ${PENDING_TASKS} AND t.stage = 'FINE_TUNE') AS has_more,
            r.sweep_id <> own.sweep_id OR r.paused_rung IS NOT NULL AS is_repaired,
            ${isElsewhere('tr', 'own')} AS is_elsewhere,
            ${isHeadAwaited('r', 'own')} AS is_awaited,
            EXISTS (SELECT 1 FROM runs sharer WHERE sharer.head_run_id = r.run_id) AS is_shared,
            own.pause_epoch, s.objective_metric, ${isSearching('s')} AS is_searching
       FROM task_runs tr JOIN tasks own ON own.task_id = tr.task_id JOIN runs r ON r.run_id = tr.run_id
       JOIN sweeps s ON s.sweep_id = own.sweep_id
      WHERE tr.task_id = $1 ORDER BY r.run_id`,
    [taskId],
  );
  return rows;
}

function checkOutcomes(members: readonly MemberRow[], outcomes: readonly RunOutcome[]): void {
  const facts = members.map((member) => ({
    runId: member.run_id,
    epochLimit: member.epoch_limit,
    pauseEpoch: member.pause_epoch,
    hasEnded: isTerminalRunState(member.state),
  }));
  const violations = checkTrain(outcomes, facts);
  if (violations.length > 0) throw new InvalidRequestError(violations);
}

function addOutcomes(batch: Batch, task: FencedTask, outcomes: readonly RunOutcome[]): void {
  batch.prepared(
    `UPDATE task_runs tr SET state = o.state
       FROM unnest($2::text[], $3::text[]) AS o (run_id, state)
      WHERE tr.task_id = $1 AND tr.run_id = o.run_id`,
    [task.taskId, outcomes.map(({ runId }) => runId), outcomes.map(({ kind }) => kind)],
  );
  batch.prepared(
    `UPDATE runs r SET peak_memory_bytes = greatest(r.peak_memory_bytes, o.bytes)
       FROM unnest($1::text[], $2::bigint[]) AS o (run_id, bytes)
      WHERE r.run_id = o.run_id AND o.bytes > 0`,
    [outcomes.map(({ runId }) => runId), outcomes.map(({ peakMemoryBytes }) => Math.round(peakMemoryBytes))],
  );
}

/**
 * Moves the runs in the order of their identities. Moves of one statement join the batch; it is sent before a run that takes more, and at
 * the end.
 */
async function moveMembers(
  scope: TaskScope,
  batch: Batch,
  members: readonly MemberRow[],
  outcomes: readonly RunOutcome[],
  results: Results & { readonly isStale: boolean },
): Promise<void> {
  const byRun = new Map(members.map((member) => [member.run_id, member]));
  for (const outcome of outcomes.toSorted((a, b) => (a.runId < b.runId ? -1 : 1))) {
    const member = byRun.get(outcome.runId);
    if (member === undefined || member.is_elsewhere || member.is_repaired) continue;
    if (isTerminalRunState(member.state) && !member.is_awaited) continue;
    const atRung = results.atRungs.get(member.run_id);
    const next = nextOf(scope.sweep, member, outcome, atRung);
    if (next !== 'STOP' && next !== 'FAIL') {
      const waits = next === 'PAUSED' && atRung?.kind === 'WAIT' && !member.has_more;
      // Nothing would ever continue it.
      if (outcome.kind === 'PAUSED' && !waits) throw new Error(`Run ${member.run_id} paused at no rung.`);
      if (waits) scope.tx.addStep('pause');
      const why = waits ? { reason: atRung.reason, pausedRung: atRung.rung } : whyEnded(scope.task, member, outcome);
      addRunMove(scope.tx, batch, [member.run_id], { to: next, ...why });
      continue;
    }
    await batch.send();
    if (next === 'STOP') await stop(scope, member, atRung, results);
    else await failMember(scope, member, errorOf(outcome));
  }
  await batch.send();
}

/** Returns the state that a run moves to; STOP and FAIL take more than a move. */
function nextOf(
  sweep: LockedSweep,
  member: MemberRow,
  { kind }: RunOutcome,
  atRung: AtRung | undefined,
): 'SUCCEEDED' | 'QUEUED' | 'PAUSED' | 'STOP' | 'FAIL' {
  const isOver = isTerminalSweepState(sweep.state);
  switch (kind) {
    case 'SUCCEEDED':
    case 'EARLY_STOPPED':
      if (atRung?.kind === 'STOP') return 'STOP';
      if (atRung?.kind === 'WAIT' && !member.has_more) return member.state === 'STOPPING' || isOver ? 'STOP' : 'PAUSED';
      if (!member.has_more && !isOver) return 'SUCCEEDED';
      if (member.state === 'STOPPING' || isOver) return 'STOP';
      return sweep.state === 'PAUSED' ? 'PAUSED' : 'QUEUED';
    case 'PAUSED':
      return member.state === 'STOPPING' || isOver || atRung?.kind === 'STOP' ? 'STOP' : 'PAUSED';
    case 'STOPPED':
      return 'STOP';
    case 'FAILED':
      return isOver ? 'STOP' : 'FAIL';
  }
}

/** Returns the reason and the cause of a move to the next state: early stopping explains itself. */
function whyEnded(
  { stage }: FencedTask,
  { epoch_limit: epochLimit, objective_metric: metric }: MemberRow,
  { kind, epochCount, earlyStop }: RunOutcome,
): Pick<RunMove, 'reason' | 'cause'> {
  if (kind !== 'EARLY_STOPPED') return { reason: '' };
  return { reason: earlyStopText({ stage, epochCount, epochLimit, metric }, earlyStop), cause: 'EARLY_STOPPING' };
}

/** Updates the summaries of runs that share the head, which are ranked by its epochs as well. */
async function summarizeSharers(tx: StoreTransaction, taskId: string): Promise<void> {
  const { rows } = await tx.query<{ run_id: string }>(
    'SELECT run_id FROM served_runs WHERE task_id = $1 AND shared ORDER BY run_id',
    [taskId],
  );
  await summarizeRuns(
    tx,
    rows.map(({ run_id }) => run_id),
  );
}

/** Mirrors the head's curve once for each run that shares it, because MLflow has no views. */
async function mirrorHeadOfSharers(tx: StoreTransaction, sweepId: string, taskId: string): Promise<void> {
  const { rows } = await tx.query<{ run_id: string; lease_epoch: number; epochs: number[] }>(
    `SELECT s.run_id, m.lease_epoch, array_agg(DISTINCT m.epoch ORDER BY m.epoch) AS epochs
       FROM served_runs s
       JOIN runs r ON r.run_id = s.run_id
       JOIN epoch_metrics m ON m.run_id = r.head_run_id AND m.stage = 'HEAD' AND m.superseded_by IS NULL
      WHERE s.task_id = $1 AND s.shared
      GROUP BY s.run_id, m.lease_epoch ORDER BY s.run_id, m.lease_epoch`,
    [taskId],
  );
  for (const { run_id: runId, lease_epoch: leaseEpoch, epochs } of rows) {
    tx.mirror(sweepId, { kind: 'METRICS', runId, stage: 'HEAD', leaseEpoch, epochs });
  }
}

/** Stops a run with the reason of its command. RUNNING must pass through STOPPING: the transition table has no direct way. */
async function stop(
  { tx, sweep }: SweepScope,
  { run_id: runId, state, state_reason }: MemberRow,
  atRung?: AtRung,
  { end, isStale }: Pick<Results, 'end'> & { readonly isStale: boolean } = { end: null, isStale: false },
): Promise<void> {
  const unknown = sweep.state === 'CANCELLED' ? 'the sweep was cancelled' : 'stopped on command';
  const byRule = atRung?.kind === 'STOP' ? { reason: atRung.reason, cause: 'RULE' as const } : null;
  const byEnd = end === null || sweep.state === 'CANCELLED' ? null : await whyStopped(tx, sweep.sweepId, end);
  const known = state === 'STOPPING' && state_reason !== '' ? { reason: state_reason } : null;
  const stale = isStale ? STALE_STOP : null;
  const why = known ?? byRule ?? byEnd ?? stale ?? { reason: unknown };
  await moveRuns(tx, [runId], { to: 'STOPPING', ...why });
  await endRuns(tx, [runId], { to: sweep.state === 'CANCELLED' ? 'CANCELLED' : 'STOPPED', ...why });
}

/**
 * Removes a failed member from the group, whose other members continue. A retriable failure is retried in a task of its own. When a head
 * fails for good, all runs that share it fail, because retraining would give the same numbers.
 */
async function failMember(scope: TaskScope, member: MemberRow, error: TaskError): Promise<void> {
  const { tx, task } = scope;
  const { run_id: runId } = member;
  const decision = decideRetry({
    errorClass: error.errorClass,
    code: error.code,
    message: error.message,
    jitter: tx.store.random(),
    countedFailures: error.errorClass === 'COUNTED' ? 1 : 0,
    infrastructureInARow: error.errorClass === 'INFRASTRUCTURE' ? 1 : 0,
    memoryFailures: error.errorClass === 'MEMORY' ? 1 : 0,
    // A task of its own is leased to this machine only if there is no other.
    hasOtherSlot: isMachineFault(error),
  });
  // A run that was to stop is not retried, unless others wait for its head.
  if (decision.action === 'REQUEUE' && member.state === 'STOPPING' && !member.is_awaited) await stop(scope, member);
  else if (decision.action === 'REQUEUE') await retryAlone(scope, runId, error, decision);
  else await endRuns(tx, await sharersOf(tx, task, runId), { to: decision.action, reason: decision.reason });
}

/** Returns the run, and those that share its head if the head failed; without runs that another live task trains. */
async function sharersOf(tx: StoreTransaction, task: FencedTask, runId: string): Promise<string[]> {
  if (task.stage !== 'HEAD') return [runId];
  const { rows } = await tx.query<{ run_id: string }>(
    `SELECT r.run_id FROM runs r JOIN tasks own ON own.task_id = $2
      WHERE (r.run_id = $1 OR r.head_run_id = $1) AND r.sweep_id = own.sweep_id AND NOT ${isElsewhere('r', 'own')}
      ORDER BY r.run_id`,
    [runId, task.taskId],
  );
  return rows.map(({ run_id }) => run_id);
}

function errorOf(outcome: RunOutcome): TaskError {
  return (
    outcome.error ?? {
      errorClass: 'COUNTED',
      code: 'UNKNOWN',
      message: `run ${outcome.runId} failed, and the trainer reported no reason`,
      datasetProblems: [],
    }
  );
}
