import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { RunState, Stage } from '../../../proto/gen/graft/v1/run.ts';
import type { DatasetProblem } from '../../../services/core/dataset.ts';
import { wilsonInterval } from '../../../services/core/statistics/wilson-interval.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { metricsOf } from './simulated-trainer.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

/** A cut of VGG16 fits the first only. */
const TWO_BACKBONES: SweepSpec['parameters'][number] = {
  name: 'backbone',
  domain: { kind: 'values', values: ['vgg16', 'resnet50'] },
  conditions: [],
};

describe('the life of a sweep', () => {
  it('passes INDEX, FEATURES, HEAD, FINE_TUNE and EVALUATE to a tested winner', async () => {
    const trainer = await harness.trainer('life', 1);
    const sweepId = await harness.submit(
      specOf({
        base: { ...specOf().base, 'fine_tune.enabled': true, 'fine_tune.epochs': 2, 'fine_tune.unfreeze': 'block2' },
      }),
    );
    expect(sweepId).toMatch(/^s[0-9a-hjkmnp-tv-z]{9}$/);

    const stages = await trainer.workAll();

    expect(stages.filter((stage) => stage === 'INDEX')).toHaveLength(1);
    expect(stages.at(0)).toBe('INDEX');
    expect(stages.at(-1)).toBe('EVALUATE');
    expect(stages.filter((stage) => stage === 'FINE_TUNE')).toHaveLength(2);
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep).toMatchObject({ state: SweepState.SUCCEEDED, stateReason: '', runCount: 2, finishedRunCount: 2 });
    expect(sweep?.startTime).toBeInstanceOf(Date);
    expect(sweep?.endTime).toBeInstanceOf(Date);

    const { runs } = await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' });
    expect(runs.map(({ state }) => state)).toEqual([RunState.SUCCEEDED, RunState.SUCCEEDED]);
    expect(runs.map(({ peakMemoryBytes }) => peakMemoryBytes)).toEqual([1000n, 1000n]);
    expect(runs[0]).toMatchObject({ stage: Stage.FINE_TUNE, epochCount: 2, epochLimit: 2 });
    const best = [
      ...[1, 2, 3].map((e) => metricsOf(runs[0]!, 'HEAD', e)),
      ...[1, 2].map((e) => metricsOf(runs[0]!, 'FINE_TUNE', e)),
    ];
    expect(runs[0]?.bestValue).toBe(Math.min(...best.map((metrics) => metrics['val_loss'] ?? NaN)));

    const board = await harness.sweeps.getLeaderboard({ sweepId, pageSize: 0, pageToken: '' });
    expect(board.entries.map(({ rank }) => rank)).toEqual([1, 2]);
    expect(board.entries[0]?.run?.runId).toBe(sweep?.bestRunId);
    expect(board.testLookCount).toBeGreaterThanOrEqual(1);
    const winner = board.entries[0]?.testResult;
    const interval = wilsonInterval(18, 20);
    expect(winner).toMatchObject({
      role: 'WINNER',
      accuracy: 0.9,
      correctCount: 18,
      imageCount: 20,
      accuracyLow: interval.low,
      accuracyHigh: interval.high,
      confusionMatrix: [9, 1, 1, 9],
    });
    expect(winner?.rocAuc).toBeCloseTo(0.9, 10);
    expect(winner?.classResults.map(({ className }) => className)).toEqual(['cat', 'dog']);
    expect(winner?.classResults[0]).toMatchObject({ precision: 0.9, recall: 0.9, support: 10 });

    const { predictions } = await harness.sweeps.listTestPredictions({
      runId: board.entries[0]?.run?.runId ?? '',
      pageSize: 0,
      pageToken: '',
    });
    expect(predictions).toHaveLength(20);
  });

  it('computes no feature set twice: a second sweep on the same data starts with HEAD', async () => {
    const trainer = await harness.trainer('life', 1);
    await harness.submit(specOf());
    expect(await trainer.workAll()).toEqual(['INDEX', 'FEATURES', 'HEAD', 'EVALUATE']);
    await harness.submit(specOf({ displayName: 'second' }));
    expect(await trainer.workAll()).toEqual(['INDEX', 'HEAD', 'EVALUATE']);
  });

  it('waits for a feature set that another sweep is computing', async () => {
    const trainer = await harness.trainer('life', 2);
    const base = { ...specOf().base, image_size: 96 };
    await harness.submit(specOf({ base }));
    await trainer.work(await trainer.mustLease('INDEX'));
    const features = await trainer.mustLease('FEATURES');
    const second = await harness.submit(specOf({ base, seed: 2 }));
    await trainer.work(await trainer.mustLease('INDEX', 1));
    expect(await trainer.lease(1)).toBeNull();
    const tasks = await harness.query(`SELECT stage, state FROM tasks WHERE sweep_id = $1 AND stage <> 'INDEX'`, [
      second,
    ]);
    // Two small heads are one group, although there are two slots.
    expect(tasks).toEqual([{ stage: 'HEAD', state: 'WAITING' }]);
    await trainer.work(features);
    const stages = await trainer.workAll();
    expect(stages.toSorted()).toEqual(['EVALUATE', 'EVALUATE', 'HEAD', 'HEAD']);
  });

  it('computes the feature set itself when the sweep it waited for is cancelled', async () => {
    const trainer = await harness.trainer('life', 2);
    const base = { ...specOf().base, image_size: 128 };
    const first = await harness.submit(specOf({ base }));
    await trainer.work(await trainer.mustLease('INDEX'));
    const features = await trainer.mustLease('FEATURES');
    const second = await harness.submit(specOf({ base, seed: 2 }));
    await trainer.work(await trainer.mustLease('INDEX', 1));
    await harness.sweeps.cancelSweep({ sweepId: first, reason: 'enough' });
    await trainer.fail(features, { errorClass: 'INFRASTRUCTURE', message: 'stopped' });
    expect(await trainer.workAll()).toEqual(['FEATURES', 'HEAD', 'EVALUATE']);
    const { sweep } = await harness.sweeps.getSweep({ sweepId: second });
    expect(sweep?.state).toBe(SweepState.SUCCEEDED);
  });

  it('skips runs whose cut the backbone does not have, and trains the others', async () => {
    const trainer = await harness.trainer('life', 1);
    const sweepId = await harness.submit(
      specOf({ base: { ...specOf().base, cut: 'block1_pool' }, parameters: [TWO_BACKBONES] }),
    );
    await trainer.workAll();
    const { runs } = await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' });
    expect(runs.map(({ state }) => state)).toEqual([RunState.SUCCEEDED, RunState.INFEASIBLE]);
    expect(runs[1]?.stateReason).toContain('block1_pool');
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep?.state).toBe(SweepState.SUCCEEDED);
  });

  it('counts the runs by outcome, and its best run is the one of the leaderboard, never one that failed', async () => {
    const trainer = await harness.trainer('life', 1);
    const variants = [{ epochs: 1 }, { epochs: 2 }];
    const base = { ...specOf().base, cut: 'block1_pool' };
    const sweepId = await harness.submit(specOf({ base, parameters: [TWO_BACKBONES], variants }));
    await trainer.workAll();
    // What it measured stays when a run is ended afterwards; here the best one.
    const { sweep: whole } = await harness.sweeps.getSweep({ sweepId });
    expect(whole).toMatchObject({ state: SweepState.SUCCEEDED, succeededRunCount: 3, infeasibleRunCount: 1 });
    await harness.query(`UPDATE runs SET state = 'FAILED' WHERE run_id = $1`, [whole?.bestRunId]);

    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep).toMatchObject({
      finishedRunCount: 4,
      succeededRunCount: 2,
      failedRunCount: 1,
      infeasibleRunCount: 1,
      stoppedRunCount: 0,
      cancelledRunCount: 0,
      reusedRunCount: 0,
    });
    const board = await harness.sweeps.getLeaderboard({ sweepId, pageSize: 0, pageToken: '' });
    expect(sweep?.bestRunId).toBe(board.entries[0]?.run?.runId);
    expect(sweep?.bestRunId).not.toBe(whole?.bestRunId);
    const { sweeps } = await harness.sweeps.listSweeps({ pageSize: 0, pageToken: '' });
    expect(sweeps.find((one) => one.sweepId === sweepId)).toEqual(sweep);
  });

  it('tests only the winner when runs are random draws, and the defaults as baseline when they are among the runs', async () => {
    const trainer = await harness.trainer('life', 1);
    const rolesOf = async (min: number): Promise<unknown[]> => {
      const domain = { kind: 'range', min, max: 0.01, scale: 'log', gridPoints: null, step: null } as const;
      const parameters = [{ name: 'optimizer.learning_rate', domain, conditions: [] }];
      const sweepId = await harness.submit(specOf({ strategy: 'random', maxRuns: 5, parameters }));
      await trainer.workAll();
      const { entries } = await harness.sweeps.getLeaderboard({ sweepId, pageSize: 0, pageToken: '' });
      return entries.flatMap(({ run, testResult }) => (testResult ? [[run?.runIndex === 0, testResult.role]] : []));
    };
    const drawn = await rolesOf(0.002);
    expect(drawn.map((one) => (one as unknown[])[1])).toEqual(['WINNER']);
    const withDefaults = await rolesOf(0.0001);
    expect(withDefaults.filter((one) => (one as unknown[])[0] === true)).toHaveLength(1);
    expect([
      [true, 'BASELINE'],
      [true, 'WINNER'],
    ]).toContainEqual(withDefaults.at(-1));
  });

  it('fails with all problems of a data set in the reason', async () => {
    const trainer = await harness.trainer('life', 1);
    const sweepId = await harness.submit(specOf({ displayName: 'bad data' }));
    const task = await trainer.mustLease('INDEX');
    await trainer.fail(task, {
      errorClass: 'PERMANENT',
      code: 'DATASET_INVALID',
      message: 'the data set has 2 problems',
      datasetProblems: [
        { code: 'CORRUPT_IMAGE', path: 'train/cat/1.jpg', message: 'is no image; remove it', fatal: true },
        { code: 'MISSING_SPLIT', path: 'test', message: 'is not there', fatal: true },
      ],
    });
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep?.state).toBe(SweepState.FAILED);
    expect(sweep?.stateReason).toContain('train/cat/1.jpg: is no image; remove it');
    expect(sweep?.stateReason).toContain('MISSING_SPLIT test');
    expect(sweep?.finishedRunCount).toBe(2);
  });

  it('lists each problem of a data set once when the trainer has listed it, and counts those that are not listed', async () => {
    const trainer = await harness.trainer('life', 1);
    const sweepId = await harness.submit(specOf({ displayName: 'bad data, listed' }));
    const listed: DatasetProblem[] = [
      { code: 'CORRUPT_IMAGE', path: 'train/cat/1.jpg', message: '"train/cat/1.jpg" is cut off.', fatal: true },
      { code: 'CORRUPT_IMAGE', path: '', message: '7 more are not listed.', fatal: true, count: 7 },
    ];
    const message = ['Data set /data/animals has 8 problems:', ...listed.map((problem) => problem.message)].join(
      '\n  ',
    );
    await trainer.fail(await trainer.mustLease('INDEX'), {
      errorClass: 'PERMANENT',
      code: 'DATASET_INVALID',
      message,
      datasetProblems: listed,
    });
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep?.stateReason.match(/cut off/g)).toHaveLength(1);
    expect(sweep?.stateReason.match(/7 more/g)).toHaveLength(1);
  });
});
