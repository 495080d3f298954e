import type { PlannedEvaluation } from '../../../core/planner/plan.ts';
import { planEvaluation, testRolesOf } from '../../../core/planner/plan-evaluation.ts';
import { hasBaseline } from '../../../core/samplers/baseline.ts';
import { compileRunConfig } from '../../../core/search-space/compile.ts';
import type { RunState } from '../../../core/states/run-state.ts';
import type { TestRole } from '../../../core/task.ts';
import type { Parameters } from '../../../core/sweep/sweep-spec.ts';
import { insertTasks } from '../tasks/insert-tasks.ts';
import { readSpec } from '../sweeps/read-spec.ts';
import { chooseWinner } from './choose-winner.ts';
import { forecastEvaluations } from './forecast-evaluations.ts';
import { takeTestResults } from './take-test-results.ts';
import type { SweepScope } from '../move-sweep.ts';
import { moveSweep } from '../move-sweep.ts';
import { moveTasks } from '../move-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';
import { asksForRounds } from '../run-sql.ts';
import { LIVE_RUNS, PENDING_TASKS, USABLE_RUNS } from '../state-sql.ts';

/**
 * Plans the evaluation on the test split once all runs have ended, and ends the sweep after it. In a sweep that was reopened, only what
 * was not tested before is tested. Returns whether the sweep has no training left.
 */
export async function finishSweep({ tx, sweep }: SweepScope): Promise<boolean> {
  if (await hasLiveRuns(tx, sweep.sweepId)) return false;
  // A paused sweep repeats its finalists when it is resumed.
  if (await awaitsFinalists(tx, sweep.sweepId)) return false;
  if (await awaitsRound(tx, sweep.sweepId)) return false;
  const evaluations = await readEvaluations(tx, sweep.sweepId);
  if (evaluations.some(({ ended }) => !ended)) return true;
  await cancelLeftOvers(tx, sweep.sweepId);
  if (await beginEvaluation(tx, sweep.sweepId, evaluations)) return true;
  const failed = evaluations.filter(({ failure }) => failure !== null);
  const reason = failed.map(({ failure }) => `the evaluation on the test split failed: ${failure ?? ''}`).join('\n');
  await moveSweep(tx, sweep.sweepId, 'SUCCEEDED', reason);
  tx.store.log.info({ sweep_id: sweep.sweepId }, 'sweep succeeded');
  return true;
}

async function hasLiveRuns(tx: StoreTransaction, sweepId: string): Promise<boolean> {
  const { rowCount } = await tx.query(`SELECT 1 FROM runs WHERE sweep_id = $1 AND state IN ${LIVE_RUNS} LIMIT 1`, [
    sweepId,
  ]);
  return rowCount !== 0;
}

async function awaitsFinalists(tx: StoreTransaction, sweepId: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `SELECT 1 FROM searches WHERE sweep_id = $1 AND policy ? 'finalists' AND end_reason IS NULL`,
    [sweepId],
  );
  return rowCount !== 0;
}

/** Returns whether more runs may come: the search of a strategy that asks for rounds has not ended. */
async function awaitsRound(tx: StoreTransaction, sweepId: string): Promise<boolean> {
  const { rowCount } = await tx.query(`SELECT 1 FROM searches q WHERE q.sweep_id = $1 AND ${asksForRounds('q')}`, [
    sweepId,
  ]);
  return rowCount !== 0;
}

interface Evaluation {
  readonly runIds: readonly string[];
  readonly ended: boolean;
  readonly failure: string | null;
}

async function readEvaluations(tx: StoreTransaction, sweepId: string): Promise<Evaluation[]> {
  const { rows } = await tx.query<{ run_ids: string[]; state: string; message: string | null }>(
    `SELECT t.state, ARRAY(SELECT tr.run_id FROM task_runs tr WHERE tr.task_id = t.task_id) AS run_ids,
            (SELECT a.message FROM attempts a WHERE a.task_id = t.task_id ORDER BY a.lease_epoch DESC LIMIT 1) AS message
       FROM tasks t WHERE t.sweep_id = $1 AND t.stage = 'EVALUATE' ORDER BY t.position`,
    [sweepId],
  );
  return rows.map(({ run_ids: runIds, state, message }) => ({
    runIds,
    ended: ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(state),
    failure: state === 'SUCCEEDED' ? null : (message ?? ''),
  }));
}

/** Cancels tasks for feature sets that no run of this sweep reads any more. Another sweep that waits for one computes its own. */
async function cancelLeftOvers(tx: StoreTransaction, sweepId: string): Promise<void> {
  const { rows } = await tx.query<{ task_id: string; waiting: string[] }>(
    `SELECT t.task_id,
            ARRAY(SELECT DISTINCT o.sweep_id FROM task_dependencies d JOIN tasks o ON o.task_id = d.task_id
                   WHERE d.depends_on_id = t.task_id AND o.sweep_id <> t.sweep_id AND o.state = 'WAITING') AS waiting
       FROM tasks t WHERE t.sweep_id = $1 AND t.state IN ${PENDING_TASKS} AND t.stage <> 'EVALUATE'`,
    [sweepId],
  );
  for (const { waiting } of rows) for (const other of waiting) tx.otherSweeps.add(other);
  const cancelled = await moveTasks(
    tx,
    rows.map(({ task_id }) => task_id),
    { to: 'CANCELLED', from: ['WAITING', 'READY'] },
  );
  for (const { taskId, stage } of cancelled) {
    const message = 'no run needs it any more';
    tx.emit(sweepId, { kind: 'TASK', taskId, stage, state: 'CANCELLED', trainerId: '', message });
  }
}

interface FinishedRow {
  readonly run_id: string;
  readonly run_index: number;
  readonly parameters: Parameters;
  readonly state: RunState;
  readonly best_value: number | null;
  readonly best_val_loss: number | null;
  readonly best_val_accuracy: number | null;
  /** Column of the sweep. */
  readonly has_baseline: boolean | null;
}

/** Plans what is still to be evaluated, or ends a sweep that has nothing to evaluate. Returns false when everything was evaluated. */
async function beginEvaluation(
  tx: StoreTransaction,
  sweepId: string,
  earlier: readonly Evaluation[],
): Promise<boolean> {
  const { rows } = await tx.query<FinishedRow>(
    `SELECT r.run_id, r.run_index, r.parameters, r.state, r.best_value, r.best_val_loss, r.best_val_accuracy, s.has_baseline
       FROM runs r JOIN sweeps s ON s.sweep_id = r.sweep_id
      WHERE r.sweep_id = $1 AND r.state IN ${USABLE_RUNS} AND r.repeat_of IS NULL ORDER BY r.run_index`,
    [sweepId],
  );
  if (rows.length === 0) {
    await moveSweep(tx, sweepId, 'FAILED', await whyNothingSucceeded(tx, sweepId));
    return true;
  }
  const spec = await readSpec(tx, sweepId);
  const runs = rows.map((row) => ({
    runId: row.run_id,
    index: row.run_index,
    state: row.state,
    config: compileRunConfig(row.parameters),
    bestValue: row.best_value,
    bestValLoss: row.best_val_loss,
    bestValAccuracy: row.best_val_accuracy,
  }));
  const { objective, testPolicy } = spec;
  const [first] = rows;
  const isCompared = first?.run_index === 0 && hasBaseline({ spec, hasBaseline: first.has_baseline }, first.parameters);
  const tested = await readTested(tx, sweepId);
  const input = {
    sweepId,
    winnerRunId: await chooseWinner(tx, sweepId, spec),
    objective,
    testPolicy,
    runs,
    hasBaseline: isCompared,
    evaluatedRunIds: new Set([...tested, ...earlier.flatMap(({ runIds }) => runIds)]),
    evaluationCount: earlier.length,
  };
  if (tested.length > 0) await updateRoles(tx, sweepId, testRolesOf(input));
  const evaluations = planEvaluation(input);
  if (evaluations.length === 0) {
    if (input.evaluatedRunIds.size > 0) return false;
    await moveSweep(tx, sweepId, 'SUCCEEDED', `no run has a finite ${spec.objective.metric}, so nothing was tested`);
    return true;
  }
  const roles = new Map(evaluations.flatMap((evaluation) => Object.entries(evaluation.roles)));
  const taken = await takeTestResults(tx, sweepId, roles);
  const left = evaluations.flatMap((evaluation) => without(evaluation, taken));
  if (left.length === 0) return false;
  const configs = new Map(runs.map(({ runId, config }) => [runId, config]));
  await insertTasks(tx, sweepId, await forecastEvaluations(tx, sweepId, left, configs));
  return true;
}

/** Returns an evaluation of the runs that have no result yet; empty if all have one. */
function without(evaluation: PlannedEvaluation, tested: ReadonlySet<string>): PlannedEvaluation[] {
  const runIds = evaluation.runIds.filter((runId) => !tested.has(runId));
  return runIds.length === 0 ? [] : [{ ...evaluation, runIds }];
}

/** Returns the runs that have a test result, of their own or taken from another sweep. */
async function readTested(tx: StoreTransaction, sweepId: string): Promise<string[]> {
  const { rows } = await tx.query<{ run_id: string }>(
    'SELECT e.run_id FROM test_results e JOIN runs r ON r.run_id = e.run_id WHERE r.sweep_id = $1',
    [sweepId],
  );
  return rows.map(({ run_id }) => run_id);
}

/**
 * Updates the roles of runs that were tested before: another run may be the winner now. What was the winner then is a tested run like
 * those that the policy tests; its result stays, and counts as an evaluation on the test split.
 */
async function updateRoles(tx: StoreTransaction, sweepId: string, roles: ReadonlyMap<string, TestRole>): Promise<void> {
  const { rows } = await tx.query<{ run_id: string }>(
    `UPDATE test_results e SET role = coalesce(n.role, 'EVERY_RUN')
       FROM runs r LEFT JOIN unnest($2::text[], $3::text[]) AS n (run_id, role) ON n.run_id = r.run_id
      WHERE r.sweep_id = $1 AND e.run_id = r.run_id AND e.role <> coalesce(n.role, 'EVERY_RUN')
      RETURNING e.run_id`,
    [sweepId, [...roles.keys()], [...roles.values()]],
  );
  for (const { run_id: runId } of rows) tx.mirror(sweepId, { kind: 'TEST_RESULT', runId });
}

async function whyNothingSucceeded(tx: StoreTransaction, sweepId: string): Promise<string> {
  const { rows } = await tx.query<{ state_reason: string; count: number }>(
    `SELECT state_reason, count(*)::int AS count FROM runs
      WHERE sweep_id = $1 AND state_reason <> '' GROUP BY state_reason ORDER BY count(*) DESC, state_reason LIMIT 3`,
    [sweepId],
  );
  const reasons = rows.map(({ state_reason, count }) => `${state_reason} (${count} ${count === 1 ? 'run' : 'runs'})`);
  return ['no run succeeded', ...reasons].join('\n');
}
