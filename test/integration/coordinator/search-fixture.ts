import { expect } from 'vitest';
import { isTerminalRunState } from '../../../services/core/states/run-state.ts';
import type { RunState } from '../../../services/core/states/run-state.ts';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import type { StoppingSpec } from '../../../services/core/sweep/search-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import type { LeasedTask, RunOutcome, Stage, TaskError } from '../../../services/core/task.ts';
import { specOf } from './harness.ts';
import type { Harness } from './harness.ts';
import { epochsOf, outcomeOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

/** Promotion at given epochs of fine-tuning. */
export function stoppingAt(fineTune: readonly number[], changes: Partial<StoppingSpec> = {}): StoppingSpec {
  return { ...STOPPING_DEFAULTS, rule: 'promotion', rungs: { head: [], fineTune }, ...changes };
}

/** Fine-tunings of one augmented stream, which train in groups; each set of variants has a head of its own. */
export function groupSpec(
  rates: readonly number[],
  base: SweepSpec['base'] = {},
  changes: Partial<SweepSpec> = {},
): SweepSpec {
  return specOf({
    base: {
      ...specOf().base,
      method: 'augmented',
      'fine_tune.enabled': true,
      'fine_tune.epochs': 12,
      'fine_tune.unfreeze': 'block2',
      ...base,
    },
    parameters: [{ name: 'fine_tune.learning_rate', domain: { kind: 'values', values: rates }, conditions: [] }],
    stopping: stoppingAt([4]),
    reuse: false,
    ...changes,
  });
}

/** The next task of a stage; those of other stages that come before are worked on. */
export async function leaseNext(trainer: SimulatedTrainer, stage: Stage): Promise<LeasedTask> {
  for (;;) {
    const task = await trainer.lease(0, 5_000);
    if (task === null) throw new Error(`no ${stage} task came`);
    if (task.stage === stage) return task;
    await trainer.work(task);
  }
}

export interface Disturbance {
  /** Members that fail before their first epoch. */
  readonly failing?: ReadonlyMap<string, Partial<TaskError>>;
  /** Epoch after which the attempt ends without a word. */
  readonly diesAfter?: number;
  /** False: an attempt that dies has saved nothing. */
  readonly saves?: boolean;
}

/** Trains a group as a trainer does: a member that is stopped leaves it, and one that fails does not end the others. */
export async function trainGroup(
  trainer: SimulatedTrainer,
  task: LeasedTask,
  { failing = new Map(), diesAfter = Infinity, saves = true }: Disturbance = {},
): Promise<void> {
  const pause = trainer.knowsRungs ? (task.runs[0]?.pauseEpoch ?? null) : null;
  const limit = epochsOf(task);
  const start = Math.min(...task.runs.map((run) => run.resumeCheckpoint?.epoch ?? 0));
  const last = Math.max(start, pause ?? limit);
  const outcomes = new Map<string, RunOutcome>();
  for (const run of task.runs) {
    const error = failing.get(run.runId);
    if (run.stopped) outcomes.set(run.runId, outcomeOf(run.runId, start, { kind: 'STOPPED' }));
    else if (error !== undefined) outcomes.set(run.runId, outcomeOf(run.runId, start, failed(error)));
  }
  for (let epoch = start + 1; epoch <= last && outcomes.size < task.runs.length; epoch += 1) {
    const runs = task.runs.filter(({ runId }) => !outcomes.has(runId));
    const [answer] = await trainer.report([trainer.batch({ ...task, runs }, epoch, epoch - start)]);
    if (answer?.errorReason !== '') throw new Error(`refused: ${answer?.errorReason ?? 'no answer'}`);
    const isLast = epoch === last || (saves && epoch === diesAfter);
    for (const { runId } of runs) {
      const stops = answer.stoppedRunIds.includes(runId);
      if (isLast || stops) await trainer.checkpoint(task, runId, epoch, 'BEST');
      if (isLast || stops) await trainer.checkpoint(task, runId, epoch, 'LAST');
      if (stops) outcomes.set(runId, outcomeOf(runId, epoch, { kind: 'STOPPED' }));
    }
    if (epoch === diesAfter) return;
  }
  const kind = pause === null ? 'SUCCEEDED' : 'PAUSED';
  const all = task.runs.map(({ runId }) => outcomes.get(runId) ?? outcomeOf(runId, last, { kind }));
  await trainer.complete(task, { stage: 'TRAIN', outcomes: all });
}

function failed(error: Partial<TaskError>): Partial<RunOutcome> {
  const whole: TaskError = { errorClass: 'COUNTED', code: 'BUG', message: 'it broke', datasetProblems: [], ...error };
  return { kind: 'FAILED', error: whole };
}

/** Ends the waits of retried tasks. */
export async function skipDelays(harness: Harness): Promise<void> {
  await harness.query(`UPDATE tasks SET not_before_time = now() WHERE state IN ('READY', 'WAITING')`);
}

export interface SearchedRun {
  readonly run_index: number;
  readonly run_id: string;
  readonly state: RunState;
  readonly state_reason: string;
  readonly end_cause: string | null;
  readonly rung: number | null;
  readonly paused_rung: number | null;
}

export async function runsOf(harness: Harness, sweepId: string): Promise<SearchedRun[]> {
  return harness.query<SearchedRun>(
    `SELECT run_index, run_id, state, state_reason, end_cause, rung, paused_rung FROM runs WHERE sweep_id = $1 ORDER BY run_index`,
    [sweepId],
  );
}

/** Expects that a sweep has ended as each must: every run with a cause, no work left, and decisions that their inputs give. */
export async function expectConclusion(harness: Harness, sweepId: string): Promise<void> {
  const runs = await runsOf(harness, sweepId);
  for (const run of runs) {
    expect(isTerminalRunState(run.state), `run ${run.run_index} is ${run.state}: ${run.state_reason}`).toBe(true);
    expect(run.end_cause, `cause of run ${run.run_index}`).not.toBeNull();
    expect(run.paused_rung).toBeNull();
  }
  const [sweep] = await harness.query<{ state: string; live: number; end_reason: string | null }>(
    `SELECT s.state, q.end_reason,
            (SELECT count(*)::int FROM tasks t WHERE t.sweep_id = $1 AND t.state IN ('WAITING', 'READY', 'LEASED', 'RUNNING')) AS live
       FROM sweeps s LEFT JOIN searches q ON q.sweep_id = s.sweep_id WHERE s.sweep_id = $1`,
    [sweepId],
  );
  expect(sweep?.state).toMatch(/^(SUCCEEDED|FAILED)$/);
  expect(sweep?.live).toBe(0);
  await expectSoundTables(harness, sweepId);
}

/** Expects that the rungs have only runs of the sweep, that arrivals have no gaps, and that the decisions can be replayed. */
export async function expectSoundTables(harness: Harness, sweepId: string): Promise<void> {
  const rungs = await harness.query<{ rung: number }>(
    `SELECT e.rung, count(*) = max(e.arrival) AS "isGapless", bool_and(r.sweep_id = e.sweep_id) AS "isOwn",
            count(*) = (SELECT g.entry_count FROM rungs g WHERE g.sweep_id = $1 AND g.rung = e.rung) AS "isCounted"
       FROM rung_entries e JOIN runs r ON r.run_id = e.run_id WHERE e.sweep_id = $1 GROUP BY e.rung ORDER BY e.rung`,
    [sweepId],
  );
  expect(rungs).toEqual(rungs.map(({ rung }) => ({ rung, isGapless: true, isOwn: true, isCounted: true })));
  const { replay } = await harness.sweeps.explainSweep({ sweepId, replay: true });
  expect(replay?.differences).toEqual([]);
  expect(replay?.decisionCount).toBeGreaterThan(0);
}
