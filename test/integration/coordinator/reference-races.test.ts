import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { carryOutRemoval } from '../../../services/coordinator/store/removals/file-removals.ts';
import { createStore } from '../../../services/coordinator/store/store.ts';
import type { Store } from '../../../services/coordinator/store/store.ts';
import { RECIPE_VERSION } from '../../../services/core/recipe-version.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
let other: pg.Client;
let store: Store;
let closeStore: () => Promise<void>;
beforeAll(async () => {
  harness = await startHarness({ retentionMs: 3_600_000 });
  trainer = new SimulatedTrainer(harness.trainers, harness.artifacts, 't');
  await trainer.register(1, undefined, RECIPE_VERSION);
  other = new pg.Client({ connectionString: harness.databaseUrl });
  await other.connect();
  const log = createLogger('test', 'silent');
  const pool = createPool(harness.databaseUrl, { applicationName: 'test', log });
  store = createStore({ pool, log, leaseMs: 30_000 });
  closeStore = async (): Promise<void> => {
    await store.prisma.$disconnect();
    await pool.end();
  };
});
afterAll(async () => {
  await other.end();
  await closeStore();
  await harness[Symbol.asyncDispose]();
});

/** Waits until a statement of the coordinator waits for a lock. */
async function untilOneWaits(): Promise<void> {
  const waiting = `SELECT count(*)::int AS count FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  await expect.poll(async () => (await harness.query(waiting))[0], { timeout: 20_000 }).toEqual({ count: 1 });
}

it('retries a run from its head only if retention is not removing that', async () => {
  const tuned = { 'fine_tune.enabled': true, 'fine_tune.epochs': 2, 'fine_tune.unfreeze': 'block2' };
  const sweepId = await harness.submit(specOf({ parameters: [], base: { ...specOf().base, ...tuned }, reuse: false }));
  for (;;) {
    const task = await trainer.lease(0, 1_000);
    if (task === null) break;
    if (task.stage === 'FINE_TUNE') await trainer.fail(task, { errorClass: 'PERMANENT', message: 'no such layer' });
    else await trainer.work(task);
  }
  const [run] = await harness.query<{ run_id: string }>('SELECT run_id FROM runs WHERE sweep_id = $1', [sweepId]);
  const runId = run?.run_id ?? '';
  await other.query('BEGIN');
  // The lock and the statement of retention.
  await other.query('SELECT pg_advisory_xact_lock($1)', [0x67726672]);
  await other.query(`UPDATE checkpoints SET state = 'DELETING' WHERE run_id = $1 AND state = 'STORED'`, [runId]);
  const retried = harness.sweeps.retryRun({ runId, reason: '' });
  await untilOneWaits();
  await other.query('COMMIT');
  await retried;
  expect(await trainer.workAll()).toEqual(['HEAD', 'FINE_TUNE', 'EVALUATE']);
});

it('copies the results of a test only as long as no deletion can remove a part of them', async () => {
  const spec = specOf({ displayName: 'tested' });
  const tested = await harness.submit(spec);
  await trainer.workAll();
  const [winner] = await harness.query<{ run_id: string }>(
    `SELECT e.run_id FROM test_results e JOIN runs r USING (run_id) WHERE r.sweep_id = $1 AND e.role = 'WINNER'`,
    [tested],
  );
  await other.query('BEGIN');
  await other.query('LOCK TABLE test_class_results IN ACCESS EXCLUSIVE MODE');
  const sweepId = await harness.submit(spec);
  const worked = trainer.workAll();
  await untilOneWaits();
  await other.query('SAVEPOINT before');
  // What DeleteSweep does to the run.
  await other.query(`SET LOCAL lock_timeout = '200ms'`);
  await expect(other.query('SELECT 1 FROM runs WHERE run_id = $1 FOR UPDATE', [winner?.run_id])).rejects.toThrow(
    /lock timeout/,
  );
  await other.query('ROLLBACK');
  expect(await worked).toEqual(['INDEX']);
  const counts = await harness.query(
    `SELECT (SELECT count(*)::int FROM test_class_results c WHERE c.run_id = e.run_id) AS classes,
            (SELECT count(*)::int FROM test_predictions p WHERE p.run_id = e.run_id) AS predictions
       FROM test_results e JOIN runs r USING (run_id) WHERE r.sweep_id = $1`,
    [sweepId],
  );
  expect(counts).toEqual([{ classes: 2, predictions: 20 }]);
});

it('removes no manifest that an INDEX may have written since it was listed', async () => {
  const uri = 'datasets/0123/manifest.json';
  await harness.query('INSERT INTO file_removals (uri) VALUES ($1)', [uri]);
  const removed: string[] = [];
  const remove = (): Promise<void> =>
    carryOutRemoval(store, uri, () => {
      removed.push(uri);
      return Promise.resolve();
    });
  const sweepId = await harness.submit(specOf());
  await remove();
  expect(removed).toEqual([]);
  await harness.sweeps.cancelSweep({ sweepId, reason: '' });
  await remove();
  expect(removed).toEqual([uri]);
});
