import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IllegalStateError, NotFoundError } from '../../../services/core/errors.ts';
import type { LeasedTask } from '../../../services/core/task.ts';
import { RunState } from '../../../proto/gen/graft/v1/run.ts';
import type { Run } from '../../../proto/gen/graft/v1/run.ts';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { outcomeOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness({ reaperMs: 50 });
  trainer = await harness.trainer('t1', 1);
});
afterEach(() => harness[Symbol.asyncDispose]());

async function runsOf(sweepId: string): Promise<Run[]> {
  return (await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' })).runs;
}

async function sweepState(sweepId: string): Promise<SweepState | undefined> {
  return (await harness.sweeps.getSweep({ sweepId })).sweep?.state;
}

/** States of a run in the order of its events, each with its reason. */
async function historyOf(runId: string): Promise<string[]> {
  const rows = await harness.query<{ text: string }>(
    `SELECT concat_ws(': ', payload ->> 'state', nullif(payload ->> 'reason', '')) AS text
       FROM events WHERE kind = 'RUN_STATE' AND payload ->> 'runId' = $1 ORDER BY event_id`,
    [runId],
  );
  return rows.map(({ text }) => text);
}

/** Three heads in one task, which is leased and has an epoch and checkpoints. */
async function toGroup(): Promise<{ sweepId: string; head: LeasedTask; runIds: string[] }> {
  const values = [0.001, 0.01, 0.1];
  const parameters = [{ name: 'optimizer.learning_rate', domain: { kind: 'values', values }, conditions: [] }] as const;
  const sweepId = await harness.submit(specOf({ parameters }));
  await trainer.work(await trainer.mustLease('INDEX'));
  await trainer.work(await trainer.mustLease('FEATURES'));
  const head = await trainer.mustLease('HEAD');
  const runIds = head.runs.map(({ runId }) => runId);
  await trainer.report([trainer.batch(head, 1, 1)]);
  for (const runId of runIds) {
    for (const kind of ['BEST', 'LAST'] as const) await trainer.checkpoint(head, runId, 1, kind);
  }
  return { sweepId, head, runIds };
}

describe('StopRun', () => {
  it('ends a running run once, whichever coordinators are asked, keeps its result, and lets its group continue', async () => {
    const { sweepId, head, runIds } = await toGroup();
    const [first = '', second = ''] = runIds;
    await using other = await startHarness({
      databaseUrl: harness.databaseUrl,
      env: { GRAFT_ARTIFACTS_DIR: harness.artifacts.root },
    });
    const answers = await Promise.all(
      [harness, other, harness, other].map(({ sweeps }) => sweeps.stopRun({ runId: first, reason: 'too slow' })),
    );
    const why = 'stopped by a person: too slow';
    for (const { run } of answers) expect(run).toMatchObject({ state: RunState.STOPPING, stateReason: why });
    expect(await historyOf(first)).toEqual(['RUNNING', `STOPPING: ${why}`]);
    expect(await harness.query(`SELECT run_id, reason FROM decisions WHERE kind = 'STOP_RUN'`)).toEqual([
      { run_id: first, reason: why },
    ]);

    const [directive] = await trainer.heartbeat([head]);
    expect(directive).toMatchObject({ stoppedRunIds: [first], command: 0 });
    for (const epoch of [2, 3]) await trainer.report([trainer.batch(head, epoch, epoch)]);
    const outcomes = runIds.map((runId) =>
      outcomeOf(runId, 3, runId === first ? { kind: 'STOPPED', epochCount: 1 } : {}),
    );
    for (const runId of runIds) if (runId !== first) await trainer.checkpoint(head, runId, 3, 'BEST');
    await trainer.complete(head, { stage: 'TRAIN', outcomes });
    const runs = await runsOf(sweepId);
    expect(runs.map(({ state }) => state)).toEqual([RunState.STOPPED, RunState.SUCCEEDED, RunState.SUCCEEDED]);
    expect(runs[0]).toMatchObject({ stateReason: why, bestEpoch: expect.any(Number) as number });
    // A repetition gets the same answer, and a run that has its result needs no stop.
    expect((await other.sweeps.stopRun({ runId: first, reason: 'again' })).run).toMatchObject({
      state: RunState.STOPPED,
      stateReason: why,
    });
    expect((await other.sweeps.stopRun({ runId: second, reason: '' })).run?.state).toBe(RunState.SUCCEEDED);
    expect(await trainer.workAll()).toEqual(['EVALUATE']);
    expect(await sweepState(sweepId)).toBe(SweepState.SUCCEEDED);
    expect(await historyOf(first)).toHaveLength(3);
  });

  it('ends a waiting run at once, and the sweep with its last one', async () => {
    const sweepId = await harness.submit(specOf());
    const [first, second] = await runsOf(sweepId);
    const { run } = await harness.sweeps.stopRun({ runId: first?.runId ?? '', reason: '' });
    expect(run).toMatchObject({ state: RunState.STOPPED, stateReason: 'stopped by a person' });
    expect(await trainer.workAll()).toEqual(['INDEX', 'FEATURES', 'HEAD', 'EVALUATE']);
    expect((await runsOf(sweepId)).map(({ state }) => state)).toEqual([RunState.STOPPED, RunState.SUCCEEDED]);
    expect((await harness.sweeps.getSweep({ sweepId })).sweep?.bestRunId).toBe(second?.runId);

    const unplanned = await harness.submit(specOf());
    for (const { runId } of await runsOf(unplanned)) await harness.sweeps.stopRun({ runId, reason: 'all' });
    expect(await sweepState(unplanned)).toBe(SweepState.SUCCEEDED);
    expect(await trainer.lease()).toBeNull();
  });

  it('tests a stopped run that is the best', async () => {
    const { sweepId, head, runIds } = await toGroup();
    await harness.query(`UPDATE runs SET best_value = 0.001, best_val_loss = 0.001 WHERE run_id = $1`, [runIds[2]]);
    await harness.sweeps.stopRun({ runId: runIds[2] ?? '', reason: '' });
    for (const epoch of [2, 3]) {
      const { epochs, ...batch } = trainer.batch(head, epoch, epoch);
      await trainer.report([{ ...batch, epochs: epochs.filter(({ runId }) => runId !== runIds[2]) }]);
    }
    const outcomes = runIds.map((runId, index) =>
      outcomeOf(runId, 3, index === 2 ? { kind: 'STOPPED', epochCount: 1 } : {}),
    );
    await trainer.complete(head, { stage: 'TRAIN', outcomes });
    await trainer.work(await trainer.mustLease('EVALUATE'));
    const { entries } = await harness.sweeps.getLeaderboard({ sweepId, pageSize: 0, pageToken: '' });
    expect(entries[0]?.run).toMatchObject({ runId: runIds[2], state: RunState.STOPPED });
    expect(entries[0]?.testResult?.accuracy).toBe(0.9);
  });

  it('ends a running run with what is stored of it when its attempt is lost, and the others are retried', async () => {
    const { sweepId, head, runIds } = await toGroup();
    await harness.sweeps.stopRun({ runId: runIds[0] ?? '', reason: '' });
    await harness.query(`UPDATE tasks SET lease_expire_time = now() - interval '1 s' WHERE task_id = $1`, [
      head.taskId,
    ]);
    await expect.poll(async () => (await runsOf(sweepId))[0]?.state, { timeout: 20_000 }).toBe(RunState.STOPPED);
    await harness.query('UPDATE tasks SET not_before_time = now()');
    const again = await trainer.mustLease('HEAD');
    expect(again.runs.map(({ stopped }) => stopped)).toEqual([true, false, false]);
    for (const runId of runIds.slice(1)) await harness.sweeps.stopRun({ runId, reason: '' });
    // No run is left that the task is for.
    await harness.query(`UPDATE tasks SET lease_expire_time = now() - interval '1 s' WHERE task_id = $1`, [
      head.taskId,
    ]);
    await expect.poll(() => trainer.lease(0, 1_000).then((task) => task?.stage), { timeout: 20_000 }).toBe('EVALUATE');
    expect((await runsOf(sweepId)).map(({ state }) => state)).toEqual([
      RunState.STOPPED,
      RunState.STOPPED,
      RunState.STOPPED,
    ]);
  });

  it('lets a head continue for the runs that wait for it', async () => {
    const base = { ...specOf().base, 'fine_tune.enabled': true, 'fine_tune.epochs': 2, 'fine_tune.unfreeze': 'block2' };
    const variants = [{}, { 'fine_tune.learning_rate': 1e-4 }];
    const sweepId = await harness.submit(specOf({ base, parameters: [], strategy: 'list', variants }));
    for (const stage of ['INDEX', 'FEATURES', 'FEATURES'] as const) await trainer.work(await trainer.mustLease(stage));
    const head = await trainer.mustLease('HEAD');
    const [lead, second] = (await runsOf(sweepId)).map(({ runId }) => runId);
    const { run } = await harness.sweeps.stopRun({ runId: lead ?? '', reason: '' });
    expect(run?.state).toBe(RunState.STOPPING);
    expect((await trainer.heartbeat([head]))[0]?.stoppedRunIds).toEqual([]);
    await trainer.train(head);
    expect((await runsOf(sweepId)).map(({ state }) => state)).toEqual([RunState.STOPPED, RunState.QUEUED]);
    expect(await trainer.workAll()).toEqual(['FINE_TUNE', 'EVALUATE']);
    expect((await runsOf(sweepId))[1]).toMatchObject({ runId: second, state: RunState.SUCCEEDED, headRunId: lead });
  });

  it('refuses a run that ended without a result, and one that does not exist', async () => {
    const sweepId = await harness.submit(specOf());
    await harness.sweeps.cancelSweep({ sweepId, reason: '' });
    const runId = (await runsOf(sweepId))[0]?.runId ?? '';
    await expect(harness.sweeps.stopRun({ runId, reason: '' })).rejects.toThrow(IllegalStateError);
    await expect(harness.sweeps.stopRun({ runId, reason: '' })).rejects.toThrow(/stop run .*CANCELLED.*RUNNING/);
    await expect(harness.sweeps.stopRun({ runId: 'nothing', reason: '' })).rejects.toThrow(NotFoundError);
  });
});
