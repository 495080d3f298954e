import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { durationToProto } from '../../../services/platform/rpc/convert/duration.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

const GB = 1e9;

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness();
  trainer = await harness.trainer('t');
});
afterEach(() => harness[Symbol.asyncDispose]());

/** Sets the memory in bytes that the trainer's one slot reports. */
const giveMemory = (bytes: number): Promise<unknown> =>
  harness.query('UPDATE slots SET memory_bytes = $1 WHERE trainer_id = $2', [bytes, 't']);
const stateOf = async (sweepId: string): Promise<{ state: string; state_reason: string } | undefined> =>
  (
    await harness.query<{ state: string; state_reason: string }>(
      'SELECT state, state_reason FROM sweeps WHERE sweep_id = $1',
      [sweepId],
    )
  )[0];
const requirements = (sweepId: string): Promise<{ stage: string; required: number; ratio: number }[]> =>
  harness.query(
    `SELECT stage, required_memory_bytes::float8 AS required,
            required_memory_bytes::float8 / forecast_memory_bytes AS ratio
       FROM tasks WHERE sweep_id = $1 AND required_memory_bytes IS NOT NULL ORDER BY position`,
    [sweepId],
  );

describe('memory', () => {
  it('does not lease a task to a slot that is too small, and the sweep reports it until a larger slot registers', async () => {
    const sweepId = await harness.submit(specOf());
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.work(await trainer.mustLease('FEATURES'));
    const [head] = (await requirements(sweepId)).filter(({ stage }) => stage === 'HEAD');
    expect(head?.required).toBeGreaterThan(0);

    await giveMemory((head?.required ?? 0) - 1);
    expect(await trainer.lease(0)).toBeNull();
    expect(await stateOf(sweepId)).toMatchObject({
      state: 'ACTIVE',
      state_reason: expect.stringMatching(
        /^task \S+ \(HEAD\) needs about [\d.]+ GB, but the largest slot \(0 of trainer t\) has [\d.]+ GB: start a trainer/,
      ) as string,
    });

    const larger = await harness.trainer('larger');
    await harness.query(`UPDATE slots SET memory_bytes = $1 WHERE trainer_id = 'larger'`, [head?.required]);
    const task = await larger.mustLease('HEAD');
    expect(await stateOf(sweepId)).toEqual({ state: 'ACTIVE', state_reason: '' });
    await larger.work(task);
  });

  it('leases any task to a slot of unknown memory, and reports nothing while there is one', async () => {
    const sweepId = await harness.submit(specOf());
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.work(await trainer.mustLease('FEATURES'));
    await giveMemory(1);
    await harness.trainer('unknown');
    expect(await trainer.lease(0)).toBeNull();
    expect(await stateOf(sweepId)).toEqual({ state: 'ACTIVE', state_reason: '' });
    await giveMemory(0);
    await trainer.mustLease('HEAD');
  });

  it('corrects forecasts by the peaks of tasks of the same class', async () => {
    const first = await harness.submit(specOf());
    await trainer.workAll();
    const [before] = (await requirements(first)).filter(({ stage }) => stage === 'HEAD');
    expect(before?.ratio).toBe(1);
    // The simulated worker says that it held a thousand bytes; a real one is never that far from its forecast.
    await harness.query(
      `UPDATE tasks SET peak_memory_bytes = forecast_memory_bytes * 3 WHERE peak_memory_bytes = 1000`,
    );
    const second = await harness.submit(specOf({ seed: 2 }));
    await trainer.workAll();
    const [after] = (await requirements(second)).filter(({ stage }) => stage === 'HEAD');
    expect(after?.ratio).toBeCloseTo(3, 6);
    await harness.query(`UPDATE tasks SET peak_memory_bytes = $1`, [100_000 * GB]);
    const third = await harness.submit(specOf({ seed: 3 }));
    await trainer.workAll();
    const [bounded] = (await requirements(third)).filter(({ stage }) => stage === 'HEAD');
    expect(bounded?.ratio).toBeCloseTo(4, 6);
  });
});

describe('affinity', () => {
  it('leases to each of two trainers the group whose features it holds', async () => {
    const other = await harness.trainer('other');
    const parameters = [{ name: 'image_size', domain: { kind: 'values', values: [64, 96] }, conditions: [] }] as const;
    await harness.submit(specOf({ parameters }));
    await trainer.work(await trainer.mustLease('INDEX'));
    const held: string[][] = [];
    for (const maker of [trainer, other]) {
      const features = await maker.mustLease('FEATURES');
      held.push(features.featureSets.map(({ key }) => key));
      await maker.work(features);
    }
    // The second trainer asks first, and would get the first group if it held nothing.
    for (const [{ trainerId, trainerSecret }, keys] of [
      [other, held[1]!],
      [trainer, held[0]!],
    ] as const) {
      const { task } = await harness.trainers.leaseTask({
        requestId: randomUUID(),
        trainerId,
        trainerSecret,
        slotIndex: 0,
        heldFeatureKeys: [...keys],
        waitDuration: durationToProto(0),
      });
      expect(task?.featureSets.map(({ key }) => key).toSorted()).toEqual(keys.toSorted());
    }
  });
});
