import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import type { LeasedTask, Stage } from '../../../services/core/task.ts';
import { ReleaseReason } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { outcomeOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness();
  trainer = await harness.trainer('t', 2);
});
afterEach(() => harness[Symbol.asyncDispose]());

const FAR_TARGET = { value: 1e-9, confidence: 0.9 };
const UNBOUNDED = { slotSeconds: null, wallSeconds: null, target: FAR_TARGET };

/** Heads that do not train together. @param count at most 6 */
function heads(count: number, changes: Partial<SweepSpec> = {}): SweepSpec {
  const values = [4, 8, 16, 32, 64, 128].slice(0, count);
  return specOf({
    parameters: [{ name: 'batch_size', domain: { kind: 'values', values }, conditions: [] }],
    ...changes,
  });
}

/** The target is reached from now on: the next settlement ends the search. */
async function lowerTarget(sweepId: string): Promise<void> {
  await harness.query(`UPDATE sweeps SET budget = jsonb_set(budget, '{target,value}', '9') WHERE sweep_id = $1`, [
    sweepId,
  ]);
}

async function endOf(sweepId: string): Promise<string | null> {
  const [row] = await harness.query<{ end_reason: string | null }>(
    'SELECT end_reason FROM searches WHERE sweep_id = $1',
    [sweepId],
  );
  return row?.end_reason ?? null;
}

async function statesOf(sweepId: string): Promise<string[]> {
  const rows = await harness.query<{ state: string }>('SELECT state FROM runs WHERE sweep_id = $1 ORDER BY run_index', [
    sweepId,
  ]);
  return rows.map(({ state }) => state);
}

/** Works until a task of the stage is leased. */
async function workUntil(stage: Stage): Promise<LeasedTask> {
  for (;;) {
    const task = await trainer.lease(0, 5_000);
    if (task === null) throw new Error(`no ${stage} task came`);
    if (task.stage === stage) return task;
    await trainer.work(task);
  }
}

/** Ends an attempt as a trainer does that finds the file of its source checkpoint missing. */
async function loseSource(task: LeasedTask): Promise<void> {
  const source = task.runs[0]?.sourceCheckpoint;
  if (!source) throw new Error(`task ${task.taskId} has no source`);
  await harness.artifacts.remove(source.uri);
  const damagedCheckpointIds = [source.checkpointId];
  const code = 'CHECKPOINT_DAMAGED';
  await trainer.fail(task, { errorClass: 'INFRASTRUCTURE', code, message: 'missing', damagedCheckpointIds });
}

describe('after a search was ended by its target', () => {
  it('what an evaluation needs is retrained to its end, and retried, though nothing else is', async () => {
    // Long enough to be better than the head.
    const tuned = { 'fine_tune.enabled': true, 'fine_tune.epochs': 40, 'fine_tune.unfreeze': 'block2' };
    const base = { ...specOf().base, ...tuned };
    trainer.savesOnlyAtEnd = true;
    const sweepId = await harness.submit(heads(2, { base, budget: UNBOUNDED }));
    const fineTune = await workUntil('FINE_TUNE');
    await lowerTarget(sweepId);
    await trainer.work(fineTune);
    expect(await endOf(sweepId)).toBe('TARGET');
    expect((await statesOf(sweepId)).toSorted()).toEqual(['STOPPED', 'SUCCEEDED']);
    const evaluation = await trainer.mustLease('EVALUATE');
    const tested = evaluation.runs[0]?.sourceCheckpoint;
    expect(tested).toMatchObject({ stage: 'FINE_TUNE', epoch: 40 });
    await loseSource(evaluation);

    const again = await trainer.mustLease('FINE_TUNE');
    await loseSource(again);
    const head = await trainer.mustLease('HEAD');
    for (const task of [head, null]) {
      const retrained = task ?? (await trainer.mustLease('FINE_TUNE'));
      expect(await trainer.heartbeat([retrained])).toMatchObject([{ command: 0, stoppedRunIds: [] }]);
      expect(retrained.runs.map(({ stopped }) => stopped)).toEqual([false]);
      // A node that is taken away does not end the repair.
      await trainer.release(retrained, ReleaseReason.DRAINING);
      await harness.query('UPDATE tasks SET not_before_time = now()');
      const retried = await trainer.mustLease(retrained.stage);
      expect(retried.taskId).toBe(retrained.taskId);
      await trainer.work(retried);
    }
    const second = await trainer.mustLease('EVALUATE');
    expect(second.runs[0]?.sourceCheckpoint).toMatchObject({
      runId: tested?.runId,
      stage: tested?.stage,
      epoch: tested?.epoch,
    });
    expect(second.runs[0]?.sourceCheckpoint?.checkpointId).not.toBe(tested?.checkpointId);
    await trainer.work(second);
    expect((await harness.query('SELECT state FROM sweeps'))[0]).toEqual({ state: 'SUCCEEDED' });
  });

  it('a preempted task that is handed back is not leased again', async () => {
    const sweepId = await harness.submit(heads(3, { budget: UNBOUNDED }));
    const first = await workUntil('HEAD');
    const victim = await trainer.mustLease('HEAD', 1);
    await harness.query(`UPDATE tasks SET command = 'PAUSE', command_reason = 'urgent work' WHERE task_id = $1`, [
      victim.taskId,
    ]);
    await lowerTarget(sweepId);
    await trainer.work(first);
    expect(await statesOf(sweepId)).toEqual(['SUCCEEDED', 'RUNNING', 'STOPPED']);
    await trainer.release(victim, ReleaseReason.PAUSED);
    expect(await statesOf(sweepId)).toEqual(['SUCCEEDED', 'STOPPED', 'STOPPED']);
    const [row] = await harness.query('SELECT state, state_reason, end_cause FROM runs WHERE run_id = $1', [
      victim.runs[0]?.runId,
    ]);
    expect(row).toMatchObject({ end_cause: 'TARGET', state_reason: expect.stringContaining('reaches 9') as string });
    expect(await trainer.workAll()).toEqual(['EVALUATE']);
  });

  it('a preempted task of a search that the hand-over ends is not leased again', async () => {
    const sweepId = await harness.submit(heads(2, { budget: UNBOUNDED }));
    const victim = await workUntil('HEAD');
    await harness.query(`UPDATE tasks SET command = 'PAUSE', command_reason = 'urgent work' WHERE task_id = $1`, [
      victim.taskId,
    ]);
    await trainer.report([trainer.batch(victim, 1, 1)]);
    const runId = victim.runs[0]?.runId ?? '';
    for (const kind of ['BEST', 'LAST'] as const) await trainer.checkpoint(victim, runId, 1, kind);
    await lowerTarget(sweepId);
    await trainer.release(victim, ReleaseReason.PAUSED);
    expect(await statesOf(sweepId)).toEqual(['STOPPED', 'STOPPED']);
    expect(await trainer.workAll()).toEqual(['EVALUATE']);
  });

  it('a member that fails is not retried alone', async () => {
    const values = [0.001, 0.01];
    const parameters = [
      { name: 'optimizer.learning_rate', domain: { kind: 'values', values }, conditions: [] },
    ] as const;
    const sweepId = await harness.submit(specOf({ parameters, budget: UNBOUNDED }));
    const head = await workUntil('HEAD');
    await trainer.report([trainer.batch(head, 1, 1)]);
    const [first, second] = head.runs.map(({ runId }) => runId);
    await trainer.checkpoint(head, first ?? '', 1, 'BEST');
    await lowerTarget(sweepId);
    await expect.poll(() => endOf(sweepId), { timeout: 20_000 }).toBe('TARGET');
    const error = { errorClass: 'COUNTED', code: 'BUG', message: 'it broke', datasetProblems: [] } as const;
    const outcomes = [
      outcomeOf(first ?? '', 1, { kind: 'STOPPED' }),
      outcomeOf(second ?? '', 1, { kind: 'FAILED', error }),
    ];
    await trainer.complete(head, { stage: 'TRAIN', outcomes });
    expect(await statesOf(sweepId)).toEqual(['STOPPED', 'STOPPED']);
    expect(await trainer.workAll()).toEqual(['EVALUATE']);
  });

  it('runs that come back from a pause of their sweep are stopped', async () => {
    const sweepId = await harness.submit(heads(2, { budget: UNBOUNDED }));
    const first = await workUntil('HEAD');
    const second = await trainer.mustLease('HEAD', 1);
    await lowerTarget(sweepId);
    await harness.sweeps.pauseSweep({ sweepId, reason: '' });
    await trainer.work(first);
    await trainer.release(second, ReleaseReason.PAUSED);
    expect(await statesOf(sweepId)).toEqual(['SUCCEEDED', 'PAUSED']);
    await harness.sweeps.resumeSweep({ sweepId });
    expect(await statesOf(sweepId)).toEqual(['SUCCEEDED', 'STOPPED']);
    expect(await trainer.workAll()).toEqual(['EVALUATE']);
  });
});

it('ends a group of runs while a slot leases it, without a deadlock', async () => {
  const sweepId = await harness.submit(specOf({ budget: UNBOUNDED }));
  await trainer.work(await trainer.mustLease('INDEX'));
  await trainer.work(await trainer.mustLease('FEATURES'));
  const [group] = await harness.query<{ task_id: string; run_ids: string[] }>(
    `SELECT task_id, array_agg(run_id ORDER BY run_id) AS run_ids FROM task_runs JOIN tasks USING (task_id)
      WHERE stage = 'HEAD' GROUP BY task_id`,
  );
  expect(group?.run_ids).toHaveLength(2);
  const slot = new pg.Client({ connectionString: harness.databaseUrl });
  await slot.connect();
  try {
    // What a lease does: it locks its task, and then the runs of that.
    await slot.query('BEGIN');
    await slot.query('SELECT 1 FROM tasks WHERE task_id = $1 FOR NO KEY UPDATE', [group?.task_id]);
    await harness.query(`UPDATE sweeps SET budget = budget || '{"slotSeconds": 1e-6}' WHERE sweep_id = $1`, [sweepId]);
    const waiting = `SELECT count(*)::int AS count FROM pg_stat_activity
                      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    await expect.poll(async () => (await harness.query(waiting))[0], { timeout: 20_000 }).toEqual({ count: 1 });
    await slot.query('SELECT 1 FROM runs WHERE run_id = ANY($1) ORDER BY run_id FOR NO KEY UPDATE', [group?.run_ids]);
    await slot.query('COMMIT');
    await expect.poll(() => statesOf(sweepId), { timeout: 20_000 }).toEqual(['STOPPED', 'STOPPED']);
  } finally {
    await slot.end();
  }
  const [row] = await harness.query(
    'SELECT deadlocks::int AS deadlocks FROM pg_stat_database WHERE datname = current_database()',
  );
  expect(row).toEqual({ deadlocks: 0 });
});

describe('a budget of slot-seconds', { timeout: 120_000 }, () => {
  /** Does a task as if it had taken this long, by the record of its attempt. */
  async function spend(task: LeasedTask, seconds: number): Promise<void> {
    await harness.query(
      `UPDATE attempts SET create_time = create_time - $3 * interval '1 s' WHERE task_id = $1 AND lease_epoch = $2`,
      [task.taskId, task.leaseEpoch, seconds],
    );
    await trainer.work(task);
  }

  /** Does all tasks; the stages in order. @param secondsOf seconds of a task; its forecast if not given */
  async function spendAll(
    secondsOf: (task: LeasedTask, forecast: number) => number = (_, forecast) => forecast,
  ): Promise<Stage[]> {
    const stages: Stage[] = [];
    for (;;) {
      const task = await trainer.lease(0, 500);
      if (task === null) return stages;
      const [row] = await harness.query<{ seconds: number }>(
        'SELECT coalesce(forecast_seconds, 0) AS seconds FROM tasks WHERE task_id = $1',
        [task.taskId],
      );
      await spend(task, secondsOf(task, row?.seconds ?? 0));
      stages.push(task.stage);
    }
  }

  async function spentBy(sweepId: string): Promise<{ spent: number; longest: number }> {
    const [row] = await harness.query<{ spent: number; longest: number }>(
      `SELECT sum(extract(epoch FROM a.end_time - a.create_time))::float8 AS spent,
              max(extract(epoch FROM a.end_time - a.create_time))::float8 AS longest
         FROM attempts a JOIN tasks t USING (task_id) WHERE t.sweep_id = $1`,
      [sweepId],
    );
    return row ?? { spent: 0, longest: 0 };
  }

  it('is exceeded by no more than the task that reaches it', async () => {
    const sweepId = await harness.submit(heads(6, { budget: { slotSeconds: 100, wallSeconds: null, target: null } }));
    const stages = await spendAll(({ stage }) => (stage === 'HEAD' ? 30 : 0));
    expect(stages.filter((stage) => stage === 'HEAD')).toHaveLength(4);
    expect(await endOf(sweepId)).toBe('BUDGET');
    expect((await statesOf(sweepId)).toSorted()).toEqual([
      ...Array<string>(2).fill('STOPPED'),
      ...Array<string>(4).fill('SUCCEEDED'),
    ]);
    const { spent, longest } = await spentBy(sweepId);
    expect(spent).toBeGreaterThanOrEqual(100);
    expect(spent).toBeLessThan(100 + longest);
  });

  it('promotes fewer heads than the cut where it does not pay their way to the end, and is not exceeded by it', async () => {
    trainer.savesOnlyAtEnd = true;
    const tuned = { 'fine_tune.enabled': true, 'fine_tune.epochs': 27, 'fine_tune.unfreeze': 'block2' };
    const values = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => number / 1e5);
    const spec = (slotSeconds: number): SweepSpec =>
      specOf({
        base: { ...specOf().base, ...tuned },
        parameters: [{ name: 'fine_tune.learning_rate', domain: { kind: 'values', values }, conditions: [] }],
        stopping: { ...STOPPING_DEFAULTS, rule: 'promotion', rungs: { head: [], fineTune: [3, 9] } },
        budget: { slotSeconds, wallSeconds: null, target: null },
        reuse: false,
      });
    const promoted = async (sweepId: string): Promise<number> => {
      const [row] = await harness.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM decisions WHERE sweep_id = $1 AND kind = 'PROMOTE' AND rung = 0`,
        [sweepId],
      );
      return row?.count ?? 0;
    };
    const rich = await harness.submit(spec(1e9));
    await spendAll();
    expect(await endOf(rich)).toBe('ALL_DECIDED');
    expect(await promoted(rich)).toBe(4);
    const [rest] = await harness.query<{ tuning: number; other: number }>(
      `SELECT sum(forecast_seconds) FILTER (WHERE stage = 'FINE_TUNE')::float8 AS tuning,
              coalesce(sum(forecast_seconds) FILTER (WHERE stage NOT IN ('FEATURES', 'FINE_TUNE')), 0)::float8 AS other
         FROM tasks WHERE sweep_id = $1`,
      [rich],
    );

    // Three quarters of the fine-tuning pay two runs to the first rung and one of them to the end: 2·3 + 1·6 + 1·18 of 42 epochs. The
    // feature sets are stored now.
    const budget = (rest?.other ?? 0) + ((rest?.tuning ?? 0) * 3) / 4;
    const poor = await harness.submit(spec(budget));
    await spendAll();
    expect(await promoted(poor)).toBeGreaterThanOrEqual(1);
    expect(await promoted(poor)).toBeLessThan(4);
    expect(await endOf(poor)).toBe('BUDGET');
    const { spent, longest } = await spentBy(poor);
    expect(spent).toBeLessThan(budget + longest);
  });
});
