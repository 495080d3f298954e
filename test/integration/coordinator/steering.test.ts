import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IllegalStateError, NotFoundError } from '../../../services/core/errors.ts';
import type { LeasedTask } from '../../../services/core/task.ts';
import { RunState } from '../../../proto/gen/graft/v1/run.ts';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { ReleaseReason, TaskCommand } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { outcomeOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness({ reaperMs: 50 });
  trainer = await harness.trainer('t1', 2);
});
afterEach(() => harness[Symbol.asyncDispose]());

async function sweepState(sweepId: string): Promise<SweepState | undefined> {
  return (await harness.sweeps.getSweep({ sweepId })).sweep?.state;
}

async function runStates(sweepId: string): Promise<RunState[]> {
  return (await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' })).runs.map(({ state }) => state);
}

/** Two runs in two HEAD tasks (they read other batches), the first of them leased. */
async function toHead(): Promise<{ sweepId: string; head: LeasedTask }> {
  const parameters = [{ name: 'batch_size', domain: { kind: 'values', values: [16, 32] }, conditions: [] }] as const;
  const sweepId = await harness.submit(specOf({ parameters }));
  await trainer.work(await trainer.mustLease('INDEX'));
  await trainer.work(await trainer.mustLease('FEATURES'));
  return { sweepId, head: await trainer.mustLease('HEAD') };
}

describe('PauseSweep and ResumeSweep', () => {
  it('has running tasks released, leases none, and resumes where it stopped', async () => {
    const { sweepId, head } = await toHead();
    await trainer.report([trainer.batch(head, 1, 1)]);
    await trainer.checkpoint(head, head.runs[0]?.runId ?? '', 1, 'LAST');
    const { sweep } = await harness.sweeps.pauseSweep({ sweepId, reason: 'the power is dear' });
    expect(sweep).toMatchObject({ state: SweepState.PAUSED, stateReason: 'the power is dear' });
    expect((await harness.sweeps.pauseSweep({ sweepId, reason: 'again' })).sweep?.stateReason).toBe(
      'the power is dear',
    );
    expect(await trainer.lease(1)).toBeNull();
    const [directive] = await trainer.heartbeat([head]);
    expect(directive?.command).toBe(TaskCommand.PAUSE);
    await trainer.release(head, ReleaseReason.PAUSED);
    expect(await runStates(sweepId)).toEqual([RunState.PAUSED, RunState.QUEUED]);
    expect(await trainer.lease()).toBeNull();

    const polled = trainer.lease(0, 20_000);
    expect((await harness.sweeps.resumeSweep({ sweepId })).sweep?.state).toBe(SweepState.ACTIVE);
    const next = await polled;
    expect(next).toMatchObject({ taskId: head.taskId, leaseEpoch: 2 });
    expect(next?.runs[0]?.resumeCheckpoint?.epoch).toBe(1);
    if (next) await trainer.work(next);
    await trainer.workAll();
    expect(await sweepState(sweepId)).toBe(SweepState.SUCCEEDED);
  });

  it('refuses an action that the state does not allow', async () => {
    const sweepId = await harness.submit(specOf());
    await harness.sweeps.cancelSweep({ sweepId, reason: '' });
    await expect(harness.sweeps.pauseSweep({ sweepId, reason: '' })).rejects.toThrow(IllegalStateError);
    await expect(harness.sweeps.resumeSweep({ sweepId })).rejects.toThrow(/CANCELLED/);
    await expect(harness.sweeps.pauseSweep({ sweepId: 'sxxxxxxxxx', reason: '' })).rejects.toThrow(NotFoundError);
  });
});

describe('CancelSweep', () => {
  it('cancels pending runs and stops running ones when the trainer answers', async () => {
    const { sweepId, head } = await toHead();
    await harness.sweeps.cancelSweep({ sweepId, reason: 'wrong data' });
    expect(await runStates(sweepId)).toEqual([RunState.STOPPING, RunState.CANCELLED]);
    const [directive] = await trainer.heartbeat([head]);
    expect(directive).toMatchObject({ command: TaskCommand.STOP, stoppedRunIds: [head.runs[0]?.runId] });
    const stopped = head.runs.map(({ runId }) => outcomeOf(runId, 1, { kind: 'STOPPED' }));
    await trainer.complete(head, { stage: 'TRAIN', outcomes: stopped });
    await trainer.complete(head, { stage: 'TRAIN', outcomes: stopped });
    expect(await runStates(sweepId)).toEqual([RunState.CANCELLED, RunState.CANCELLED]);
    const { sweep } = await harness.sweeps.cancelSweep({ sweepId, reason: 'again' });
    expect(sweep).toMatchObject({ state: SweepState.CANCELLED, stateReason: 'wrong data', finishedRunCount: 2 });
    expect(await trainer.lease()).toBeNull();
    const states = await harness.query('SELECT DISTINCT state FROM tasks WHERE stage = $1', ['HEAD']);
    expect(states).toContainEqual({ state: 'CANCELLED' });
  });

  it('stops running runs when the lease expires instead', async () => {
    const { sweepId, head } = await toHead();
    await harness.sweeps.cancelSweep({ sweepId, reason: '' });
    await harness.query(`UPDATE tasks SET lease_expire_time = now() - interval '1 s' WHERE task_id = $1`, [
      head.taskId,
    ]);
    await expect.poll(() => runStates(sweepId), { timeout: 20_000 }).toEqual([RunState.CANCELLED, RunState.CANCELLED]);
    expect(await harness.query('SELECT state FROM tasks WHERE task_id = $1', [head.taskId])).toEqual([
      { state: 'CANCELLED' },
    ]);
  });
});

describe('KillSweep', () => {
  it.each([
    ['an active sweep', false, 'the sweep was killed: now'],
    ['a cancelled sweep whose attempts still save', true, 'the sweep was cancelled: wrong data'],
  ])('commands the running attempts of %s to end at once', async (_what, isCancelled, runReason) => {
    const { sweepId, head } = await toHead();
    await trainer.report([trainer.batch(head, 1, 1)]);
    if (isCancelled) {
      await harness.sweeps.cancelSweep({ sweepId, reason: 'wrong data' });
      expect((await trainer.heartbeat([head]))[0]?.command).toBe(TaskCommand.STOP);
    }
    const request = { sweepId, reason: 'now' };
    const { sweep } = await harness.sweeps.killSweep(request);
    expect(sweep).toMatchObject({ state: SweepState.CANCELLED, stateReason: isCancelled ? 'wrong data' : 'now' });
    // The attempt still runs, so its seconds grow.
    const spentSlotSeconds = expect.any(Number) as number;
    expect((await harness.sweeps.killSweep(request)).sweep).toEqual({ ...sweep, spentSlotSeconds });
    await harness.sweeps.cancelSweep({ sweepId, reason: 'later' });
    for (let beat = 0; beat < 2; beat += 1) {
      expect((await trainer.heartbeat([head]))[0]?.command).toBe(TaskCommand.KILL);
    }
    const killed = head.runs.map(({ runId }) => outcomeOf(runId, 1, { kind: 'STOPPED' }));
    await trainer.complete(head, { stage: 'TRAIN', outcomes: killed });
    const { runs } = await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' });
    expect(runs.map(({ state }) => state)).toEqual([RunState.CANCELLED, RunState.CANCELLED]);
    expect(runs[0]).toMatchObject({ stateReason: runReason, epochCount: 1 });
  });

  it('refuses a sweep that ended otherwise', async () => {
    const sweepId = await harness.submit(specOf());
    await trainer.workAll();
    await expect(harness.sweeps.killSweep({ sweepId, reason: '' })).rejects.toThrow(
      /kill sweep .*SUCCEEDED.*ACTIVE or PAUSED/,
    );
  });
});

describe('runs that fail', () => {
  it('are tried three times, with a back-off, and then fail with the reason', async () => {
    const { sweepId, head } = await toHead();
    let task = head;
    for (let failure = 1; failure <= 3; failure += 1) {
      await trainer.fail(task, { message: `boom ${failure}` });
      const [row] = await harness.query<{ state: string; failure_count: number; waits: boolean }>(
        'SELECT state, failure_count, not_before_time > now() AS waits FROM tasks WHERE task_id = $1',
        [head.taskId],
      );
      expect(row?.failure_count).toBe(failure);
      if (failure === 3) break;
      expect(row).toMatchObject({ state: 'READY', waits: true });
      await harness.query('UPDATE tasks SET not_before_time = now() WHERE task_id = $1', [head.taskId]);
      task = await trainer.mustLease('HEAD');
      expect(task).toMatchObject({ taskId: head.taskId, leaseEpoch: failure + 1 });
    }
    const { run, attempts } = await harness.sweeps.getRun({ runId: head.runs[0]?.runId ?? '' });
    expect(run).toMatchObject({ state: RunState.FAILED, attemptCount: 3 });
    expect(run?.stateReason).toContain('boom 3');
    expect(attempts.map(({ state, errorClass, message }) => [state, errorClass, message])).toEqual([
      ['FAILED', 'COUNTED', 'boom 1'],
      ['FAILED', 'COUNTED', 'boom 2'],
      ['FAILED', 'COUNTED', 'failed 3 times; the last one: boom 3'],
    ]);
    expect(await trainer.workAll()).toEqual(['HEAD', 'EVALUATE']);
    expect(await sweepState(sweepId)).toBe(SweepState.SUCCEEDED);
  });

  it('leave their group with their later stages, and the others continue', async () => {
    const single = await harness.trainer('t1', 1);
    const fineTune = { 'fine_tune.enabled': true, 'fine_tune.epochs': 1, 'fine_tune.unfreeze': 'block2' };
    const sweepId = await harness.submit(specOf({ base: { ...specOf().base, epochs: 1, ...fineTune } }));
    await single.work(await single.mustLease('INDEX'));
    let head = await single.lease(0, 5_000);
    while (head?.stage === 'FEATURES') {
      await single.work(head);
      head = await single.lease(0, 5_000);
    }
    if (head?.stage !== 'HEAD') throw new Error('no HEAD task');
    const [bad, good] = head.runs.map(({ runId }) => runId);
    await single.report([single.batch(head, 1, 1)]);
    for (const { runId } of head.runs) await single.checkpoint(head, runId, 1, 'BEST');
    const error = {
      errorClass: 'NUMERIC',
      code: 'NUMERIC',
      message: 'loss is NaN in epoch 1',
      datasetProblems: [],
    } as const;
    await single.complete(head, {
      stage: 'TRAIN',
      outcomes: [outcomeOf(bad ?? '', 1, { kind: 'FAILED', error }), outcomeOf(good ?? '', 1)],
    });
    expect(await runStates(sweepId)).toEqual([RunState.FAILED, RunState.QUEUED]);
    expect(await single.workAll()).toEqual(['FINE_TUNE', 'EVALUATE']);
    expect(await runStates(sweepId)).toEqual([RunState.FAILED, RunState.SUCCEEDED]);
  });

  it('are retried alone when the group has continued', async () => {
    const single = await harness.trainer('t1', 1);
    const sweepId = await harness.submit(specOf({ base: { ...specOf().base, epochs: 1 } }));
    await single.work(await single.mustLease('INDEX'));
    await single.work(await single.mustLease('FEATURES'));
    const head = await single.mustLease('HEAD');
    await single.report([single.batch(head, 1, 1)]);
    const [bad, good] = head.runs.map(({ runId }) => runId);
    const error = { errorClass: 'COUNTED', code: 'BUG', message: 'oops', datasetProblems: [] } as const;
    await single.complete(head, {
      stage: 'TRAIN',
      outcomes: [outcomeOf(bad ?? '', 1, { kind: 'FAILED', error }), outcomeOf(good ?? '', 1)],
    });
    expect(await runStates(sweepId)).toEqual([RunState.QUEUED, RunState.SUCCEEDED]);
    await harness.query(`UPDATE tasks SET not_before_time = now() WHERE state = 'READY'`);
    const alone = await single.mustLease('HEAD');
    expect(alone.runs.map(({ runId }) => runId)).toEqual([bad]);
    expect(alone.leaseEpoch).toBe(head.leaseEpoch + 1);
    await single.work(alone);
    await single.workAll();
    expect(await runStates(sweepId)).toEqual([RunState.SUCCEEDED, RunState.SUCCEEDED]);
    const curves = await harness.query(
      'SELECT run_id, count(*)::int AS epochs FROM epoch_curves GROUP BY run_id ORDER BY run_id',
    );
    expect(curves).toEqual([
      { run_id: bad, epochs: 1 },
      { run_id: good, epochs: 1 },
    ]);
  });

  it('pause the sweep when three fail in a row, until a person resumes it', async () => {
    // Other batches, so that each run is a task of its own.
    const values = [8, 16, 24, 32, 40];
    const parameters = [{ name: 'batch_size', domain: { kind: 'values', values }, conditions: [] }] as const;
    const wide = await harness.trainer('t1', 5);
    const sweepId = await harness.submit(specOf({ parameters }));
    await wide.work(await wide.mustLease('INDEX'));
    await wide.work(await wide.mustLease('FEATURES'));
    for (let failed = 1; failed <= 3; failed += 1) {
      expect(await sweepState(sweepId)).toBe(SweepState.ACTIVE);
      const head = await wide.mustLease('HEAD');
      await wide.fail(head, { errorClass: 'NUMERIC', message: 'loss is NaN' });
    }
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep?.state).toBe(SweepState.PAUSED);
    expect(sweep?.stateReason).toContain('3 runs in a row failed');
    await harness.sweeps.resumeSweep({ sweepId });
    await wide.fail(await wide.mustLease('HEAD'), { errorClass: 'NUMERIC', message: 'loss is NaN' });
    expect(await sweepState(sweepId)).toBe(SweepState.ACTIVE);
    await wide.workAll();
    expect(await sweepState(sweepId)).toBe(SweepState.SUCCEEDED);
  });

  it('fail when the feature sets they read can not be computed', async () => {
    const sweepId = await harness.submit(specOf());
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.fail(await trainer.mustLease('FEATURES'), {
      errorClass: 'PERMANENT',
      code: 'DATA',
      message: 'a file is missing',
    });
    const { runs } = await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' });
    expect(runs.map(({ state }) => state)).toEqual([RunState.FAILED, RunState.FAILED]);
    expect(runs[0]?.stateReason).toContain('a file is missing');
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep?.state).toBe(SweepState.FAILED);
    expect(sweep?.stateReason).toContain('no run succeeded');
  });
});
