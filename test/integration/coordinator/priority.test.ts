import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InvalidRequestError } from '../../../services/core/errors.ts';
import type { LeasedTask } from '../../../services/core/task.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness();
  trainer = await harness.trainer('t', 4);
});
afterEach(() => harness[Symbol.asyncDispose]());

const NO_CHANGE = { addTags: [], removeTags: [] };

/** Eight runs in eight HEAD tasks, because their batches differ. */
const EIGHT_TASKS = [
  { name: 'batch_size', domain: { kind: 'values', values: [8, 10, 12, 14, 16, 18, 20, 22] }, conditions: [] },
] as const;

/** Submits a sweep, and takes it to its HEAD tasks. */
async function withHeads(change: Partial<SweepSpec>): Promise<string> {
  const sweepId = await harness.submit(specOf({ parameters: EIGHT_TASKS, ...change }));
  await trainer.work(await trainer.mustLease('INDEX'));
  await workFeatures();
  return sweepId;
}

async function workFeatures(): Promise<void> {
  const task = await trainer.lease(0, 1_000);
  if (task?.stage === 'FEATURES') await trainer.work(task);
  else if (task !== null) await trainer.release(task, 1);
}

async function leasedCount(sweepId: string): Promise<number> {
  const [row] = await harness.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM tasks WHERE sweep_id = $1 AND state IN ('LEASED', 'RUNNING')`,
    [sweepId],
  );
  return row?.count ?? 0;
}

describe('priority', () => {
  it('leases sweeps of a higher priority first, of equal ones the oldest', async () => {
    const submitted: string[] = [];
    for (const priority of [undefined, -3, 7, 7, undefined]) {
      submitted.push(await harness.submit(specOf(priority === undefined ? {} : { priority })));
    }
    const leased: (string | undefined)[] = [];
    for (const sweepId of submitted) {
      const task = await trainer.lease(0);
      leased.push(task?.sweepId);
      // Its other tasks would follow.
      await harness.sweeps.pauseSweep({ sweepId: task?.sweepId ?? sweepId, reason: '' });
      if (task) await trainer.release(task, 2);
    }
    expect(leased).toEqual([2, 3, 0, 4, 1].map((index) => submitted[index]));
  });

  it('counts more than held feature sets, which decide among sweeps of one priority', async () => {
    const held = await withHeads({});
    const [set] = await harness.query<{ feature_key: string }>(
      'SELECT feature_key FROM task_feature_sets JOIN tasks USING (task_id) WHERE sweep_id = $1 LIMIT 1',
      [held],
    );
    const keys = [set?.feature_key ?? ''];
    const urgent = await harness.submit(specOf({ priority: 1 }));
    const lease = async (slotIndex: number): Promise<LeasedTask | null> =>
      trainer.lease(slotIndex, 0, trainer.newRequestId(), keys);
    const first = await lease(0);
    expect(first).toMatchObject({ sweepId: urgent, stage: 'INDEX' });
    expect((await lease(1))?.sweepId).toBe(held);
    await harness.sweeps.updateSweep({ sweepId: urgent, priority: 0, ...NO_CHANGE });
    if (first) await trainer.release(first, 1);
    expect((await lease(0))?.sweepId).toBe(held);
  });

  it('is changed by UpdateSweep, which wakes waiting slots, and refused out of its range', async () => {
    const sweepId = await harness.submit(specOf({ priority: 4 }));
    const other = await harness.submit(specOf());
    const get = async (): Promise<unknown> => (await harness.sweeps.getSweep({ sweepId })).sweep;
    expect(await get()).toMatchObject({ priority: 4, maxParallelSlots: 0, spec: { priority: 4 } });
    const { sweep } = await harness.sweeps.updateSweep({ sweepId, priority: -1, maxParallelSlots: 3, ...NO_CHANGE });
    expect(sweep).toMatchObject({ priority: -1, maxParallelSlots: 3, spec: { priority: 4, maxParallelSlots: 0 } });
    expect(await get()).toEqual(sweep);
    expect((await trainer.lease(0))?.sweepId).toBe(other);
    await harness.sweeps.updateSweep({ sweepId, maxParallelSlots: 0, ...NO_CHANGE });
    expect(await get()).toMatchObject({ priority: -1, maxParallelSlots: 0 });
    const wrong = harness.sweeps.updateSweep({ sweepId, priority: 1_001, maxParallelSlots: -1, ...NO_CHANGE });
    await expect(wrong).rejects.toThrow(InvalidRequestError);
    await expect(wrong).rejects.toThrow(/max_parallel_slots: must be an integer of at least 1.*priority: must be an/s);
    expect(await get()).toMatchObject({ priority: -1, maxParallelSlots: 0 });
  });
});

describe('max_parallel_slots', () => {
  it('is never exceeded by leases that two coordinators grant at once', async () => {
    await using other = await startHarness({
      databaseUrl: harness.databaseUrl,
      env: { GRAFT_ARTIFACTS_DIR: harness.artifacts.root },
    });
    const sweepId = await withHeads({ maxParallelSlots: 3 });
    const second = await other.trainer('u', 12);
    const slots = [
      ...Array.from({ length: 4 }, (_, slot) => ({ of: trainer, slot })),
      ...Array.from({ length: 12 }, (_, slot) => ({ of: second, slot })),
    ];
    for (let round = 0; round < 4; round += 1) {
      const leased = (await Promise.all(slots.map(({ of, slot }) => of.lease(slot)))).map((task, index) => ({
        task,
        of: slots[index]?.of,
      }));
      const granted = leased.flatMap(({ task, of }) => (task === null || of === undefined ? [] : [{ task, of }]));
      expect(granted).toHaveLength(3);
      expect(await leasedCount(sweepId)).toBe(3);
      await Promise.all(granted.map(({ task, of }) => of.release(task, 1)));
    }
  });

  it('leaves other sweeps the slots, and wakes a waiting one when a place is free', async () => {
    const bounded = await withHeads({ maxParallelSlots: 1, priority: 5 });
    const first = await trainer.lease(0);
    expect(first?.sweepId).toBe(bounded);
    const other = await harness.submit(specOf());
    const second = await trainer.lease(1);
    expect(second?.sweepId).toBe(other);
    // Slot 2 finds nothing, and has 20 s: it must not wait for the poll after 10 s.
    const begin = performance.now();
    const waiting = trainer.lease(2, 20_000);
    await expect.poll(() => waitsForTask()).toBe(true);
    if (first) await trainer.work(first);
    expect((await waiting)?.sweepId).toBe(bounded);
    expect(performance.now() - begin).toBeLessThan(8_000);
  });

  it('may be raised while the sweep waits', async () => {
    const sweepId = await withHeads({ maxParallelSlots: 1 });
    await trainer.mustLease('HEAD', 0);
    expect(await trainer.lease(1)).toBeNull();
    const begin = performance.now();
    const waiting = trainer.lease(1, 20_000);
    await expect.poll(() => waitsForTask()).toBe(true);
    await harness.sweeps.updateSweep({ sweepId, maxParallelSlots: 2, ...NO_CHANGE });
    expect((await waiting)?.stage).toBe('HEAD');
    expect(performance.now() - begin).toBeLessThan(8_000);
    expect(await trainer.lease(2)).toBeNull();
    expect(await leasedCount(sweepId)).toBe(2);
  });
});

/** Returns whether no lease is under way, so that the request has found nothing and waits. */
async function waitsForTask(): Promise<boolean> {
  const [row] = await harness.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_stat_activity
      WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()`,
  );
  return row?.count === 0;
}
