import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LeaseLostError, TrainerUnknownError } from '../../../services/core/errors.ts';
import type { LeasedTask } from '../../../services/core/task.ts';
import { durationToProto } from '../../../services/platform/rpc/convert/duration.ts';
import { RunState } from '../../../proto/gen/graft/v1/run.ts';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { TaskCommand } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { epochsOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;

beforeEach(async () => {
  harness = await startHarness({ reaperMs: 50 });
});
afterEach(() => harness[Symbol.asyncDispose]());

/** Takes a sweep to its HEAD task. */
async function toHead(trainer: SimulatedTrainer): Promise<{ sweepId: string; head: LeasedTask }> {
  const sweepId = await harness.submit(specOf());
  await trainer.work(await trainer.mustLease('INDEX'));
  await trainer.work(await trainer.mustLease('FEATURES'));
  return { sweepId, head: await trainer.mustLease('HEAD') };
}

/** Moves the end of a lease, in seconds from now, instead of waiting for it. */
async function setLeaseEnd(task: LeasedTask, seconds: number): Promise<void> {
  await harness.query(`UPDATE tasks SET lease_expire_time = now() + $2 * interval '1 second' WHERE task_id = $1`, [
    task.taskId,
    seconds,
  ]);
}

async function untilExpired(task: LeasedTask): Promise<void> {
  await setLeaseEnd(task, -1);
  await expect.poll(() => attemptState(task), { timeout: 20_000, interval: 50 }).toBe('EXPIRED');
}

async function attemptState(task: LeasedTask): Promise<string | undefined> {
  const rows = await harness.query<{ state: string }>(
    'SELECT state FROM attempts WHERE task_id = $1 AND lease_epoch = $2',
    [task.taskId, task.leaseEpoch],
  );
  return rows[0]?.state;
}

describe('LeaseTask', () => {
  it('refuses a trainer or a slot that is not registered', async () => {
    const trainer = await harness.trainer('t1');
    await expect(trainer.lease(7)).rejects.toThrow(TrainerUnknownError);
    const call = {
      requestId: 'r',
      trainerId: 'nobody',
      trainerSecret: '',
      slotIndex: 0,
      heldFeatureKeys: [],
      waitDuration: durationToProto(0),
    };
    await expect(harness.trainers.leaseTask(call)).rejects.toThrow(TrainerUnknownError);
  });

  it('returns the same lease to the same request, also concurrently, and never a second one', async () => {
    const trainer = await harness.trainer('t1');
    await harness.submit(specOf());
    await harness.submit(specOf({ seed: 2 }));
    const requestId = randomUUID();
    const leases = await Promise.all([1, 2, 3, 4].map(() => trainer.lease(0, 0, requestId)));
    const again = await trainer.lease(0, 0, requestId);
    expect(again).not.toBeNull();
    expect(leases).toEqual([again, again, again, again]);
    expect(await harness.query('SELECT count(*)::int AS count FROM attempts')).toEqual([{ count: 1 }]);
  });

  it('refuses a late copy of a request whose attempt the trainer has ended', async () => {
    const trainer = await harness.trainer('t1');
    await harness.submit(specOf());
    const requestId = randomUUID();
    const task = await trainer.lease(0, 0, requestId);
    if (!task) throw new Error('no task');
    await trainer.work(task);
    await expect(trainer.lease(0, 0, requestId)).rejects.toThrow(LeaseLostError);
  });

  it('grants a new lease to a request whose lease expired before its answer arrived', async () => {
    const trainer = await harness.trainer('t1');
    await harness.submit(specOf());
    const requestId = randomUUID();
    const lost = await trainer.lease(0, 0, requestId);
    if (!lost) throw new Error('no task');
    await untilExpired(lost);
    const again = await trainer.lease(0, 5_000, requestId);
    expect(again).toMatchObject({ taskId: lost.taskId, leaseEpoch: 2 });
  });

  it('never leases a task twice to concurrent requests', async () => {
    const trainer = await harness.trainer('t1', 8);
    const sweepIds = await Promise.all([1, 2, 3, 4, 5].map((seed) => harness.submit(specOf({ seed }))));
    const tasks = await Promise.all(Array.from({ length: 8 }, (_, slot) => trainer.lease(slot)));
    const leased = tasks.filter((task) => task !== null);
    expect(leased.map(({ taskId }) => taskId).toSorted()).toEqual(sweepIds.map((id) => `${id}-t00`).toSorted());
    expect(leased.every(({ leaseEpoch }) => leaseEpoch === 1)).toBe(true);
  });

  it('wakes a long poll when a task becomes ready', async () => {
    const trainer = await harness.trainer('t1');
    const polled = trainer.lease(0, 20_000);
    const began = performance.now();
    await harness.submit(specOf());
    expect((await polled)?.stage).toBe('INDEX');
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('wakes a long poll when a back-off ends', async () => {
    const trainer = await harness.trainer('t1');
    await harness.submit(specOf());
    await harness.query(`UPDATE tasks SET not_before_time = now() + interval '1 s'`);
    const began = performance.now();
    expect((await trainer.lease(0, 20_000))?.stage).toBe('INDEX');
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(performance.now() - began).toBeLessThan(8_000);
  });

  it('prefers a task whose feature sets the slot holds', async () => {
    const trainer = await harness.trainer('t1', 1);
    const first = await harness.submit(specOf());
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.work(await trainer.mustLease('FEATURES'));
    const second = await harness.submit(specOf({ base: { ...specOf().base, image_size: 96 } }));
    await harness.query(`UPDATE sweeps SET create_time = create_time - interval '1 hour' WHERE sweep_id = $1`, [
      second,
    ]);
    const keys = await harness.query<{ feature_key: string }>('SELECT feature_key FROM feature_sets');
    const { task } = await harness.trainers.leaseTask({
      requestId: randomUUID(),
      trainerId: 't1',
      trainerSecret: trainer.trainerSecret,
      slotIndex: 0,
      heldFeatureKeys: keys.map(({ feature_key }) => feature_key),
      waitDuration: durationToProto(0),
    });
    expect(task?.sweepId).toBe(first);
  });
});

describe('a lease that ends', () => {
  it('is renewed by a heartbeat', async () => {
    const trainer = await harness.trainer('t1');
    await harness.submit(specOf());
    const task = await trainer.mustLease('INDEX');
    await setLeaseEnd(task, 20);
    const [directive] = await trainer.heartbeat([task]);
    expect(directive?.command).toBe(TaskCommand.UNSPECIFIED);
    const [row] = await harness.query<{ left: number; detail: string }>(
      `SELECT extract(epoch FROM lease_expire_time - now())::float8 AS left, progress_detail AS detail FROM tasks`,
    );
    expect(row?.left).toBeGreaterThan(20);
    expect(row?.detail).toBe('works');
    expect(await attemptState(task)).toBe('RUNNING');
  });

  it('is followed by an attempt that supersedes the epochs behind its resume checkpoint', async () => {
    const first = await harness.trainer('first');
    const { sweepId, head } = await toHead(first);
    const runIds = head.runs.map(({ runId }) => runId);
    await first.report([first.batch(head, 1, 1), first.batch(head, 2, 2)]);
    for (const runId of runIds) {
      await first.checkpoint(head, runId, 1, 'BEST');
      await first.checkpoint(head, runId, 1, 'LAST');
      await first.checkpoint(head, runId, 2, 'BEST');
    }
    await untilExpired(head);

    const second = await harness.trainer('second');
    const next = await second.mustLease('HEAD');
    expect(next.runs.map((run) => run.resumeCheckpoint?.epoch)).toEqual([1, 1]);
    const { runs } = await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' });
    expect(runs.map(({ epochCount, bestEpoch }) => [epochCount, bestEpoch])).toEqual([
      [1, 1],
      [1, 1],
    ]);
    const superseded = await harness.query(
      'SELECT DISTINCT epoch, superseded_by FROM epoch_metrics WHERE superseded_by IS NOT NULL',
    );
    expect(superseded).toEqual([{ epoch: 2, superseded_by: 2 }]);

    await second.train(next);
    await second.workAll();
    const curves = await harness.query(
      'SELECT run_id, count(*)::int AS epochs, min(epoch) AS first, max(epoch) AS last FROM epoch_curves WHERE sweep_id = $1 GROUP BY run_id ORDER BY run_id',
      [sweepId],
    );
    expect(curves).toEqual(
      runIds.map((run_id) => ({ run_id, epochs: epochsOf(next), first: 1, last: epochsOf(next) })),
    );
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep?.state).toBe(SweepState.SUCCEEDED);
  });

  it('ends in FAILED(CRASH_LOOP) after ten losses in a row without a checkpoint', async () => {
    const trainer = await harness.trainer('t1');
    const { sweepId, head } = await toHead(trainer);
    await harness.query('UPDATE tasks SET infrastructure_count = 9 WHERE task_id = $1', [head.taskId]);
    await untilExpired(head);
    const { runs } = await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' });
    expect(runs.map(({ state }) => state)).toEqual([RunState.FAILED, RunState.FAILED]);
    expect(runs[0]?.stateReason).toContain('10 attempts in a row');
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep?.state).toBe(SweepState.FAILED);
  });

  it('is extended by one length when a coordinator returns after a long outage', async () => {
    const trainer = await harness.trainer('t1');
    await harness.submit(specOf());
    const task = await trainer.mustLease('INDEX');
    harness = await harness.restart(() => setLeaseEnd(task, -60));
    await harness.coordinator.loops.passes(2);
    expect(await attemptState(task)).toBe('LEASED');
    await untilExpired(task);
  });

  it('is expired when its slot requests another task after half its length without a heartbeat', async () => {
    const trainer = await harness.trainer('t1');
    await harness.submit(specOf());
    const task = await trainer.mustLease('INDEX');
    expect(await trainer.lease()).toBeNull();
    await setLeaseEnd(task, 14);
    expect(await trainer.lease()).toMatchObject({ taskId: task.taskId, leaseEpoch: 2 });
    expect(await harness.query('SELECT message FROM attempts WHERE lease_epoch = 1')).toEqual([
      { message: 'its slot requested another task (trainer t1, lease 1)' },
    ]);
  });
});

describe('ReleaseTask', () => {
  it('makes the task READY at once, and is idempotent', async () => {
    const trainer = await harness.trainer('t1');
    const { sweepId, head } = await toHead(trainer);
    await trainer.release(head, 1);
    await trainer.release(head, 1);
    const { runs } = await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' });
    expect(runs.map(({ state }) => state)).toEqual([RunState.QUEUED, RunState.QUEUED]);
    expect((await trainer.mustLease('HEAD')).leaseEpoch).toBe(2);
  });

  it('is commanded when the trainer drains, and a draining trainer leases no task', async () => {
    const trainer = await harness.trainer('t1', 2);
    const { head } = await toHead(trainer);
    await harness.submit(specOf({ seed: 3 }));
    const [directive] = await trainer.heartbeat([head], true);
    expect(directive?.command).toBe(TaskCommand.PAUSE);
    expect(await trainer.lease(1)).toBeNull();
  });
});
