import { IllegalStateError } from '../../../core/errors.ts';
import { RETRYABLE_RUN_STATES } from '../../../core/states/run-state.ts';
import type { RunState } from '../../../core/states/run-state.ts';
import type { Stage } from '../../../core/task.ts';
import { awaitFeatures } from '../features/await-features.ts';
import { lockSweep, reopenSweep } from '../move-sweep.ts';
import type { SweepScope } from '../move-sweep.ts';
import { recordActions } from '../rungs/record-action.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import { settleSweeps } from '../settle/settle-sweeps.ts';
import { LIVE_TASKS, TRAINED_STAGE_LIST } from '../state-sql.ts';
import type { Store } from '../store.ts';
import { countTasks, insertTasks } from '../tasks/insert-tasks.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import { sweepIdOf } from './stop-run.ts';

/** Reasons why a run in a state can't be retried, with what to do instead. */
const REMEDIES: Readonly<Partial<Record<RunState, string>>> = {
  STOPPED: 'It was ended on purpose and has a result. Submit a sweep with its parameters to train them to the end.',
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
      const stages = await stagesToRetry(tx, runId, run.headRunId);
      requireTrained(runId, run, stages);
      const tasks = await insertStages(scope, runId, run.headRunId, stages);
      await awaitFeatures(tx, scope.sweep.sweepId, tasks);
      const active = await reopenSweep(scope, `run ${runId} was ${why}`);
      await requeue(active, runId, stages[0]?.stage ?? 'HEAD', why);
      await recordActions(tx, scope.sweep.sweepId, [{ kind: 'RETRY_RUN', runId, reason: why }]);
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

/** The latest task of a run's stage. */
interface StageTask {
  readonly stage: Extract<Stage, 'HEAD' | 'FINE_TUNE'>;
  readonly taskId: string;
  readonly isLive: boolean;
}

/** Returns the stages that a run has still to complete, in their order. A head whose checkpoint was removed is among them. */
async function stagesToRetry(tx: StoreTransaction, runId: string, headRunId: string): Promise<StageTask[]> {
  const { rows } = await tx.query<{
    stage: StageTask['stage'];
    task_id: string;
    is_live: boolean;
    is_done: boolean;
    has_best: boolean;
  }>(
    `SELECT DISTINCT ON (t.stage) t.stage, t.task_id, t.state IN ${LIVE_TASKS} AS is_live,
            tr.state IN ('SUCCEEDED', 'EARLY_STOPPED') AS is_done,
            EXISTS (SELECT 1 FROM checkpoints c
                     WHERE c.run_id = tr.run_id AND c.stage = t.stage AND c.kind = 'BEST' AND c.state = 'STORED') AS has_best
       FROM tasks t JOIN task_runs tr ON tr.task_id = t.task_id
      WHERE tr.run_id = CASE t.stage WHEN 'HEAD' THEN $2 ELSE $1 END AND t.stage IN ${TRAINED_STAGE_LIST}
      ORDER BY t.stage DESC, t.create_time DESC, t.position DESC`,
    [runId, headRunId],
  );
  const head = rows.find(({ stage }) => stage === 'HEAD');
  const fineTune = rows.find(({ stage }) => stage === 'FINE_TUNE');
  const open = [
    ...(head !== undefined && !(head.is_done && (head.has_best || fineTune === undefined)) ? [head] : []),
    ...(fineTune !== undefined && !fineTune.is_done ? [fineTune] : []),
  ];
  return open.map((row) => ({ stage: row.stage, taskId: row.task_id, isLive: row.is_live }));
}

function requireTrained(runId: string, { state, reason }: FailedRun, stages: readonly StageTask[]): void {
  if (stages.length > 0) return;
  const remedy = `It failed before its training was planned (${reason}). Fix that, and submit the sweep again.`;
  throw new IllegalStateError(`run ${runId}`, state, 'retry', RETRYABLE_RUN_STATES, remedy);
}

/**
 * Inserts a task for each stage that no live task trains, with the feature sets of the stage's last task and the rung that this trained
 * to. Lease epochs continue those of the stage, because they distinguish its attempts. Returns the new tasks.
 */
async function insertStages(
  { tx, sweep: { sweepId } }: SweepScope,
  runId: string,
  headRunId: string,
  stages: readonly StageTask[],
): Promise<string[]> {
  const inserted: string[] = [];
  let before: string | null = null;
  for (const { stage, taskId: last, isLive } of stages) {
    if (isLive) {
      before = last;
      continue;
    }
    const trained = stage === 'HEAD' ? headRunId : runId;
    const taskId = `${sweepId}-n${await countTasks(tx, sweepId)}`;
    const sets = await tx.query<{ feature_key: string }>(
      'SELECT feature_key FROM task_feature_sets WHERE task_id = $1 ORDER BY feature_key',
      [last],
    );
    const description = `${stage} of run ${trained}, retried by a person after task ${last}`;
    const featureSets = sets.rows.map(({ feature_key }) => ({ key: feature_key }));
    const dependsOn = before === null ? [] : [before];
    await insertTasks(tx, sweepId, [{ taskId, stage, runIds: [trained], featureSets, dependsOn, description }]);
    await tx.query(
      `UPDATE tasks t
          SET pause_epoch = o.pause_epoch, rung = o.rung,
              lease_epoch = (SELECT max(e.lease_epoch) FROM tasks e JOIN task_runs er ON er.task_id = e.task_id
                              WHERE er.run_id = $3 AND e.stage = t.stage)
         FROM tasks o WHERE t.task_id = $1 AND o.task_id = $2`,
      [taskId, last, trained],
    );
    inserted.push(taskId);
    before = taskId;
  }
  return inserted;
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
