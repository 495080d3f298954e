import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { BudgetSpec } from '../../../services/core/sweep/search-spec.ts';
import type { LeasedTask } from '../../../services/core/task.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeAll(async () => {
  harness = await startHarness({ reaperMs: 50 });
  trainer = await harness.trainer('t', 1);
});
afterAll(() => harness[Symbol.asyncDispose]());

let sweepId: string;
afterEach(async () => {
  await harness.sweeps.cancelSweep({ sweepId, reason: '' }).catch(() => undefined);
  await harness.query(
    `UPDATE tasks SET lease_expire_time = now() - interval '1 s' WHERE state IN ('LEASED', 'RUNNING')`,
  );
  await harness.coordinator.loops.passes(1);
});

const NO_BOUND: BudgetSpec = { slotSeconds: null, wallSeconds: null, target: { value: 1e-9, confidence: 0.9 } };
/** Two heads that do not train together, and a budget that ends nothing yet. */
const TWO_HEADS = specOf({
  parameters: [{ name: 'batch_size', domain: { kind: 'values', values: [8, 16] }, conditions: [] }],
  budget: NO_BOUND,
});

async function reachBound(): Promise<void> {
  await harness.query(`UPDATE sweeps SET budget = budget || '{"wallSeconds": 1e-3}' WHERE sweep_id = $1`, [sweepId]);
}

async function loseLease({ taskId }: LeasedTask): Promise<void> {
  await harness.query(`UPDATE tasks SET lease_expire_time = now() - interval '1 s' WHERE task_id = $1`, [taskId]);
}

async function stateOf(runId: string): Promise<string> {
  const [row] = await harness.query<{ state: string }>('SELECT state FROM runs WHERE run_id = $1', [runId]);
  return row?.state ?? '';
}

/** Leases the first head and reports three epochs, the last of which is the best. @param saved the epoch with checkpoints; 0: none */
async function toEpoch3(saved: number): Promise<{ head: LeasedTask; runId: string }> {
  sweepId = await harness.submit(TWO_HEADS);
  await trainer.work(await trainer.mustLease('INDEX'));
  // The feature sets are stored by the first sweep.
  let head = await trainer.lease(0, 5_000);
  if (head?.stage === 'FEATURES') {
    await trainer.work(head);
    head = await trainer.lease(0, 5_000);
  }
  if (head?.stage !== 'HEAD') throw new Error('no head to train');
  const runId = head.runs[0]?.runId ?? '';
  for (const epoch of [1, 2, 3]) {
    await trainer.report([trainer.batch(head, epoch, epoch)]);
    if (epoch === saved)
      for (const kind of ['BEST', 'LAST'] as const) await trainer.checkpoint(head, runId, epoch, kind);
  }
  return { head, runId };
}

/** Ways in which a run ends without another attempt after its last one was lost. */
const ENDS: readonly { name: string; end: (run: { head: LeasedTask; runId: string }) => Promise<void> }[] = [
  {
    name: 'a person stops it, and then its trainer is killed',
    end: async ({ head, runId }) => {
      await harness.sweeps.stopRun({ runId, reason: '' });
      await loseLease(head);
    },
  },
  {
    name: 'its trainer is killed, and then a person stops it',
    end: async ({ head, runId }) => {
      await loseLease(head);
      await expect.poll(() => stateOf(runId), { timeout: 20_000 }).toBe('QUEUED');
      await harness.sweeps.stopRun({ runId, reason: '' });
    },
  },
  {
    name: 'a bound ends the search, and then its trainer is killed',
    end: async ({ head }) => {
      await reachBound();
      await expect.poll(async () => (await trainer.heartbeat([head]))[0]?.command, { timeout: 20_000 }).not.toBe(0);
      await loseLease(head);
    },
  },
  {
    name: 'its trainer is killed, and then a bound ends the search',
    end: async ({ head, runId }) => {
      await loseLease(head);
      await expect.poll(() => stateOf(runId), { timeout: 20_000 }).toBe('QUEUED');
      await reachBound();
    },
  },
];

describe.each(ENDS)('a run of which one epoch is stored: $name', ({ end }) => {
  it('keeps that epoch as its best one, which is what the evaluation tests', async () => {
    const run = await toEpoch3(1);
    await end(run);
    await expect.poll(() => stateOf(run.runId), { timeout: 20_000 }).toBe('STOPPED');
    const [row] = await harness.query('SELECT best_stage, best_epoch, epoch_count FROM runs WHERE run_id = $1', [
      run.runId,
    ]);
    expect(row).toEqual({ best_stage: 'HEAD', best_epoch: 1, epoch_count: 1 });
    const lost = await harness.query(
      `SELECT DISTINCT epoch, lease_epoch, superseded_by FROM epoch_metrics WHERE run_id = $1 ORDER BY epoch`,
      [run.runId],
    );
    expect(lost).toEqual([
      { epoch: 1, lease_epoch: 1, superseded_by: null },
      { epoch: 2, lease_epoch: 1, superseded_by: 2 },
      { epoch: 3, lease_epoch: 1, superseded_by: 2 },
    ]);
    for (const { run_id: runId } of await harness.query<{ run_id: string }>(
      `SELECT run_id FROM runs WHERE sweep_id = $1 AND state IN ('QUEUED', 'RUNNING')`,
      [sweepId],
    )) {
      await harness.sweeps.stopRun({ runId, reason: '' });
    }
    const evaluation = await trainer.mustLease('EVALUATE');
    expect(evaluation.runs.map(({ sourceCheckpoint }) => sourceCheckpoint)).toMatchObject([
      { runId: run.runId, stage: 'HEAD', epoch: 1 },
    ]);
  });
});

describe('a run of which nothing is stored', () => {
  it.each(ENDS)('has no result: $name', async ({ end }) => {
    const run = await toEpoch3(0);
    await end(run);
    await expect.poll(() => stateOf(run.runId), { timeout: 20_000 }).toBe('STOPPED');
    const [row] = await harness.query('SELECT best_value, best_epoch, epoch_count FROM runs WHERE run_id = $1', [
      run.runId,
    ]);
    expect(row).toEqual({ best_value: null, best_epoch: null, epoch_count: 0 });
  });
});

it('reaches no target by an epoch of which nothing is stored', async () => {
  const { head, runId } = await toEpoch3(0);
  await harness.query(`UPDATE sweeps SET budget = jsonb_set(budget, '{target,value}', '9') WHERE sweep_id = $1`, [
    sweepId,
  ]);
  await harness.coordinator.loops.passes(2);
  const ended = (): Promise<unknown[]> =>
    harness.query('SELECT end_reason FROM searches WHERE sweep_id = $1', [sweepId]);
  expect(await ended()).toEqual([{ end_reason: null }]);
  await trainer.checkpoint(head, runId, 3, 'BEST');
  await expect.poll(ended, { timeout: 20_000 }).toEqual([{ end_reason: 'TARGET' }]);
});

it('keeps what a later attempt has resumed from and completed', async () => {
  const { head, runId } = await toEpoch3(2);
  await loseLease(head);
  await expect.poll(() => stateOf(runId), { timeout: 20_000 }).toBe('QUEUED');
  await harness.query('UPDATE tasks SET not_before_time = now()');
  const again = await trainer.mustLease('HEAD');
  expect(again.runs[0]).toMatchObject({ runId, resumeCheckpoint: { epoch: 2 } });
  await trainer.report([trainer.batch(again, 3, 1)]);
  await trainer.checkpoint(again, runId, 3, 'LAST');
  await harness.sweeps.stopRun({ runId, reason: '' });
  const outcome = { runId, kind: 'STOPPED', error: null, epochCount: 3, peakMemoryBytes: 0 } as const;
  // Its last checkpoint may be removed before it ends: only the best epoch is needed then.
  await harness.query(`UPDATE checkpoints SET state = 'DELETED' WHERE kind = 'LAST' AND run_id = $1`, [runId]);
  await trainer.complete(again, { stage: 'TRAIN', outcomes: [outcome] });
  const [row] = await harness.query('SELECT state, best_epoch, epoch_count FROM runs WHERE run_id = $1', [runId]);
  expect(row).toEqual({ state: 'STOPPED', best_epoch: 3, epoch_count: 3 });
});
