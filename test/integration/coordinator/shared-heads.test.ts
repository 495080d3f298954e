import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunState } from '../../../proto/gen/graft/v1/run.ts';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { endRuns } from '../../../services/coordinator/store/runs/end-runs.ts';
import { createStore } from '../../../services/coordinator/store/store.ts';
import { inTransaction } from '../../../services/coordinator/store/transaction.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { metricsOf, outcomeOf } from './simulated-trainer.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

/** One head and three fine-tunings of it, and a second head with one fine-tuning. */
function sharingSpec(changes: Partial<SweepSpec> = {}): SweepSpec {
  const rates = [1e-5, 1e-4, 1e-3].map((rate) => ({ 'fine_tune.learning_rate': rate }));
  return specOf({
    base: { ...specOf().base, 'fine_tune.enabled': true, 'fine_tune.epochs': 2, 'fine_tune.unfreeze': 'block2' },
    parameters: [],
    strategy: 'list',
    variants: [...rates, { 'head.units': 64 }],
    ...changes,
  });
}

/** Ends runs as a stopping rule or a person would. */
async function end(runIds: readonly string[], to: 'STOPPED' | 'CANCELLED'): Promise<void> {
  const pool = new pg.Pool({ connectionString: harness.databaseUrl, max: 1 });
  const log = createLogger('test', 'silent');
  try {
    const store = createStore({ pool, log, leaseMs: 30_000 });
    await inTransaction(store, async (tx) => {
      await tx.query('SELECT 1 FROM runs WHERE run_id = ANY($1) FOR NO KEY UPDATE', [runIds]);
      await endRuns(tx, runIds, { to, reason: 'enough seen' });
    });
  } finally {
    await pool.end();
  }
}

async function runsOf(sweepId: string) {
  return (await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' })).runs;
}

describe('runs with the same head phase', () => {
  it('train it once, start from its best checkpoint, and name the run that has their head curve', async () => {
    const trainer = await harness.trainer('tree', 1);
    const sweepId = await harness.submit(sharingSpec());
    const stages = await trainer.workAll();
    expect(stages.filter((stage) => stage === 'HEAD')).toHaveLength(1);
    expect(stages.filter((stage) => stage === 'FINE_TUNE')).toHaveLength(4);

    const runs = await runsOf(sweepId);
    const [lead, second, third, other] = runs.map(({ runId }) => runId);
    expect(runs.map(({ headRunId }) => headRunId)).toEqual(['', lead, lead, '']);
    expect(runs.every(({ state }) => state === RunState.SUCCEEDED)).toBe(true);

    const sources = await harness.query<{ run_id: string; source_run_id: string; stage: string; state: string }>(
      `SELECT tr.run_id, c.run_id AS source_run_id, c.stage, c.state
         FROM task_runs tr JOIN tasks t USING (task_id) JOIN checkpoints c ON c.checkpoint_id = tr.source_checkpoint_id
        WHERE t.stage = 'FINE_TUNE' AND t.sweep_id = $1 ORDER BY tr.run_id`,
      [sweepId],
    );
    expect(sources.map(({ source_run_id }) => source_run_id)).toEqual([lead, lead, lead, other]);
    expect(sources.every(({ stage, state }) => stage === 'HEAD' && state === 'STORED')).toBe(true);
    // Trained for two runs, and never for those that share.
    const trained = await harness.query<{ run_id: string }>(
      `SELECT DISTINCT run_id FROM epoch_metrics WHERE stage = 'HEAD' ORDER BY run_id`,
    );
    expect(trained.map(({ run_id }) => run_id)).toEqual([lead, other]);

    const { metrics } = await harness.sweeps.listEpochMetrics({
      sweepId: '',
      runId: second ?? '',
      pageSize: 0,
      pageToken: '',
    });
    const owners = new Set(metrics.map(({ runId, stage, epoch }) => `${runId} ${stage} ${epoch}`));
    expect(owners).toEqual(
      new Set([
        ...[1, 2, 3].map((epoch) => `${lead ?? ''} 3 ${epoch}`),
        ...[1, 2].map((epoch) => `${second ?? ''} 4 ${epoch}`),
      ]),
    );
    const curves = await harness.query<{ trained_run_id: string; stage: string; epoch: number }>(
      `SELECT trained_run_id, stage, epoch FROM epoch_curves WHERE run_id = $1 ORDER BY stage DESC, epoch`,
      [third],
    );
    expect(curves.map(({ trained_run_id }) => trained_run_id)).toEqual([lead, lead, lead, third, third]);
    const all = { sweepId, runId: '', pageSize: 5_000, pageToken: '' };
    const ofSweep = (await harness.sweeps.listEpochMetrics(all)).metrics.filter(({ name }) => name === 'val_loss');
    // Two heads of 3 epochs and four fine-tunings of 2: nothing twice.
    expect(ofSweep).toHaveLength(2 * 3 + 4 * 2);
    const [counted] = await harness.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM epoch_curves WHERE sweep_id = $1 AND trained_run_id = run_id',
      [sweepId],
    );
    expect(counted?.count).toBe(2 * 3 + 4 * 2);
  });

  it('are ranked by the best of the head and their own epochs, and tested with the checkpoint of either', async () => {
    const trainer = await harness.trainer('tree', 1);
    const sweepId = await harness.submit(sharingSpec({ testPolicy: 'every_run' }));
    await trainer.workAll();
    const runs = await runsOf(sweepId);
    for (const run of runs) {
      const headRun = { runId: run.headRunId === '' ? run.runId : run.headRunId };
      const losses = [
        ...[1, 2, 3].map((epoch) => metricsOf(headRun, 'HEAD', epoch)),
        ...[1, 2].map((epoch) => metricsOf(run, 'FINE_TUNE', epoch)),
      ].map((metrics) => metrics['val_loss'] ?? NaN);
      expect(run.bestValue).toBe(Math.min(...losses));
    }
    const tested = await harness.query<{ run_id: string; value: number }>(
      `SELECT e.run_id, c.value FROM test_results e JOIN checkpoints c USING (checkpoint_id) ORDER BY e.run_id`,
    );
    expect(tested).toEqual(runs.map(({ runId, bestValue }) => ({ run_id: runId, value: bestValue })));
    // Each checkpoint is listed once, whichever run was tested with it; a fine-tuning's parent is the head that it
    // shares.
    const lineage = await harness.query<{
      checkpoint_id: string;
      stage: string;
      parent: string | null;
      test_role: string | null;
    }>(`SELECT checkpoint_id, stage, parent_checkpoint_id AS parent, test_role FROM checkpoint_lineage`);
    expect(new Set(lineage.map(({ checkpoint_id }) => checkpoint_id)).size).toBe(lineage.length);
    const winners = lineage.filter(({ test_role }) => test_role === 'WINNER');
    expect(winners).toHaveLength(1);
    const parents = new Set(lineage.filter(({ stage }) => stage === 'FINE_TUNE').map(({ parent }) => parent));
    expect(parents.size).toBe(2);
  });

  it('get the head though its run is stopped before or during its training', async () => {
    const trainer = await harness.trainer('tree', 1);
    const sweepId = await harness.submit(sharingSpec());
    await trainer.work(await trainer.mustLease('INDEX'));
    const [lead, second] = (await runsOf(sweepId)).map(({ runId }) => runId);
    await end([lead ?? ''], 'CANCELLED');
    const stages = await trainer.workAll();
    expect(stages.filter((stage) => stage === 'HEAD')).toHaveLength(1);
    // The lead's own fine-tuning is given up; the others have theirs.
    expect(stages.filter((stage) => stage === 'FINE_TUNE')).toHaveLength(3);
    const runs = await runsOf(sweepId);
    expect(runs.map(({ state }) => state)).toEqual([
      RunState.CANCELLED,
      RunState.SUCCEEDED,
      RunState.SUCCEEDED,
      RunState.SUCCEEDED,
    ]);
    expect(runs[1]).toMatchObject({ runId: second, headRunId: lead });
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep?.state).toBe(SweepState.SUCCEEDED);
  });

  it('lose a head that no run waits for any more', async () => {
    const trainer = await harness.trainer('tree', 1);
    const sweepId = await harness.submit(sharingSpec({ variants: [{}, { 'fine_tune.learning_rate': 1e-4 }] }));
    await trainer.work(await trainer.mustLease('INDEX'));
    const runIds = (await runsOf(sweepId)).map(({ runId }) => runId);
    const head = async (): Promise<string | undefined> =>
      (await harness.query<{ state: string }>(`SELECT state FROM tasks WHERE stage = 'HEAD'`))[0]?.state;
    await end(runIds.slice(0, 1), 'STOPPED');
    expect(await head()).toBe('WAITING');
    await end(runIds.slice(1), 'STOPPED');
    expect(await head()).toBe('CANCELLED');
  });

  it('are not commanded to stop the head while others wait for it, and are once none does', async () => {
    const trainer = await harness.trainer('tree', 1);
    const sweepId = await harness.submit(sharingSpec({ variants: [{}, { 'fine_tune.learning_rate': 1e-4 }] }));
    for (const stage of ['INDEX', 'FEATURES', 'FEATURES'] as const) await trainer.work(await trainer.mustLease(stage));
    const task = await trainer.mustLease('HEAD');
    const [lead, second] = (await runsOf(sweepId)).map(({ runId }) => runId);
    await harness.query(`UPDATE runs SET state = 'STOPPING' WHERE run_id = $1`, [lead]);
    expect((await trainer.heartbeat([task]))[0]?.stoppedRunIds).toEqual([]);
    const [answer] = await trainer.report([trainer.batch(task, 1, 1)]);
    expect(answer).toMatchObject({ errorReason: '', stoppedRunIds: [] });
    await end([second ?? ''], 'CANCELLED');
    expect((await trainer.heartbeat([task]))[0]?.stoppedRunIds).toEqual([lead]);
  });

  it('fail with a head that can not be trained, and only they', async () => {
    const trainer = await harness.trainer('tree', 1);
    const sweepId = await harness.submit(sharingSpec());
    for (const stage of ['INDEX', 'FEATURES', 'FEATURES'] as const) await trainer.work(await trainer.mustLease(stage));
    const task = await trainer.mustLease('HEAD');
    const [bad, good] = task.runs.map(({ runId }) => runId);
    for (const epoch of [1, 2, 3]) await trainer.report([trainer.batch(task, epoch, epoch)]);
    await trainer.checkpoint(task, good ?? '', 3, 'BEST');
    const error = {
      errorClass: 'NUMERIC',
      code: 'LOSS_NOT_FINITE',
      message: 'loss is NaN',
      datasetProblems: [],
    } as const;
    await trainer.complete(task, {
      stage: 'TRAIN',
      outcomes: [outcomeOf(bad ?? '', 3, { kind: 'FAILED', error }), outcomeOf(good ?? '', 3)],
    });
    await trainer.workAll();
    const runs = await runsOf(sweepId);
    expect(runs.map(({ state }) => state)).toEqual([
      RunState.FAILED,
      RunState.FAILED,
      RunState.FAILED,
      RunState.SUCCEEDED,
    ]);
    expect(runs[2]?.stateReason).toContain('loss is NaN');
  });

  it('wait for a head that is retried on its own', async () => {
    const trainer = await harness.trainer('tree', 1);
    const sweepId = await harness.submit(sharingSpec());
    for (const stage of ['INDEX', 'FEATURES', 'FEATURES'] as const) await trainer.work(await trainer.mustLease(stage));
    const task = await trainer.mustLease('HEAD');
    const [bad, good] = task.runs.map(({ runId }) => runId);
    await trainer.report([trainer.batch(task, 1, 1)]);
    await trainer.checkpoint(task, good ?? '', 1, 'BEST');
    const error = { errorClass: 'INFRASTRUCTURE', code: 'DEVICE', message: 'gone', datasetProblems: [] } as const;
    await trainer.complete(task, {
      stage: 'TRAIN',
      outcomes: [outcomeOf(bad ?? '', 0, { kind: 'FAILED', error }), outcomeOf(good ?? '', 3)],
    });
    const waiting = await harness.query<{ run_id: string; state: string }>(
      `SELECT tr.run_id, t.state FROM tasks t JOIN task_runs tr USING (task_id) WHERE t.stage = 'FINE_TUNE' ORDER BY 1`,
    );
    expect(waiting.map(({ state }) => state)).toEqual(['WAITING', 'WAITING', 'WAITING', 'READY']);
    await trainer.workAll(3_000);
    expect((await runsOf(sweepId)).every(({ state }) => state === RunState.SUCCEEDED)).toBe(true);
  });
});
