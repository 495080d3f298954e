import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EndCause, RunState } from '../../../proto/gen/graft/v1/run.ts';
import type { LeasedTask, RunOutcome } from '../../../services/core/task.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { outcomeOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;

beforeAll(async () => {
  harness = await startHarness();
  trainer = await harness.trainer('t1');
});
afterAll(() => harness[Symbol.asyncDispose]());

const EARLY_STOP = { patience: 3, minDelta: 0, bestEpoch: 4, bestValue: Math.fround(0.0812345) };

/** Submits a sweep of its own data set and works up to the heads. */
async function leaseHeads(path: string, base: Readonly<Record<string, number | boolean | string>> = {}) {
  const spec = specOf();
  const dataset = { ...spec.dataset, path: `/data/${path}` };
  const sweepId = await harness.submit(specOf({ dataset, base: { ...spec.base, epochs: 30, ...base } }));
  await trainer.work(await trainer.mustLease('INDEX'));
  // Features are computed for the first sweep, and shared.
  let task = await trainer.lease(0, 5_000);
  for (; task?.stage === 'FEATURES'; task = await trainer.lease(0, 5_000)) await trainer.work(task);
  if (task?.stage !== 'HEAD') throw new Error(`expected HEAD, got ${task?.stage ?? 'none'}`);
  return { sweepId, head: task };
}

/** Reports some epochs and completes the task. */
async function complete(
  task: LeasedTask,
  epochCount: number,
  outcome: (runId: string, index: number) => RunOutcome,
): Promise<void> {
  for (let epoch = 1; epoch <= epochCount; epoch += 1) await trainer.report([trainer.batch(task, epoch, epoch)]);
  for (const { runId } of task.runs) {
    await trainer.checkpoint(task, runId, epochCount, 'BEST');
    await trainer.checkpoint(task, runId, epochCount, 'LAST');
  }
  await trainer.complete(task, {
    stage: 'TRAIN',
    outcomes: task.runs.map(({ runId }, index) => outcome(runId, index)),
  });
}

async function runOf(runId: string) {
  const { run } = await harness.sweeps.getRun({ runId });
  return { state: run?.state, stateReason: run?.stateReason, endCause: run?.endCause };
}

describe('a run that its own early stopping ended', () => {
  it('says after which epoch and why, also if the trainer does not send the reason', async () => {
    const { head } = await leaseHeads('early');
    await complete(head, 7, (runId, index) =>
      outcomeOf(runId, 7 - index, { kind: 'EARLY_STOPPED', ...(index === 0 ? { earlyStop: EARLY_STOP } : {}) }),
    );
    expect(await runOf(head.runs[0]?.runId ?? '')).toEqual({
      state: RunState.SUCCEEDED,
      stateReason:
        'head training stopped early after epoch 7 of 30: no better val_loss for 3 epochs (best 0.08123 at epoch 4)',
      endCause: EndCause.EARLY_STOPPING,
    });
    expect(await runOf(head.runs[1]?.runId ?? '')).toMatchObject({
      stateReason: 'head training stopped early after epoch 6 of 30',
      endCause: EndCause.EARLY_STOPPING,
    });
    const attempts = await harness.query('SELECT message FROM attempts WHERE task_id = $1', [head.taskId]);
    expect(attempts).toEqual([{ message: '2 of 2 runs stopped early after epochs 6 to 7' }]);
    await trainer.workAll();
  });

  it('ends for the reason of its last stage', async () => {
    const fineTuned = { 'fine_tune.enabled': true, 'fine_tune.epochs': 2, 'fine_tune.unfreeze': 'block2' };
    const { sweepId, head } = await leaseHeads('last-stage', fineTuned);
    const earlyStop = { ...EARLY_STOP, minDelta: 0.01, patience: 1 };
    await complete(head, 7, (runId) => outcomeOf(runId, 7, { kind: 'EARLY_STOPPED', earlyStop }));
    expect(await runOf(head.runs[0]?.runId ?? '')).toEqual({
      state: RunState.QUEUED,
      stateReason:
        'head training stopped early after epoch 7 of 30: no val_loss more than 0.01 better than 0.08123 of epoch 4 for 1 epoch',
      endCause: EndCause.UNSPECIFIED,
    });
    await trainer.workAll();
    const { runs } = await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' });
    expect(runs.map(({ stateReason, endCause }) => [stateReason, endCause])).toEqual(
      runs.map(() => ['', EndCause.ALL_EPOCHS]),
    );
  });
});

describe('a run that is reported as paused at an epoch', () => {
  it('is none that the task did not pause', async () => {
    const { head } = await leaseHeads('paused');
    expect(head.runs.map(({ milestoneEpochs, pauseEpoch }) => ({ milestoneEpochs, pauseEpoch }))).toEqual(
      head.runs.map(() => ({ milestoneEpochs: [], pauseEpoch: null })),
    );
    const paused = (runId: string): RunOutcome => outcomeOf(runId, 3, { kind: 'PAUSED' });
    await expect(complete(head, 3, paused)).rejects.toThrow(/must not be PAUSED/);
    const [run] = head.runs;
    expect(await runOf(run?.runId ?? '')).toMatchObject({ state: RunState.RUNNING, endCause: EndCause.UNSPECIFIED });
  });
});
