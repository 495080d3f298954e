import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import type { FeatureSetRef, LeasedTask } from '../../../services/core/task.ts';
import { DirectoryArtifactStore } from '../../../services/platform/artifacts/directory-artifact-store.ts';
import { tf } from '../../../services/trainer/engine/engine.ts';
import { InProcessWorker } from './in-process-worker.ts';
import { SweepOnWorker, curve, lastCheckpoint, taskRun } from './sweep-on-worker.ts';
import { writeTinyImages } from './tiny-images.ts';

const BASE: Parameters = {
  backbone: 'mobilenet_v2',
  weights: 'random',
  // Random weights make the outputs of deep layers vanish; at this layer classes still differ.
  cut: 'expanded_conv_project_BN',
  image_size: 32,
  batch_size: 8,
  epochs: 4,
  'head.units': 16,
};
const CACHED: Parameters = { ...BASE, method: 'cached' };
const AUGMENTED: Parameters = { ...BASE, method: 'augmented' };
const FINE_TUNED: Parameters = { ...CACHED, 'fine_tune.enabled': true, 'fine_tune.epochs': 3 };

describe('training stages', () => {
  let root: string;
  let sweep: SweepOnWorker;
  let features: readonly FeatureSetRef[];
  let fineTuneFeatures: readonly FeatureSetRef[];

  const newWorker = (): InProcessWorker =>
    new InProcessWorker({
      artifacts: new DirectoryArtifactStore(join(root, 'artifacts')),
      cacheDir: join(root, 'cache'),
      checkpointSeconds: 1000,
    });
  const headTask = (runs: LeasedTask['runs'], overrides: Partial<LeasedTask> = {}): LeasedTask =>
    sweep.task('HEAD', { runs, featureSets: features, ...overrides });

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'graft-training-'));
    writeTinyImages(join(root, 'data'), { counts: { train: 10, validation: 6, test: 6 } });
    sweep = new SweepOnWorker(join(root, 'data'), 'mobilenet_v2', 'random');
    const worker = newWorker();
    await sweep.index(worker);
    features = await sweep.computeFeatures(worker, sweep.featureSets(CACHED, 'HEAD'));
    fineTuneFeatures = await sweep.computeFeatures(worker, sweep.featureSets(FINE_TUNED, 'FINE_TUNE'));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('indexes the data set, and stores features once', async () => {
    expect(sweep.indexed.dataset.classNames).toEqual(['blue', 'red']);
    expect(features.map(({ split, shape, rowCount }) => ({ split, shape, rowCount }))).toEqual([
      { split: 'train', shape: [16], rowCount: 20 },
      { split: 'validation', shape: [16], rowCount: 12 },
    ]);
    const again = await sweep.computeFeatures(newWorker(), sweep.featureSets(CACHED, 'HEAD'));
    expect(again).toEqual(features);
  });

  it('reports each epoch of each run of a group, then the best and the last checkpoint', async () => {
    const worker = newWorker();
    const runs = [taskRun('a', CACHED), taskRun('b', { ...CACHED, epochs: 2, 'optimizer.name': 'adam' })];
    const result = await worker.complete(headTask(runs), 'TRAIN');
    expect(result.outcomes.map(({ runId, kind, epochCount }) => ({ runId, kind, epochCount }))).toEqual([
      { runId: 'b', kind: 'SUCCEEDED', epochCount: 2 },
      { runId: 'a', kind: 'SUCCEEDED', epochCount: 4 },
    ]);
    expect(result.outcomes[0]?.peakMemoryBytes).toBeGreaterThan(100e6);
    expect(curve(worker.events, 'a', 'HEAD').map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
    expect(Object.keys(curve(worker.events, 'b', 'HEAD')[0]?.values ?? {})).toEqual([
      'loss',
      'accuracy',
      'val_loss',
      'val_accuracy',
      'learning_rate',
      'val_macro_f1',
      'val_balanced_accuracy',
      'val_auc',
    ]);
    const best = lastCheckpoint(worker.events, 'a', 'BEST', 'HEAD');
    const losses = curve(worker.events, 'a', 'HEAD').map(({ values }) => values['val_loss'] ?? NaN);
    expect(best.value).toBe(Math.min(...losses));
    expect(best.epoch).toBe(losses.indexOf(Math.min(...losses)) + 1);
    const kinds = worker.events.flatMap((event) =>
      event.type === 'checkpoint' && event.checkpoint.runId === 'a' ? [event.checkpoint.kind] : [],
    );
    expect(kinds).toEqual(['BEST', 'LAST']);
    expect(worker.events.findLastIndex((event) => event.type === 'epoch' && event.runId === 'a')).toBeLessThan(
      worker.events.findIndex((event) => event.type === 'checkpoint' && event.checkpoint.runId === 'a'),
    );
  });

  it('gives a run the same numbers in a group as alone', async () => {
    const alone = newWorker();
    await alone.complete(headTask([taskRun('a', CACHED)]), 'TRAIN');
    const group = newWorker();
    const others = [taskRun('b', { ...CACHED, seed: 5 }), taskRun('c', { ...CACHED, 'optimizer.learning_rate': 0.01 })];
    await group.complete(headTask([...others, taskRun('a', CACHED)]), 'TRAIN');
    expect(curve(group.events, 'a', 'HEAD')).toEqual(curve(alone.events, 'a', 'HEAD'));
  });

  it('gives a run on mixed images the same numbers in a group as alone', async () => {
    const mixed: Parameters = {
      ...AUGMENTED,
      'augmentation.rand_augment_ops': 1,
      'augmentation.mixup_alpha': 0.2,
      'augmentation.cutmix_alpha': 1,
    };
    const alone = newWorker();
    await alone.complete(headTask([taskRun('m', mixed)]), 'TRAIN');
    const group = newWorker();
    const others = [taskRun('n', { ...mixed, seed: 5 }), taskRun('o', { ...mixed, label_smoothing: 0.1 })];
    await group.complete(headTask([...others, taskRun('m', mixed)]), 'TRAIN');
    expect(curve(alone.events, 'm', 'HEAD').length).toBeGreaterThan(0);
    expect(curve(group.events, 'm', 'HEAD')).toEqual(curve(alone.events, 'm', 'HEAD'));
    const plain = newWorker();
    await plain.complete(headTask([taskRun('m', AUGMENTED)]), 'TRAIN');
    expect(curve(plain.events, 'm', 'HEAD')).not.toEqual(curve(alone.events, 'm', 'HEAD'));
  });

  it('ranks epochs by a class metric, with the focal loss and weights by name, the same in a group as alone', async () => {
    const rare: Parameters = {
      ...CACHED,
      class_weights: '{"red":4}',
      'loss.name': 'focal',
      'optimizer.learning_rate': 0.003,
      epochs: 8,
      'early_stopping.patience': 3,
    };
    const byAuc = { objective: { metric: 'val_auc', goal: 'maximize' } } as const;
    const alone = newWorker();
    await alone.complete(headTask([taskRun('rare', rare)], byAuc), 'TRAIN');
    const group = newWorker();
    await group.complete(headTask([taskRun('other', { ...CACHED, seed: 3 }), taskRun('rare', rare)], byAuc), 'TRAIN');
    const epochs = curve(alone.events, 'rare', 'HEAD');
    expect(curve(group.events, 'rare', 'HEAD')).toEqual(epochs);
    const areas = epochs.map(({ values }) => values['val_auc'] ?? NaN);
    const best = areas.indexOf(Math.max(...areas));
    expect(lastCheckpoint(alone.events, 'rare', 'BEST', 'HEAD')).toMatchObject({ epoch: best + 1, value: areas[best] });
    // Stopped by the objective: three epochs without a larger area.
    expect(epochs).toHaveLength(Math.min(8, best + 1 + 3));
    const unweighted = newWorker();
    await unweighted.complete(headTask([taskRun('rare', { ...rare, class_weights: 'none' })], byAuc), 'TRAIN');
    expect(curve(unweighted.events, 'rare', 'HEAD')[0]?.values['loss']).not.toBe(epochs[0]?.values['loss']);
  });

  it('fails a run whose loss is not finite, with its epoch, and continues with the others', async () => {
    const worker = newWorker();
    const broken = { ...CACHED, 'optimizer.name': 'sgd', 'optimizer.learning_rate': 100, 'head.l2': 100, epochs: 40 };
    const { outcomes } = await worker.complete(headTask([taskRun('a', CACHED), taskRun('x', broken)]), 'TRAIN');
    const failed = outcomes.find(({ runId }) => runId === 'x');
    expect(failed).toMatchObject({ kind: 'FAILED', error: { errorClass: 'NUMERIC', code: 'LOSS_NOT_FINITE' } });
    expect(failed?.error?.message).toMatch(/loss of epoch \d+ \(HEAD\) is (NaN|Infinity)/);
    expect(outcomes.find(({ runId }) => runId === 'a')).toMatchObject({ kind: 'SUCCEEDED', epochCount: 4 });
  });

  it('ends a run by early stopping and one by command', async () => {
    const worker = newWorker();
    worker.onEvent = (event, send) => {
      if (event.type === 'epoch' && event.runId === 'b' && event.epoch === 2) {
        send({ type: 'stop-run', taskId: event.taskId, runId: 'b' });
      }
    };
    const patient = { ...CACHED, epochs: 30, 'early_stopping.patience': 1, 'early_stopping.min_delta': 10 };
    const runs = [taskRun('a', patient), taskRun('b', CACHED), taskRun('c', CACHED, { stopped: true })];
    const { outcomes } = await worker.complete(headTask(runs), 'TRAIN');
    expect(Object.fromEntries(outcomes.map(({ runId, kind, epochCount }) => [runId, [kind, epochCount]]))).toEqual({
      a: ['EARLY_STOPPED', 2],
      b: ['STOPPED', 2],
      c: ['STOPPED', 0],
    });
    expect(lastCheckpoint(worker.events, 'b', 'LAST', 'HEAD').epoch).toBe(2);
  });

  it('fine-tunes from the best head only, and evaluates both checkpoints', async () => {
    const worker = newWorker();
    const withoutHead = await worker.run(
      sweep.task('FINE_TUNE', { runs: [taskRun('f', FINE_TUNED)], featureSets: fineTuneFeatures }),
    );
    expect(withoutHead).toMatchObject({
      type: 'completed',
      result: { outcomes: [{ kind: 'FAILED', error: { errorClass: 'PERMANENT', code: 'CHECKPOINT_MISSING' } }] },
    });

    await worker.complete(headTask([taskRun('f', FINE_TUNED)]), 'TRAIN');
    const head = lastCheckpoint(worker.events, 'f', 'BEST', 'HEAD');
    const run = taskRun('f', FINE_TUNED, { sourceCheckpoint: head });
    await worker.complete(sweep.task('FINE_TUNE', { runs: [run], featureSets: fineTuneFeatures }), 'TRAIN');
    expect(curve(worker.events, 'f', 'FINE_TUNE')).toHaveLength(3);
    const tuned = lastCheckpoint(worker.events, 'f', 'BEST', 'FINE_TUNE');

    const runs = [
      taskRun('f', FINE_TUNED, { sourceCheckpoint: tuned, role: 'WINNER' }),
      taskRun('g', FINE_TUNED, { sourceCheckpoint: head, role: 'BASELINE' }),
    ];
    const { measurements } = await worker.complete(sweep.task('EVALUATE', { runs }), 'EVALUATE');
    expect(measurements.map(({ runId, role, predictions }) => [runId, role, predictions.length])).toEqual([
      ['f', 'WINNER', 12],
      ['g', 'BASELINE', 12],
    ]);
    for (const { path, label, predictedLabel, probabilities } of measurements.flatMap(
      ({ predictions }) => predictions,
    )) {
      expect(path).toMatch(label === 0 ? /^test\/blue\// : /^test\/red\//);
      expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1);
      expect(predictedLabel).toBe((probabilities[1] ?? 0) > 0.5 ? 1 : 0);
    }
    expect(measurements[0]?.loss).not.toBe(measurements[1]?.loss);
  });

  it('trains the same in micro-batches, for tasks that ran out of memory', async () => {
    const still = { ...FINE_TUNED, 'head.dropout': 0 };
    const moved = { ...AUGMENTED, 'head.dropout': 0 };
    const whole = newWorker();
    await whole.complete(headTask([taskRun('f-parts', still)]), 'TRAIN');
    const source = lastCheckpoint(whole.events, 'f-parts', 'BEST', 'HEAD');
    const run = taskRun('f-parts', still, { sourceCheckpoint: source });
    const task = sweep.task('FINE_TUNE', { runs: [run], featureSets: fineTuneFeatures });
    const augmented = headTask([taskRun('b-parts', moved)]);
    await whole.complete(task, 'TRAIN');
    await whole.complete(augmented, 'TRAIN');
    const parts = newWorker();
    await parts.complete({ ...task, leaseEpoch: 2, microBatchDivisor: 4 }, 'TRAIN');
    await parts.complete({ ...augmented, leaseEpoch: 2, microBatchDivisor: 8 }, 'TRAIN');
    for (const [runId, stage] of [
      ['f-parts', 'FINE_TUNE'],
      ['b-parts', 'HEAD'],
    ] as const) {
      const expected = curve(whole.events, runId, stage).map(({ values }) => values);
      expect(expected.length).toBeGreaterThan(0);
      for (const [index, { values }] of curve(parts.events, runId, stage).entries()) {
        expect(values['loss']).toBeCloseTo(expected[index]?.['loss'] ?? NaN, 4);
        expect(values['val_loss']).toBeCloseTo(expected[index]?.['val_loss'] ?? NaN, 4);
      }
    }
  });

  it('refuses the checkpoint of another run, for that run only', async () => {
    const worker = newWorker();
    await worker.complete(
      headTask([taskRun('a', { ...CACHED, epochs: 1 }), taskRun('b', { ...CACHED, epochs: 1 })]),
      'TRAIN',
    );
    const last = lastCheckpoint(worker.events, 'a', 'LAST', 'HEAD');
    const runs = [taskRun('b', CACHED, { resumeCheckpoint: last }), taskRun('c', CACHED)];
    const { outcomes } = await worker.complete(headTask(runs), 'TRAIN');
    const errors = Object.fromEntries(outcomes.map(({ runId, error }) => [runId, error?.message ?? null]));
    expect(errors['b']).toMatch(/runId: it belongs to run a, but run b must resume/);
    expect(errors['c']).toBeNull();
  });

  it('refuses a group whose runs read different batches', async () => {
    const runs = [taskRun('a', CACHED), taskRun('b', { ...CACHED, batch_size: 4 })];
    expect(await newWorker().run(headTask(runs))).toMatchObject({
      type: 'failed',
      error: { errorClass: 'PERMANENT', code: 'TASK_INVALID' },
    });
  });

  it('trains and evaluates three classes with class weights and label smoothing', async () => {
    const path = join(root, 'three');
    writeTinyImages(path, { counts: { train: 8, validation: 4, test: 4 }, classNames: ['b', 'g', 'r'] });
    const three = new SweepOnWorker(path, 'mobilenet_v2', 'random');
    const worker = newWorker();
    await three.index(worker);
    const parameters = {
      ...CACHED,
      cut: 'Conv1_relu',
      'head.pooling': 'max',
      'optimizer.learning_rate': 0.01,
      class_weights: 'balanced',
      label_smoothing: 0.1,
      epochs: 40,
    };
    const featureSets = await three.computeFeatures(worker, three.featureSets(parameters, 'HEAD'));
    await worker.complete(three.task('HEAD', { runs: [taskRun('m', parameters)], featureSets }), 'TRAIN');
    const losses = curve(worker.events, 'm', 'HEAD').map(({ values }) => values['loss'] ?? NaN);
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? NaN) * 0.8);
    const run = taskRun('m', parameters, { sourceCheckpoint: lastCheckpoint(worker.events, 'm', 'BEST', 'HEAD') });
    const { measurements } = await worker.complete(three.task('EVALUATE', { runs: [run] }), 'EVALUATE');
    expect(measurements[0]?.predictions).toHaveLength(12);
    expect(measurements[0]?.predictions[0]?.probabilities).toHaveLength(3);
  });

  it('fails the task when a feature set or the weights are not the requested ones', async () => {
    const worker = newWorker();
    const [first] = features;
    if (first === undefined) throw new Error('no features');
    const missing = features.map((set) => ({ ...set, uri: 'features/none.safetensors' }));
    expect(await worker.run(headTask([taskRun('a', CACHED)], { featureSets: missing }))).toMatchObject({
      type: 'failed',
      error: {
        errorClass: 'INFRASTRUCTURE',
        code: 'FEATURES_MISSING',
        // All sets, not only the first that was read.
        missingFeatureKeys: features.map(({ key }) => key),
      },
    });
    const others = [{ ...first, key: 'other', weightsDigest: 'ff', uri: null, sha256: null }];
    expect(await worker.run(sweep.task('FEATURES', { featureSets: others }))).toMatchObject({
      type: 'failed',
      error: { errorClass: 'PERMANENT', code: 'DIGEST_MISMATCH' },
    });
  });

  it.each([
    ['cached heads', CACHED, 'HEAD'],
    ['augmented heads', AUGMENTED, 'HEAD'],
    ['fine-tuning', FINE_TUNED, 'FINE_TUNE'],
    ['augmented fine-tuning', { ...FINE_TUNED, method: 'augmented' }, 'FINE_TUNE'],
    ['fine-tuning of all layers', { ...FINE_TUNED, method: 'augmented', 'fine_tune.unfreeze': 'all' }, 'FINE_TUNE'],
  ] as const)('keeps the number of tensors constant over epochs: %s', async (_name, parameters, stage) => {
    const worker = newWorker();
    const before = tf.memory().numTensors;
    const counts: number[] = [];
    worker.onEvent = (event) => {
      if (event.type === 'epoch' && event.stage === stage) counts.push(tf.memory().numTensors);
    };
    const featureSets = await sweep.computeFeatures(worker, sweep.featureSets(parameters, 'HEAD'));
    await worker.complete(sweep.task('HEAD', { runs: [taskRun('m', parameters)], featureSets }), 'TRAIN');
    if (stage === 'FINE_TUNE') {
      const run = taskRun('m', parameters, { sourceCheckpoint: lastCheckpoint(worker.events, 'm', 'BEST', 'HEAD') });
      const sets = await sweep.computeFeatures(worker, sweep.featureSets(parameters, 'FINE_TUNE'));
      await worker.complete(sweep.task('FINE_TUNE', { runs: [run], featureSets: sets }), 'TRAIN');
    }
    expect(counts.length).toBeGreaterThanOrEqual(3);
    expect(new Set(counts).size).toBe(1);
    expect(tf.memory().numTensors).toBe(before);
  });
});
