import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import type { CheckpointRef, FeatureSetRef, LeasedTask } from '../../../services/core/task.ts';
import { DirectoryArtifactStore } from '../../../services/platform/artifacts/directory-artifact-store.ts';
import { InProcessWorker } from './in-process-worker.ts';
import { curve, lastCheckpoint, SweepOnWorker, taskRun } from './sweep-on-worker.ts';
import { writeTinyImages } from './tiny-images.ts';

const AUGMENTED: Parameters = {
  backbone: 'mobilenet_v2',
  weights: 'random',
  image_size: 32,
  method: 'augmented',
  'head.units': 8,
  batch_size: 8,
  epochs: 2,
  'fine_tune.enabled': true,
  'fine_tune.unfreeze': 'block_15',
  'fine_tune.epochs': 2,
};

const TUNINGS: readonly Parameters[] = [
  { 'fine_tune.learning_rate': 1e-3 },
  { 'fine_tune.learning_rate': 1e-2, 'fine_tune.ema_momentum': 0.5, 'fine_tune.schedule': 'one_cycle' },
  {
    'fine_tune.learning_rate': 1e-2,
    'fine_tune.optimizer': 'adam',
    'fine_tune.gradient_accumulation_steps': 3,
    'fine_tune.ema_momentum': 0.5,
    'fine_tune.schedule_warmup_epochs': 1,
  },
];

describe('augmented fine-tunings of one frozen part', () => {
  let root: string;
  let sweep: SweepOnWorker;
  let features: readonly FeatureSetRef[];
  let head: CheckpointRef;

  const newWorker = (): InProcessWorker =>
    new InProcessWorker({
      artifacts: new DirectoryArtifactStore(join(root, 'artifacts')),
      cacheDir: join(root, 'cache'),
      checkpointSeconds: 1000,
    });
  const runOf = (index: number) =>
    taskRun(`f${index}`, { ...AUGMENTED, ...TUNINGS[index] }, { sourceCheckpoint: head });
  const tuneTask = (runs: LeasedTask['runs']): LeasedTask => sweep.task('FINE_TUNE', { runs, featureSets: features });

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'graft-fine-tune-group-'));
    writeTinyImages(join(root, 'data'), { counts: { train: 10, validation: 6, test: 6 } });
    sweep = new SweepOnWorker(join(root, 'data'), 'mobilenet_v2', 'random');
    const worker = newWorker();
    await sweep.index(worker);
    const headFeatures = await sweep.computeFeatures(worker, sweep.featureSets(AUGMENTED, 'HEAD'));
    features = await sweep.computeFeatures(worker, sweep.featureSets(AUGMENTED, 'FINE_TUNE'));
    // Trained for one run; all start from it.
    const task = sweep.task('HEAD', { runs: [taskRun('h', AUGMENTED)], featureSets: headFeatures });
    await worker.complete(task, 'TRAIN');
    head = lastCheckpoint(worker.events, 'h', 'BEST', 'HEAD');
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('have bitwise the same numbers together as alone, from one shared head', async () => {
    const together = newWorker();
    const { outcomes } = await together.complete(tuneTask([runOf(0), runOf(1), runOf(2)]), 'TRAIN');
    expect(outcomes.map(({ kind }) => kind)).toEqual(['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED']);
    for (const index of [0, 1, 2]) {
      const alone = newWorker();
      await alone.complete(tuneTask([runOf(index)]), 'TRAIN');
      const expected = curve(alone.events, `f${index}`, 'FINE_TUNE');
      expect(expected).toHaveLength(2);
      expect(curve(together.events, `f${index}`, 'FINE_TUNE')).toEqual(expected);
      expect(lastCheckpoint(together.events, `f${index}`, 'LAST', 'FINE_TUNE').value).toBe(
        lastCheckpoint(alone.events, `f${index}`, 'LAST', 'FINE_TUNE').value,
      );
    }
    const curves = [0, 1, 2].map((index) => JSON.stringify(curve(together.events, `f${index}`, 'FINE_TUNE')));
    expect(new Set(curves).size).toBe(3);
  });
});
