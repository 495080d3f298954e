import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { RunState } from '../../../proto/gen/graft/v1/run.ts';
import { endRuns } from '../../../services/coordinator/store/runs/end-runs.ts';
import { findReplannableSweeps, replanGroups } from '../../../services/coordinator/store/settle/replan-groups.ts';
import { createStore } from '../../../services/coordinator/store/store.ts';
import type { Store } from '../../../services/coordinator/store/store.ts';
import { inTransaction } from '../../../services/coordinator/store/transaction.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import type { LeasedTask, Stage } from '../../../services/core/task.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
afterEach(() => harness[Symbol.asyncDispose]());

/** Heads so wide that they are worth a slot each; the first two runs share one. */
function wideHeads(method: 'cached' | 'augmented' = 'cached', count = 4): SweepSpec {
  const heads = Array.from({ length: count }, (_, index) => ({ 'optimizer.learning_rate': (index + 1) * 1e-3 }));
  return specOf({
    base: {
      ...specOf().base,
      method,
      'head.units': 65_536,
      'head.layers': 2,
      'fine_tune.enabled': true,
      'fine_tune.epochs': 1,
      'fine_tune.unfreeze': 'block2',
    },
    parameters: [],
    strategy: 'list',
    variants: [{ ...heads[0], 'fine_tune.learning_rate': 1e-4 }, ...heads],
  });
}

async function submitAndIndex(trainer: SimulatedTrainer, spec = wideHeads()): Promise<string> {
  const sweepId = await harness.submit(spec);
  await trainer.work(await trainer.mustLease('INDEX'));
  return sweepId;
}

/** Fine-tunings on one augmented stream, after the one head that they share. */
function longFineTunes(): SweepSpec {
  return specOf({
    base: {
      ...specOf().base,
      method: 'augmented',
      'fine_tune.enabled': true,
      'fine_tune.epochs': 50,
      'fine_tune.unfreeze': 'block2',
    },
    parameters: [],
    strategy: 'list',
    variants: [1e-5, 2e-5, 3e-5, 4e-5].map((rate) => ({ 'fine_tune.learning_rate': rate })),
  });
}

/** The next task of a stage; those of other stages that come before are worked on. */
async function leaseNext(trainer: SimulatedTrainer, stage: Stage): Promise<LeasedTask> {
  for (;;) {
    const task = await trainer.lease(0, 5_000);
    if (task === null) throw new Error(`no ${stage} task came`);
    if (task.stage === stage) return task;
    await trainer.work(task);
  }
}

/** Numbers of the runs of each task of a stage that is not given up. */
async function groups(stage = 'HEAD'): Promise<string[]> {
  const rows = await harness.query<{ runs: string }>(
    `SELECT string_agg(r.run_index::text, ' ' ORDER BY r.run_index) AS runs
       FROM tasks t JOIN task_runs tr USING (task_id) JOIN runs r USING (run_id)
      WHERE t.stage = $1 AND t.state <> 'CANCELLED' GROUP BY t.task_id ORDER BY min(r.run_index)`,
    [stage],
  );
  return rows.map(({ runs }) => runs);
}

/** Each FINE_TUNE with the HEAD tasks it waits for: every run must wait for the one that trains its head. */
async function brokenDependencies(): Promise<unknown[]> {
  return harness.query(
    `SELECT ft.run_id, needed.task_id FROM served_runs ft
       JOIN served_runs needed ON needed.run_id = ft.run_id AND needed.stage = 'HEAD'
       JOIN tasks h ON h.task_id = needed.task_id AND h.state <> 'CANCELLED'
       LEFT JOIN task_dependencies d ON d.task_id = ft.task_id AND d.depends_on_id = needed.task_id
      WHERE ft.stage = 'FINE_TUNE' AND d.task_id IS NULL
     UNION ALL
     SELECT d.task_id, d.depends_on_id FROM task_dependencies d JOIN tasks p ON p.task_id = d.depends_on_id
      WHERE p.state = 'CANCELLED'`,
  );
}

async function withStore<T>(work: (store: Store) => Promise<T>): Promise<T> {
  const pool = new pg.Pool({ connectionString: harness.databaseUrl, max: 2 });
  try {
    return await work(createStore({ pool, log: createLogger('test', 'silent'), leaseMs: 30_000 }));
  } finally {
    await pool.end();
  }
}

describe('heads that were never leased', () => {
  it('are split by the loop when slots are added, merged when they are removed, and all are trained once', async () => {
    harness = await startHarness();
    const trainer = await harness.trainer('first', 1);
    const sweepId = await submitAndIndex(trainer);
    expect(await groups()).toEqual(['0 2 3 4']);

    await harness.trainer('second', 3);
    await harness.coordinator.loops.passes(2);
    expect(await groups()).toEqual(['0', '2', '3', '4']);
    expect(await brokenDependencies()).toEqual([]);
    const [sweep] = await harness.query('SELECT planned_slot_count FROM sweeps');
    expect(sweep).toEqual({ planned_slot_count: 4 });

    await harness.query(`UPDATE trainers SET state = 'DRAINING' WHERE trainer_id = 'second'`);
    await harness.coordinator.loops.passes(2);
    expect(await groups()).toEqual(['0 2 3 4']);
    expect(await brokenDependencies()).toEqual([]);

    const stages = await trainer.workAll();
    expect(stages.filter((stage) => stage === 'HEAD')).toHaveLength(1);
    expect(stages.filter((stage) => stage === 'FINE_TUNE')).toHaveLength(5);
    const { runs } = await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' });
    expect(runs.every(({ state }) => state === RunState.SUCCEEDED)).toBe(true);
    const doubled = await harness.query(
      `SELECT run_id FROM epoch_metrics WHERE stage = 'HEAD' AND name = 'loss' AND epoch = 1 GROUP BY run_id HAVING count(*) > 1`,
    );
    expect(doubled).toEqual([]);
  });

  it('are unchanged once leased; only the others are regrouped', async () => {
    harness = await startHarness();
    const trainer = await harness.trainer('first', 2);
    await submitAndIndex(trainer);
    expect(await groups()).toEqual(['0 2', '3 4']);
    for (const stage of ['FEATURES', 'FEATURES'] as const) await trainer.work(await trainer.mustLease(stage));
    const begun = await trainer.mustLease('HEAD');
    await harness.trainer('second', 2);
    await harness.coordinator.loops.passes(2);
    expect(await groups()).toEqual(['0 2', '3', '4']);
    expect(await brokenDependencies()).toEqual([]);
    // Ready at once, because the feature sets are there.
    const [ready] = await harness.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM tasks WHERE stage = 'HEAD' AND state = 'READY'`,
    );
    expect(ready?.count).toBe(2);
    await trainer.train(begun);
    await trainer.workAll();
    const [sweep] = await harness.query('SELECT state FROM sweeps');
    expect(sweep).toEqual({ state: 'SUCCEEDED' });
  });

  it('lose runs that have ended, but not a head that others share with such a run', async () => {
    harness = await startHarness({ reaperMs: 600_000 });
    const trainer = await harness.trainer('first', 1);
    const sweepId = await submitAndIndex(trainer);
    const ended = [`${sweepId}-r000`, `${sweepId}-r003`];
    await withStore(async (store) => {
      await inTransaction(store, async (tx) => {
        await endRuns(tx, ended, { to: 'STOPPED', reason: 'enough seen' });
      });
      expect(await replanGroups(store, sweepId)).toBe(true);
      expect(await groups()).toEqual(['0 2 4']);
      expect(await replanGroups(store, sweepId)).toBe(false);
    });
    await trainer.workAll();
    const states = await harness.query<{ state: string }>('SELECT state FROM runs ORDER BY run_index');
    expect(states.map(({ state }) => state)).toEqual(['STOPPED', 'SUCCEEDED', 'SUCCEEDED', 'STOPPED', 'SUCCEEDED']);
  });

  it('are leased or regrouped, never both, in either order', async () => {
    harness = await startHarness({ reaperMs: 600_000 });
    const trainer = await harness.trainer('first', 2);
    const sweepId = await submitAndIndex(trainer);
    for (const stage of ['FEATURES', 'FEATURES'] as const) await trainer.work(await trainer.mustLease(stage));
    await harness.trainer('second', 2);
    const [, ...leased] = await withStore((store) =>
      Promise.all([replanGroups(store, sweepId), trainer.lease(0, 2_000), trainer.lease(1, 2_000)]),
    );
    const runIds = leased.flatMap((task) => task?.runs.map(({ runId }) => runId) ?? []);
    expect(new Set(runIds).size).toBe(runIds.length);
    for (const task of leased) if (task) await trainer.train(task);
    await trainer.workAll();
    const [sweep] = await harness.query('SELECT state FROM sweeps');
    expect(sweep).toEqual({ state: 'SUCCEEDED' });
    const trained = await harness.query(
      `SELECT run_id FROM epoch_metrics WHERE stage = 'HEAD' AND name = 'loss' AND epoch = 3 ORDER BY run_id`,
    );
    expect(trained).toHaveLength(4);
  });

  it('stay in the groups of the first plan when plans are not adaptive', async () => {
    harness = await startHarness({ env: { GRAFT_COORDINATOR_ADAPTIVE_PLAN: 'off' } });
    const trainer = await harness.trainer('first', 1);
    await submitAndIndex(trainer);
    await harness.trainer('second', 3);
    await harness.coordinator.loops.passes(2);
    expect(await groups()).toEqual(['0 2 3 4']);
  });
});

describe('fine-tunings that were never leased', () => {
  it('are split when slots are added and merged when they are removed, also while their head is trained', async () => {
    harness = await startHarness();
    const trainer = await harness.trainer('first', 1);
    const sweepId = await submitAndIndex(trainer, longFineTunes());
    expect(await groups('FINE_TUNE')).toEqual(['0 1 2 3']);
    const head = await leaseNext(trainer, 'HEAD');
    expect(head.runs.map(({ runId }) => runId)).toEqual([`${sweepId}-r000`]);

    await harness.trainer('second', 3);
    await harness.coordinator.loops.passes(2);
    expect(await groups('FINE_TUNE')).toEqual(['0', '1', '2', '3']);
    expect(await groups()).toEqual(['0']);
    expect(await brokenDependencies()).toEqual([]);

    await harness.query(`UPDATE trainers SET state = 'DRAINING' WHERE trainer_id = 'second'`);
    await harness.coordinator.loops.passes(2);
    expect(await groups('FINE_TUNE')).toEqual(['0 1 2 3']);
    expect(await brokenDependencies()).toEqual([]);
    const ready = await harness.query(`SELECT 1 FROM tasks WHERE stage = 'FINE_TUNE' AND state = 'READY'`);
    expect(ready).toEqual([]);

    await trainer.train(head);
    const stages = await trainer.workAll();
    expect(stages.filter((stage) => stage === 'FINE_TUNE')).toHaveLength(1);
    expect(await stateAndEpochs()).toEqual(Array.from({ length: 4 }, () => ({ state: 'SUCCEEDED', epochs: 50 })));
  });

  it('wait for the one task that trains their head, when heads are regrouped as well', async () => {
    harness = await startHarness();
    const trainer = await harness.trainer('first', 1);
    await submitAndIndex(trainer, wideHeads('augmented'));
    expect([await groups(), await groups('FINE_TUNE')]).toEqual([['0 2 3 4'], ['0 1 2 3 4']]);
    await harness.trainer('second', 3);
    await harness.coordinator.loops.passes(2);
    const [heads, fineTunes] = [await groups(), await groups('FINE_TUNE')];
    expect(heads).toEqual(['0', '2', '3', '4']);
    expect(fineTunes).toEqual(['0', '1 2', '3 4']);
    expect(await brokenDependencies()).toEqual([]);
    const waits = await harness.query<{ heads: number }>(
      `SELECT count(*)::int AS heads
         FROM tasks t JOIN task_dependencies d USING (task_id) JOIN tasks h ON h.task_id = d.depends_on_id AND h.stage = 'HEAD'
        WHERE t.stage = 'FINE_TUNE' AND t.state = 'WAITING' GROUP BY t.task_id`,
    );
    expect(waits.map((row) => row.heads).sort()).toEqual([1, 2, 2]);
    await trainer.workAll();
    expect(await stateAndEpochs()).toEqual(Array.from({ length: 5 }, () => ({ state: 'SUCCEEDED', epochs: 1 })));
  });

  it('lose runs that have ended only when they are regrouped for another reason', async () => {
    harness = await startHarness({ reaperMs: 600_000 });
    const trainer = await harness.trainer('first', 1);
    const sweepId = await submitAndIndex(trainer, longFineTunes());
    await withStore(async (store) => {
      await inTransaction(store, async (tx) => {
        await endRuns(tx, [`${sweepId}-r002`], { to: 'STOPPED', reason: 'enough seen' });
      });
      expect(await findReplannableSweeps(store, 10)).toEqual([]);
      await harness.trainer('second', 1);
      expect(await findReplannableSweeps(store, 10)).toEqual([sweepId]);
      expect(await replanGroups(store, sweepId)).toBe(true);
      expect(await findReplannableSweeps(store, 10)).toEqual([]);
    });
    expect(await groups('FINE_TUNE')).toEqual(['0', '1 3']);
    await trainer.workAll();
    const states = await harness.query<{ state: string }>('SELECT state FROM runs ORDER BY run_index');
    expect(states.map(({ state }) => state)).toEqual(['SUCCEEDED', 'SUCCEEDED', 'STOPPED', 'SUCCEEDED']);
  });

  it('stay as they are once leased', async () => {
    harness = await startHarness();
    const trainer = await harness.trainer('first', 1);
    await submitAndIndex(trainer, longFineTunes());
    await trainer.train(await leaseNext(trainer, 'HEAD'));
    const begun = await leaseNext(trainer, 'FINE_TUNE');
    await harness.trainer('second', 3);
    await harness.coordinator.loops.passes(2);
    expect(await groups('FINE_TUNE')).toEqual(['0 1 2 3']);
    await trainer.train(begun);
    await trainer.workAll();
    expect(await stateAndEpochs()).toEqual(Array.from({ length: 4 }, () => ({ state: 'SUCCEEDED', epochs: 50 })));
  });

  /** Each run's state, and how many surviving epochs of fine-tuning it has. */
  async function stateAndEpochs(): Promise<unknown[]> {
    return harness.query(
      `SELECT r.state, count(m.epoch)::int AS epochs
         FROM runs r LEFT JOIN epoch_metrics m
           ON m.run_id = r.run_id AND m.stage = 'FINE_TUNE' AND m.name = 'loss' AND m.superseded_by IS NULL
        GROUP BY r.run_index, r.state ORDER BY r.run_index`,
    );
  }
});
