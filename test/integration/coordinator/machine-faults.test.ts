import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TaskError } from '../../../services/core/task.ts';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { SimulatedTrainer } from './simulated-trainer.ts';

const DISK: Partial<TaskError> = {
  errorClass: 'INFRASTRUCTURE',
  code: 'DISK_FULL',
  message: 'The disk of node1 is full.',
};
const NO_IMAGES: Partial<TaskError> = {
  errorClass: 'PERMANENT',
  code: 'DATA_MISSING',
  message: '/data is empty on node2.',
};

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

async function slots() {
  const { trainers } = await harness.sweeps.listTrainers({ pageSize: 0, pageToken: '' });
  return trainers.flatMap(({ trainerId, state, slots }) =>
    slots.map(({ slotIndex, benchReason }) => ({ trainerId, slotIndex, state, benchReason })),
  );
}

async function counters() {
  return harness.query('SELECT 1 FROM tasks WHERE failure_count > 0 OR infrastructure_count > 0 OR memory_count > 0');
}

async function sweepOf(sweepId: string) {
  return (await harness.sweeps.getSweep({ sweepId })).sweep;
}

describe('a task that fails by the fault of its machine', () => {
  it('is leased to another trainer first, is not counted, and two such tasks bench the machine with the reason', async () => {
    const bad = await harness.trainer('bad');
    const good = await harness.trainer('good');
    const sweeps = [await harness.submit(specOf()), await harness.submit(specOf({ seed: 1 }))];
    for (const round of [1, 2]) {
      await bad.fail(await bad.mustLease('INDEX'), DISK);
      const all = await slots();
      expect(all.find(({ trainerId }) => trainerId === 'bad')?.state).toBe(round === 2 ? 'BENCHED' : 'READY');
    }
    expect(await bad.lease()).toBeNull();
    const [benched, working] = await slots();
    expect(benched?.benchReason).toContain('The disk of node1 is full.');
    expect(working).toMatchObject({ trainerId: 'good', state: 'READY', benchReason: '' });
    expect(await counters()).toEqual([]);
    // Watchers are notified.
    const told = await harness.query(
      `SELECT payload ->> 'message' AS message FROM events WHERE kind = 'TASK' AND payload ->> 'state' = 'FAILED' ORDER BY event_id`,
    );
    expect(told.at(-1)?.['message']).toContain('trainer bad gets no tasks');
    for (let task = await good.lease(); task !== null; task = await good.lease()) await good.work(task);
    for (const sweepId of sweeps) expect((await sweepOf(sweepId))?.state).toBe(SweepState.SUCCEEDED);
    expect(await counters()).toEqual([]);
  });

  it('leases again after the machine registers with a good report, and not with a bad one', async () => {
    const bad = await harness.trainer('bad');
    await harness.trainer('good');
    await harness.submit(specOf());
    await harness.submit(specOf({ seed: 1 }));
    for (let round = 0; round < 2; round += 1) await bad.fail(await bad.mustLease('INDEX'), DISK);
    const [{ cluster_id: clusterId } = { cluster_id: '' }] = await harness.query<{ cluster_id: string }>(
      'SELECT cluster_id FROM cluster',
    );
    const place = '/mnt/artifacts';
    for (const [report, words] of [
      [{ place, clusterId, problem: 'The disk is still full.' }, /still full/],
      [{ place, clusterId: '', problem: '' }, /has no graft-store.json/],
      [{ place, clusterId: 'another', problem: '' }, /belongs to another cluster, another/],
    ] as const) {
      expect((await bad.register(1, report)).benchReason).toMatch(words);
      expect((await slots())[0]?.benchReason).toMatch(words);
      expect(await bad.lease()).toBeNull();
    }
    const waiting = bad.lease(0, 10_000);
    expect(await bad.register(1, { place, clusterId, problem: '' })).toMatchObject({ benchReason: '', clusterId });
    expect((await waiting)?.stage).toBe('INDEX');
  });

  it('on every trainer ends the sweep with the fault of each, and benches none', async () => {
    const a = await harness.trainer('a');
    const b = await harness.trainer('b');
    const sweepIds = [await harness.submit(specOf()), await harness.submit(specOf({ seed: 1 }))];
    for (let round = 0; round < 2; round += 1)
      await a.fail(await a.mustLease('INDEX'), { ...NO_IMAGES, message: 'not on a' });
    expect((await slots())[0]).toMatchObject({ trainerId: 'a', state: 'BENCHED' });
    for (let round = 0; round < 2; round += 1)
      await b.fail(await b.mustLease('INDEX'), { ...NO_IMAGES, message: 'not on b' });
    for (const sweepId of sweepIds) {
      const sweep = await sweepOf(sweepId);
      expect(sweep?.state).toBe(SweepState.FAILED);
      for (const named of ['not on a', 'not on b', 'a on host', 'b on host'])
        expect(sweep?.stateReason).toContain(named);
    }
    expect((await slots()).map(({ state, benchReason }) => [state, benchReason])).toEqual([
      ['READY', ''],
      ['READY', ''],
    ]);
  });

  it('on the only trainer is retried there with a back-off, then pauses the sweep, and never benches', async () => {
    const only = await harness.trainer('only');
    const sweepId = await harness.submit(specOf());
    await only.work(await only.mustLease('INDEX'));
    const delays: number[] = [];
    for (let round = 1; round <= 4; round += 1) {
      const task = await only.mustLease('FEATURES');
      await only.fail(task, { errorClass: 'INFRASTRUCTURE', code: 'DATA_MISSING', message: 'gone' });
      const [row] = await harness.query<{ seconds: number }>(
        `UPDATE tasks t SET not_before_time = now() FROM tasks old WHERE old.task_id = t.task_id AND t.task_id = $1
         RETURNING extract(epoch FROM old.not_before_time - now())::float8 AS seconds`,
        [task.taskId],
      );
      delays.push(Math.round(row?.seconds ?? -1));
    }
    expect(delays.slice(0, 3).every((seconds, index) => seconds >= [1, 4, 16][index]! - 1)).toBe(true);
    const sweep = await sweepOf(sweepId);
    expect(sweep).toMatchObject({ state: SweepState.PAUSED });
    expect(sweep?.stateReason).toContain('gone Then resume the sweep.');
    expect((await slots()).map(({ state }) => state)).toEqual(['READY']);
    expect(await counters()).toEqual([]);
    await harness.sweeps.resumeSweep({ sweepId });
    for (let task = await only.lease(); task !== null; task = await only.lease()) await only.work(task);
    expect((await sweepOf(sweepId))?.state).toBe(SweepState.SUCCEEDED);
  });

  it('returns to that machine when the other trainers are lost', async () => {
    const bad = await harness.trainer('bad');
    await harness.trainer('gone');
    await harness.submit(specOf());
    const { taskId, ...task } = await bad.mustLease('INDEX');
    await bad.fail({ taskId, ...task }, DISK);
    expect(await bad.lease()).toBeNull();
    await harness.query(`UPDATE trainers SET state = 'LOST' WHERE trainer_id = 'gone'`);
    expect((await bad.mustLease('INDEX')).taskId).toBe(taskId);
  });

  it('by a lost device is leased to the next device of the same machine, and the lost one is benched', async () => {
    const trainer = await harness.trainer('two-gpus', 2);
    await harness.submit(specOf());
    await harness.submit(specOf({ seed: 1 }));
    const lost: Partial<TaskError> = {
      errorClass: 'INFRASTRUCTURE',
      code: 'DEVICE_LOST',
      message: 'CUDA_ERROR_NO_DEVICE',
    };
    for (let round = 0; round < 2; round += 1) {
      const task = await trainer.lease(0);
      await trainer.fail(task!, lost);
    }
    expect(await trainer.lease(0)).toBeNull();
    expect(
      (await slots()).map(({ state, benchReason }) => [state, benchReason.includes('CUDA_ERROR_NO_DEVICE')]),
    ).toEqual([
      ['READY', true],
      ['READY', false],
    ]);
    expect((await trainer.lease(1))?.stage).toBe('INDEX');
  });

  it('in a group continues alone on another machine, uncounted', async () => {
    const bad = await harness.trainer('bad');
    const good = await harness.trainer('good');
    const sweepId = await harness.submit(specOf());
    await good.work(await good.mustLease('INDEX'));
    await good.work(await good.mustLease('FEATURES'));
    const head = await bad.mustLease('HEAD');
    const [first, ...others] = head.runs;
    expect(others.length).toBeGreaterThan(0);
    const failed = { ...DISK, datasetProblems: [] } as TaskError;
    await bad.complete(head, {
      stage: 'TRAIN',
      outcomes: head.runs.map(({ runId }) => ({
        runId,
        kind: runId === first?.runId ? 'FAILED' : 'SUCCEEDED',
        error: runId === first?.runId ? failed : null,
        epochCount: 3,
        peakMemoryBytes: 0,
      })),
    });
    expect(await bad.lease()).toBeNull();
    const alone = await good.mustLease('HEAD');
    expect(alone.runs.map(({ runId }) => runId)).toEqual([first?.runId]);
    expect(await counters()).toEqual([]);
    expect((await sweepOf(sweepId))?.state).toBe(SweepState.ACTIVE);
  });
});

it('a sweep reports that it waits while every trainer is benched, and no longer when one is unbenched', async () => {
  const trainer = new SimulatedTrainer(harness.trainers, harness.artifacts, 'lonely');
  await trainer.register(1, { place: '/mnt', clusterId: 'another', problem: '' });
  const sweepId = await harness.submit(specOf());
  expect(await trainer.lease()).toBeNull();
  const waiting = await sweepOf(sweepId);
  expect(waiting?.state).toBe(SweepState.ACTIVE);
  for (const named of ['every trainer is benched', 'lonely (host)', 'another'])
    expect(waiting?.stateReason).toContain(named);
  await trainer.register(1);
  expect((await trainer.lease())?.stage).toBe('INDEX');
  expect((await sweepOf(sweepId))?.stateReason).toBe('');
});
