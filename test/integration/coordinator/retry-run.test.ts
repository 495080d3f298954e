import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IllegalStateError, NotFoundError } from '../../../services/core/errors.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import type { LeasedTask, Stage } from '../../../services/core/task.ts';
import { RunState } from '../../../proto/gen/graft/v1/run.ts';
import type { Run } from '../../../proto/gen/graft/v1/run.ts';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { metricsOf, outcomeOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness({ retentionMs: 50 });
  trainer = await harness.trainer('t1', 1);
});
afterEach(() => harness[Symbol.asyncDispose]());

const NAN = { errorClass: 'NUMERIC', code: 'LOSS_NOT_FINITE', message: 'loss is NaN', datasetProblems: [] } as const;

/** One head and two fine-tunings of it, and a second head with one fine-tuning. */
function tree(changes: Partial<SweepSpec> = {}): SweepSpec {
  return specOf({
    base: { ...specOf().base, 'fine_tune.enabled': true, 'fine_tune.epochs': 2, 'fine_tune.unfreeze': 'block2' },
    parameters: [],
    strategy: 'list',
    variants: [{ 'fine_tune.learning_rate': 1e-5 }, { 'fine_tune.learning_rate': 1e-4 }, { 'head.units': 64 }],
    ...changes,
  });
}

async function runsOf(sweepId: string): Promise<Run[]> {
  return (await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' })).runs;
}

async function sweepOf(sweepId: string) {
  return (await harness.sweeps.getSweep({ sweepId })).sweep;
}

async function leaderboard(sweepId: string) {
  return harness.sweeps.getLeaderboard({ sweepId, pageSize: 0, pageToken: '' });
}

const retry = (runId: string, reason = '') => harness.sweeps.retryRun({ runId, reason });

/** Works until nothing is ready. Runs for which `fails` is true fail for good after an epoch of the stage. */
async function workWith(fails: (stage: Stage, runId: string) => boolean): Promise<LeasedTask[]> {
  const done: LeasedTask[] = [];
  for (let task = await trainer.lease(0, 300); task !== null; task = await trainer.lease(0, 300)) {
    const { stage, runs } = task;
    const bad = runs.filter(({ runId }) => fails(stage, runId));
    if (bad.length === 0) await trainer.work(task);
    else {
      await trainer.report([trainer.batch(task, 1, 1)]);
      const epochs = Number(runs[0]?.parameters[stage === 'HEAD' ? 'epochs' : 'fine_tune.epochs']);
      const good = runs.filter((run) => !bad.includes(run));
      for (let epoch = 2; epoch <= epochs && good.length > 0; epoch += 1) {
        const { epochs: all, ...batch } = trainer.batch(task, epoch, epoch);
        const reported = all.filter(({ runId }) => good.some((run) => run.runId === runId));
        await trainer.report([{ ...batch, epochs: reported }]);
      }
      for (const { runId } of good) await trainer.checkpoint(task, runId, epochs, 'BEST');
      const outcomes = runs.map((run) =>
        bad.includes(run) ? outcomeOf(run.runId, 1, { kind: 'FAILED', error: NAN }) : outcomeOf(run.runId, epochs),
      );
      await trainer.complete(task, { stage: 'TRAIN', outcomes });
    }
    done.push(task);
  }
  return done;
}

describe('RetryRun', () => {
  it('trains the failed stage again, reopens the ended sweep, and keeps what was tried before on record', async () => {
    const sweepId = await harness.submit(tree());
    const runId = (await runsOf(sweepId))[0]?.runId ?? '';
    await workWith((stage, failing) => stage === 'FINE_TUNE' && failing === runId);
    expect(await sweepOf(sweepId)).toMatchObject({ state: SweepState.SUCCEEDED, failedRunCount: 1 });
    const { run } = await retry(runId, 'the disk is fixed');
    const stateReason = 'retried by a person: the disk is fixed';
    expect(run).toMatchObject({ state: RunState.QUEUED, stateReason, endTime: undefined, attemptCount: 2 });
    expect((await retry(runId)).run).toEqual(run);
    expect(await sweepOf(sweepId)).toMatchObject({ state: SweepState.ACTIVE, endTime: undefined });
    expect(await harness.query(`SELECT run_id, reason FROM decisions WHERE kind = 'RETRY_RUN'`)).toEqual([
      { run_id: runId, reason: stateReason },
    ]);

    const task = await trainer.mustLease('FINE_TUNE');
    expect(task.runs).toMatchObject([{ runId, resumeCheckpoint: null, sourceCheckpoint: { stage: 'HEAD' } }]);
    expect(task.leaseEpoch).toBe(2);
    const counters = await harness.query('SELECT failure_count, memory_count FROM tasks WHERE task_id = $1', [
      task.taskId,
    ]);
    expect(counters).toEqual([{ failure_count: 0, memory_count: 0 }]);
    await trainer.train(task);
    await trainer.workAll(300);
    expect(await sweepOf(sweepId)).toMatchObject({ state: SweepState.SUCCEEDED, failedRunCount: 0 });
    const rows = await harness.query<{ lease_epoch: number; superseded_by: number | null }>(
      `SELECT DISTINCT lease_epoch, superseded_by FROM epoch_metrics WHERE run_id = $1 AND stage = 'FINE_TUNE' ORDER BY 1`,
      [runId],
    );
    expect(rows).toEqual([
      { lease_epoch: 1, superseded_by: 2 },
      { lease_epoch: 2, superseded_by: null },
    ]);
    const { run: ended, attempts } = await harness.sweeps.getRun({ runId });
    expect(ended).toMatchObject({ state: RunState.SUCCEEDED, stateReason: '' });
    // The head, the fine-tuning that failed and the one that did not; and the test, if it is the best.
    expect(attempts.slice(0, 3).map(({ stage, state }) => [stage, state])).toEqual([
      [3, 'SUCCEEDED'],
      [4, 'FAILED'],
      [4, 'SUCCEEDED'],
    ]);
    expect((await retry(runId)).run?.state).toBe(RunState.SUCCEEDED);
  });

  it('tests a retried run that is the best one, and keeps the result of the former winner', async () => {
    const sweepId = await harness.submit(specOf());
    const runIds = (await runsOf(sweepId)).map(({ runId }) => runId);
    const valueOf = (runId: string): number => metricsOf({ runId }, 'HEAD', 3)['val_loss'] ?? Infinity;
    const [best = '', other = ''] = runIds.toSorted((a, b) => valueOf(a) - valueOf(b));
    await workWith((stage, runId) => stage === 'HEAD' && runId === best);
    const testedRoles = async () =>
      (await leaderboard(sweepId)).entries.map(({ run, testResult }) => [run?.runId, testResult?.role]);
    expect(await testedRoles()).toEqual([
      [other, 'WINNER'],
      [best, undefined],
    ]);
    await retry(best);
    expect(await trainer.workAll(300)).toEqual(['HEAD', 'EVALUATE']);
    expect(await testedRoles()).toEqual([
      [best, 'WINNER'],
      [other, 'EVERY_RUN'],
    ]);
    expect((await leaderboard(sweepId)).testLookCount).toBe(2);
    expect(await sweepOf(sweepId)).toMatchObject({ state: SweepState.SUCCEEDED, bestRunId: best });
    const events = await harness.watch(sweepId);
    const states = events.flatMap(({ event }) => (event?.$case === 'sweepState' ? [event.value.state] : []));
    expect(states).toEqual([SweepState.ACTIVE, SweepState.SUCCEEDED, SweepState.ACTIVE, SweepState.SUCCEEDED]);
  });

  it('tests nothing again when the winner stays the same', async () => {
    const sweepId = await harness.submit(specOf());
    const runIds = (await runsOf(sweepId)).map(({ runId }) => runId);
    const valueOf = (runId: string): number => metricsOf({ runId }, 'HEAD', 3)['val_loss'] ?? Infinity;
    const [best = '', other = ''] = runIds.toSorted((a, b) => valueOf(a) - valueOf(b));
    await workWith((stage, runId) => stage === 'HEAD' && runId === other);
    await retry(other);
    expect(await trainer.workAll(300)).toEqual(['HEAD']);
    const { entries, testLookCount } = await leaderboard(sweepId);
    expect(entries.map(({ run, testResult }) => [run?.runId, testResult?.role])).toEqual([
      [best, 'WINNER'],
      [other, undefined],
    ]);
    expect(testLookCount).toBe(1);
    expect((await sweepOf(sweepId))?.state).toBe(SweepState.SUCCEEDED);
  });

  it('retrains a head that failed for all of its runs, for each run that is retried', async () => {
    const sweepId = await harness.submit(tree());
    const [first = '', second = ''] = (await runsOf(sweepId)).map(({ runId }) => runId);
    await workWith((stage, runId) => stage === 'HEAD' && runId === first);
    const states = async () => (await runsOf(sweepId)).map(({ state }) => state);
    expect(await states()).toEqual([RunState.FAILED, RunState.FAILED, RunState.SUCCEEDED]);
    // The second run shares the first one's head, which is trained for it although the first run has ended.
    await retry(second);
    const head = await trainer.mustLease('HEAD');
    expect(head.runs).toMatchObject([{ runId: first, stopped: false }]);
    await retry(first);
    await trainer.train(head);
    expect(await trainer.workAll(300)).toEqual(expect.arrayContaining(['FINE_TUNE', 'FINE_TUNE']));
    expect(await states()).toEqual([RunState.SUCCEEDED, RunState.SUCCEEDED, RunState.SUCCEEDED]);
    const heads = await harness.query(`SELECT 1 FROM tasks WHERE stage = 'HEAD' AND task_id LIKE '%-n%'`);
    expect(heads).toHaveLength(1);
    expect((await runsOf(sweepId)).map(({ headRunId }) => headRunId)).toEqual(['', first, '']);
  });

  it('computes feature sets that could not be computed before', async () => {
    const sweepId = await harness.submit(specOf());
    await trainer.work(await trainer.mustLease('INDEX'));
    const features = await trainer.mustLease('FEATURES');
    await trainer.fail(features, { errorClass: 'PERMANENT', message: 'no such layer' });
    expect((await sweepOf(sweepId))?.state).toBe(SweepState.FAILED);
    const [run] = await runsOf(sweepId);
    expect(run?.stateReason).toContain('no such layer');
    await retry(run?.runId ?? '');
    expect(await trainer.workAll(300)).toEqual(['FEATURES', 'HEAD', 'EVALUATE']);
    expect(await sweepOf(sweepId)).toMatchObject({ state: SweepState.SUCCEEDED, failedRunCount: 1 });
    // The second one finds the features stored.
    await retry((await runsOf(sweepId))[1]?.runId ?? '');
    expect((await trainer.workAll(300))[0]).toBe('HEAD');
    expect(await sweepOf(sweepId)).toMatchObject({ state: SweepState.SUCCEEDED, failedRunCount: 0 });
  });

  it('refuses runs that have ended on purpose or can not be trained, and says what to do', async () => {
    const sweepId = await harness.submit(specOf());
    const [first, second] = await runsOf(sweepId);
    const runId = first?.runId ?? '';
    expect((await retry(runId)).run?.state).toBe(RunState.QUEUED);
    await harness.sweeps.stopRun({ runId, reason: '' });
    await expect(retry(runId)).rejects.toThrow(
      /retry run .*STOPPED.*needs FAILED\. A rule, a person or the end of its search/,
    );
    await trainer.fail(await trainer.mustLease('INDEX'), { errorClass: 'PERMANENT', message: 'no such folder' });
    const failed = second?.runId ?? '';
    await expect(retry(failed)).rejects.toThrow(
      /before its training was planned \(.*no such folder.*submit the sweep again/s,
    );
    const cancelled = await harness.submit(specOf());
    await harness.sweeps.cancelSweep({ sweepId: cancelled, reason: '' });
    await expect(retry(`${cancelled}-r000`)).rejects.toThrow(IllegalStateError);
    await harness.query(`UPDATE runs SET state = 'FAILED' WHERE run_id = $1`, [`${cancelled}-r000`]);
    await expect(retry(`${cancelled}-r000`)).rejects.toThrow(/reopen sweep .*CANCELLED.*Submit the sweep again/);
    await harness.query(`UPDATE runs SET state = 'INFEASIBLE' WHERE run_id = $1`, [`${cancelled}-r000`]);
    await expect(retry(`${cancelled}-r000`)).rejects.toThrow(/INFEASIBLE.*would fail again/);
    await expect(retry('nothing')).rejects.toThrow(NotFoundError);
  });
});
