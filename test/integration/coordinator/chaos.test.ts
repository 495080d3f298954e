import { afterAll, beforeAll, expect, it } from 'vitest';
import { LeaseLostError } from '../../../services/core/errors.ts';
import type { LeasedTask } from '../../../services/core/task.ts';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { ReleaseReason } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { epochsOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

const SLOTS = 6;
const SWEEPS = 3;
/** Another one by GRAFT_CHAOS_SEED, to look for more. */
const SEED = Number(process.env['GRAFT_CHAOS_SEED'] ?? 1000);

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ reaperMs: 30, retentionMs: 50 });
});
afterAll(() => harness[Symbol.asyncDispose]());

/** A generator of its own per slot (mulberry32), so that a failing seed can be run again. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function expire(task: LeasedTask): Promise<void> {
  await harness.query(
    `UPDATE tasks SET lease_expire_time = now() - interval '1 s'
      WHERE task_id = $1 AND lease_epoch = $2 AND state IN ('LEASED', 'RUNNING')`,
    [task.taskId, task.leaseEpoch],
  );
}

/** Dies somewhere in the middle of a task, and writes on as a zombie. */
async function dieIn(trainer: SimulatedTrainer, task: LeasedTask, random: () => number): Promise<void> {
  if (task.stage === 'HEAD' || task.stage === 'FINE_TUNE') {
    const start = Math.min(...task.runs.map((run) => run.resumeCheckpoint?.epoch ?? 0));
    if (start < epochsOf(task)) {
      await trainer.report([trainer.batch(task, start + 1, 1)]);
      for (const { runId } of task.runs) {
        await trainer.checkpoint(task, runId, start + 1, 'BEST');
        if (random() < 0.5) await trainer.checkpoint(task, runId, start + 1, 'LAST');
      }
    }
  }
  await expire(task);
  await trainer.work(task).catch((error: unknown) => {
    // Either the reaper was faster (the write is fenced), or the work was done before it came.
    const isFenced =
      error instanceof LeaseLostError || String(error).includes('LEASE_LOST') || String(error).includes('SEQUENCE_GAP');
    if (!isFenced) throw error;
  });
}

async function runSlot(trainer: SimulatedTrainer, slot: number, seed: number, isDone: () => boolean): Promise<void> {
  const random = randomOf(seed);
  while (!isDone()) {
    const task = await trainer.lease(slot, 200);
    if (!task) continue;
    const dice = random();
    if (dice < 0.6) await trainer.work(task);
    else if (dice < 0.7) await trainer.fail(task, { errorClass: 'INFRASTRUCTURE', message: 'worker died' });
    else if (dice < 0.8) await trainer.release(task, ReleaseReason.DRAINING);
    else if (dice < 0.83) await trainer.fail(task, { errorClass: 'COUNTED', message: 'boom' });
    else await dieIn(trainer, task, random);
    await harness.query(`UPDATE tasks SET not_before_time = now() WHERE state = 'READY' AND not_before_time > now()`);
  }
}

it('ends every sweep with every epoch once, under random failures of slots', { timeout: 180_000 }, async () => {
  const trainer = await harness.trainer('chaos', SLOTS);
  const fineTune = { 'fine_tune.enabled': true, 'fine_tune.epochs': 2, 'fine_tune.unfreeze': 'block2' };
  const values = [0.001, 0.002, 0.003, 0.004];
  const sweepIds = await Promise.all(
    Array.from({ length: SWEEPS }, (_, index) =>
      harness.submit(
        specOf({
          seed: index,
          base: { ...specOf().base, image_size: 64 + 32 * (index % 2), ...fineTune },
          parameters: [{ name: 'optimizer.learning_rate', domain: { kind: 'values', values }, conditions: [] }],
          testPolicy: 'every_run',
        }),
      ),
    ),
  );
  let done = false;
  const slots = Array.from({ length: SLOTS }, (_, slot) => runSlot(trainer, slot, SEED + slot, () => done));
  const watched = Promise.all(sweepIds.map((sweepId) => harness.watch(sweepId)));
  const random = randomOf(SEED);
  while (!done) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const states = await Promise.all(
      sweepIds.map(async (sweepId) => (await harness.sweeps.getSweep({ sweepId })).sweep?.state),
    );
    done = states.every((state) => state === SweepState.SUCCEEDED || state === SweepState.FAILED);
    for (const [index, sweepId] of sweepIds.entries()) {
      if (states[index] === SweepState.PAUSED) await harness.sweeps.resumeSweep({ sweepId });
      else if (random() < 0.05) await harness.sweeps.pauseSweep({ sweepId, reason: 'a break' }).catch(() => undefined);
    }
  }
  await Promise.all(slots);

  const doubled = await harness.query(
    `SELECT run_id, stage, epoch, name FROM epoch_metrics WHERE superseded_by IS NULL GROUP BY 1, 2, 3, 4 HAVING count(*) > 1`,
  );
  expect(doubled).toEqual([]);
  const incomplete = await harness.query(
    `SELECT r.run_id, r.state, c.stage, count(*)::int AS epochs
       FROM runs r JOIN epoch_curves c ON c.run_id = r.run_id
      WHERE r.state = 'SUCCEEDED'
      GROUP BY r.run_id, r.state, c.stage
     HAVING count(*) <> CASE c.stage WHEN 'HEAD' THEN 3 ELSE 2 END OR max(c.epoch) <> count(*)`,
  );
  expect(incomplete).toEqual([]);
  const live = await harness.query(
    `SELECT task_id, state FROM tasks WHERE state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED')
     UNION ALL SELECT run_id, state FROM runs WHERE state IN ('QUEUED', 'RUNNING', 'PAUSED', 'STOPPING')
     UNION ALL SELECT task_id, state FROM attempts WHERE state IN ('LEASED', 'RUNNING')`,
  );
  expect(live).toEqual([]);
  const succeeded = await harness.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM runs WHERE state = 'SUCCEEDED'`,
  );
  expect(succeeded[0]?.count).toBeGreaterThan(0);
  const untested = await harness.query(
    `SELECT r.run_id FROM runs r LEFT JOIN test_results t ON t.run_id = r.run_id WHERE r.state = 'SUCCEEDED' AND t.run_id IS NULL`,
  );
  expect(untested).toEqual([]);
  const ended = await harness.query<{ events: number }>(
    'SELECT count(*)::int AS events FROM events GROUP BY sweep_id ORDER BY sweep_id',
  );
  const seen = await watched;
  expect(seen.map((events) => events.length).toSorted()).toEqual(ended.map(({ events }) => events).toSorted());
  const kinds = await harness.query<{ state: string }>('SELECT DISTINCT state FROM attempts ORDER BY state');
  expect(kinds.map(({ state }) => state)).toEqual(['EXPIRED', 'FAILED', 'RELEASED', 'SUCCEEDED']);
  const [deadlocks] = await harness.query<{ deadlocks: number }>(
    'SELECT deadlocks::int AS deadlocks FROM pg_stat_database WHERE datname = current_database()',
  );
  expect(deadlocks?.deadlocks).toBe(0);
});
