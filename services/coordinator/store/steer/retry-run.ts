import { IllegalStateError } from '../../../core/errors.ts';
import { RETRYABLE_RUN_STATES } from '../../../core/states/run-state.ts';
import type { RunState } from '../../../core/states/run-state.ts';
import type { Stage } from '../../../core/task.ts';
import { lockSweep, reopenSweep } from '../move-sweep.ts';
import type { SweepScope } from '../move-sweep.ts';
import { recordActions } from '../rungs/record-action.ts';
import { continueSearch, lockOrInsertSearch } from '../search/continue-search.ts';
import { readOpenStages, trainAgain } from '../search/train-again.ts';
import type { OpenStage } from '../search/train-again.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import { settleSweeps } from '../settle/settle-sweeps.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import { requireRoom } from './require-room.ts';
import { sweepIdOf } from './stop-run.ts';

/** Reasons why a run in a state can't be retried, with what to do instead. */
const REMEDIES: Readonly<Partial<Record<RunState, string>>> = {
  STOPPED:
    'A rule, a person or the end of its search ended it. What the end of a search stopped resumes when the sweep is extended, for example ' +
    'by a larger budget (graft sweep extend). Otherwise submit a sweep with its parameters to train them to the end.',
  CANCELLED: 'A person cancelled its sweep. Submit the sweep again; it takes over the results that are there.',
  INFEASIBLE: "It would fail again, because its parameters can't be trained. Submit a sweep with other ones.",
};

/**
 * Trains a failed run again: the stages that it has not completed get new tasks, whose counters of failures start at zero. A head that
 * failed for all of its runs is retrained for this one. The sweep is reopened if it has ended, and is tested again if another run is the
 * best one then. Attempts of before stay on record, and their epochs are superseded from the epoch from which the new attempt resumes.
 * A run that is not ended, or that has succeeded, is left alone: it was retried before.
 *
 * @param why for people, with the person's reason
 * @throws NotFoundError, IllegalStateError
 */
export async function retryRun(store: Store, runId: string, why: string): Promise<void> {
  const otherSweeps = await inTransaction(
    store,
    async (tx) => {
      const scope = { tx, sweep: await lockSweep(tx, await sweepIdOf(tx, runId)) };
      const run = await readRun(tx, runId);
      if (isRetried(scope, runId, run)) return [];
      const { sweepId } = scope.sweep;
      const open = await readOpenStages(tx, [{ runId, headRunId: run.headRunId }]);
      const first = requireTrained(runId, run, open.get(runId) ?? []);
      await requireRoom(scope, 'retry', `run ${runId}`);
      await trainAgain(tx, sweepId, open, 'retried by a person');
      const active = await reopenSweep(scope, `run ${runId} was ${why}`);
      await requeue(active, runId, first.stage, why);
      const search = await lockOrInsertSearch(tx, sweepId);
      if (search !== null) await continueSearch(tx, search, `run ${runId} was ${why}`);
      await recordActions(tx, sweepId, [{ kind: 'RETRY_RUN', runId, reason: why }]);
      await settleSweep(active, null);
      return [...tx.otherSweeps];
    },
    'steer',
  );
  await settleSweeps(store, otherSweeps);
}

interface FailedRun {
  readonly state: RunState;
  readonly reason: string;
  /** The run that trains its head. */
  readonly headRunId: string;
}

/** Reads a run of a locked sweep. A run that has ended changes only under that lock. */
async function readRun(tx: StoreTransaction, runId: string): Promise<FailedRun> {
  const { rows } = await tx.query<{ state: RunState; state_reason: string; head_run_id: string }>(
    'SELECT state, state_reason, coalesce(head_run_id, run_id) AS head_run_id FROM runs WHERE run_id = $1',
    [runId],
  );
  if (rows[0] === undefined) throw new Error(`Run ${runId} vanished while its sweep was locked.`);
  return { state: rows[0].state, reason: rows[0].state_reason, headRunId: rows[0].head_run_id };
}

/** Returns whether a run needs no retry. @throws IllegalStateError if it can't be retried */
function isRetried({ sweep }: SweepScope, runId: string, { state }: FailedRun): boolean {
  const remedy = REMEDIES[state];
  if (remedy !== undefined) {
    throw new IllegalStateError(`run ${runId}`, state, 'retry', RETRYABLE_RUN_STATES, remedy);
  }
  if (state !== 'FAILED') return true;
  if (sweep.state !== 'CANCELLED') return false;
  const allowed = ['ACTIVE', 'PAUSED', 'SUCCEEDED', 'FAILED'];
  throw new IllegalStateError(
    `sweep ${sweep.sweepId} of run ${runId}`,
    sweep.state,
    'reopen',
    allowed,
    REMEDIES.CANCELLED,
  );
}

/** Returns the first stage to be trained again. @throws IllegalStateError */
function requireTrained(runId: string, { state, reason }: FailedRun, stages: readonly OpenStage[]): OpenStage {
  const [first] = stages;
  if (first !== undefined) return first;
  const remedy = `It failed before its training was planned (${reason}). Fix that, and submit the sweep again.`;
  throw new IllegalStateError(`run ${runId}`, state, 'retry', RETRYABLE_RUN_STATES, remedy);
}

/** Moves a failed run to QUEUED. What it measured stays until the new attempt supersedes it. */
async function requeue(
  { tx, sweep: { sweepId } }: SweepScope,
  runId: string,
  stage: Stage,
  why: string,
): Promise<void> {
  await tx.query(
    `UPDATE runs SET state = 'QUEUED', state_reason = $2, stage = $3, end_time = NULL, end_cause = NULL
      WHERE run_id = $1 AND state = ANY($4)`,
    [runId, why, stage, [...RETRYABLE_RUN_STATES]],
  );
  tx.emit(sweepId, { kind: 'RUN_STATE', runId, state: 'QUEUED', stage, reason: why });
}
