import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LeasedTask } from '../../../services/core/task.ts';
import { ReleaseReason, TaskCommand } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness({ reaperMs: 50 });
  trainer = await harness.trainer('t', 2);
});
afterEach(() => harness[Symbol.asyncDispose]());

const NO_CHANGE = { addTags: [], removeTags: [] };
/** Other images, in effect: its feature sets are of another size. */
const OTHER_SETS = { base: { ...specOf().base, image_size: 96 } };

async function mustLease(slotIndex = 0): Promise<LeasedTask> {
  const task = await trainer.lease(slotIndex, 5_000);
  if (task === null) throw new Error('nothing to lease');
  return task;
}

/** Submits a sweep and indexes it, as the only one with a READY task. */
async function indexed(changes: Parameters<typeof specOf>[0]): Promise<string> {
  const sweepId = await harness.submit(specOf(changes));
  const index = await mustLease();
  expect(index).toMatchObject({ sweepId, stage: 'INDEX' });
  await trainer.work(index);
  return sweepId;
}

async function setPriority(sweepId: string, priority: number): Promise<void> {
  await harness.sweeps.updateSweep({ sweepId, priority, ...NO_CHANGE });
}

/** The maker has FEATURES to compute, and a sweep of a higher priority waits for them. */
async function makerAndHeir(): Promise<{ maker: string; heir: string }> {
  const maker = await indexed({ priority: -5 });
  const heir = await indexed({ priority: 10, reuse: false, seed: 2 });
  const [row] = await harness.query(
    `SELECT count(*)::int AS count FROM task_dependencies d JOIN tasks w USING (task_id) JOIN tasks f ON f.task_id = d.depends_on_id
      WHERE w.sweep_id = $1 AND f.sweep_id = $2 AND f.stage = 'FEATURES' AND f.state = 'READY'`,
    [heir, maker],
  );
  expect(row).not.toEqual({ count: 0 });
  return { maker, heir };
}

describe('feature sets that a sweep of a higher priority waits for', () => {
  it('are computed before the work of sweeps between the two', async () => {
    const { maker, heir } = await makerAndHeir();
    const between = await harness.submit(specOf(OTHER_SETS));
    const features = await mustLease();
    expect(features).toMatchObject({ sweepId: maker, stage: 'FEATURES' });
    await trainer.work(features);
    expect(await mustLease()).toMatchObject({ sweepId: heir, stage: 'HEAD' });
    expect(await mustLease(1)).toMatchObject({ sweepId: between, stage: 'INDEX' });
  });

  it('take the slot of a task with a priority between the two', async () => {
    const { maker, heir } = await makerAndHeir();
    await setPriority(heir, -9);
    const values = [16, 32];
    const parameters = [{ name: 'batch_size', domain: { kind: 'values', values }, conditions: [] }] as const;
    const middle = await indexed({ ...OTHER_SETS, parameters });
    await trainer.work(await mustLease());
    const heads = [await mustLease(0), await mustLease(1)];
    expect(heads.map(({ sweepId, stage }) => [sweepId, stage])).toEqual([
      [middle, 'HEAD'],
      [middle, 'HEAD'],
    ]);
    const commands = async (): Promise<unknown[]> => (await trainer.heartbeat(heads)).map(({ command }) => command);
    await harness.coordinator.loops.passes(2);
    expect(await commands()).toEqual([0, 0]);
    await setPriority(heir, 10);
    const preempted = async (): Promise<number> => (await commands()).indexOf(TaskCommand.PAUSE);
    await expect.poll(preempted, { timeout: 20_000 }).not.toBe(-1);
    const slotIndex = await preempted();
    const victim = heads[slotIndex] as LeasedTask;
    expect(await harness.query('SELECT command_reason FROM tasks WHERE task_id = $1', [victim.taskId])).toEqual([
      { command_reason: `its slot goes to sweep ${heir} (priority 10)` },
    ]);
    await trainer.release(victim, ReleaseReason.PAUSED);
    expect(await mustLease(slotIndex)).toMatchObject({ sweepId: maker, stage: 'FEATURES' });
  });

  it('are computed beside the task of their maker that has its only place, and take none of it', async () => {
    const sizes = [{ name: 'image_size', domain: { kind: 'values', values: [64, 96] }, conditions: [] }] as const;
    const maker = await indexed({ parameters: sizes, maxParallelSlots: 1 });
    const first = await mustLease();
    expect(first).toMatchObject({ sweepId: maker, stage: 'FEATURES' });
    expect(await trainer.lease(1)).toBeNull();
    const imageSize = first.featureSets[0]?.imageSize === 64 ? 96 : 64;
    const heir = await harness.submit(specOf({ base: { ...specOf().base, image_size: imageSize }, reuse: false }));
    await trainer.work(await mustLease(1));
    const second = await mustLease(1);
    expect(second).toMatchObject({ sweepId: maker, stage: 'FEATURES' });
    await trainer.work(first);
    const head = await mustLease(0);
    expect(head).toMatchObject({ sweepId: maker, stage: 'HEAD' });
    await harness.coordinator.loops.passes(2);
    expect((await trainer.heartbeat([head, second])).map(({ command }) => command)).toEqual([0, 0]);
    await trainer.work(second);
    // The maker's other head has no place now.
    expect(await mustLease(1)).toMatchObject({ sweepId: heir, stage: 'HEAD' });
  });
});
