import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import type { FeatureSetRef, LeasedTask } from '../../../services/core/task.ts';
import { DirectoryArtifactStore } from '../../../services/platform/artifacts/directory-artifact-store.ts';
import { FILE_DAMAGES, damageFile } from '../../support/damage-file.ts';
import { InProcessWorker } from './in-process-worker.ts';
import { SweepOnWorker, curve, lastCheckpoint, taskRun } from './sweep-on-worker.ts';
import { writeTinyImages } from './tiny-images.ts';

const CACHED: Parameters = {
  method: 'cached',
  backbone: 'mobilenet_v2',
  weights: 'random',
  cut: 'expanded_conv_project_BN',
  image_size: 32,
  batch_size: 8,
  epochs: 2,
  'head.units': 8,
};
const AUGMENTED: Parameters = { ...CACHED, method: 'augmented' };
const FINE_TUNED: Parameters = { ...CACHED, 'fine_tune.enabled': true, 'fine_tune.epochs': 2 };

describe('a stored file that is lost or damaged', () => {
  let root: string;
  let sweep: SweepOnWorker;
  let worker: InProcessWorker;
  let features: readonly FeatureSetRef[];

  const stored = (uri: string | null): string => join(root, 'artifacts', uri ?? '');
  const headTask = (runs: LeasedTask['runs'], overrides: Partial<LeasedTask> = {}): LeasedTask =>
    sweep.task('HEAD', { runs, featureSets: features, ...overrides });

  beforeAll(() => {
    process.env['GRAFT_SLOT_THREADS'] = '1';
  });
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'graft-damaged-'));
    writeTinyImages(join(root, 'data'), { counts: { train: 8, validation: 4, test: 4 } });
    sweep = new SweepOnWorker(join(root, 'data'), 'mobilenet_v2', 'random');
    worker = new InProcessWorker({
      artifacts: new DirectoryArtifactStore(join(root, 'artifacts')),
      cacheDir: join(root, 'cache'),
      checkpointSeconds: 1000,
    });
    await sweep.index(worker);
    features = await sweep.computeFeatures(worker, sweep.featureSets(CACHED, 'HEAD'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it.each(FILE_DAMAGES)(
    'feature sets: the attempt names all of them and is not counted; the next FEATURES task recomputes them identically (%s)',
    async (damage) => {
      await worker.complete(headTask([taskRun('before', CACHED)]), 'TRAIN');
      for (const { uri } of features) damageFile(stored(uri), damage, 0.9);
      expect(await worker.run(headTask([taskRun('a', CACHED)]))).toMatchObject({
        type: 'failed',
        error: {
          errorClass: 'INFRASTRUCTURE',
          missingFeatureKeys: features.map(({ key }) => key),
        },
      });
      expect(await sweep.computeFeatures(worker, sweep.featureSets(CACHED, 'HEAD'))).toEqual(features);
      await worker.complete(headTask([taskRun('a', CACHED)]), 'TRAIN');
      expect(curve(worker.events, 'a', 'HEAD')).toEqual(curve(worker.events, 'before', 'HEAD'));
    },
  );

  it.each(FILE_DAMAGES)(
    'a manifest: every stage reports it and is not counted; indexing writes the same one (%s)',
    async (damage) => {
      const { manifestUri } = sweep.indexed;
      const before = readFileSync(stored(manifestUri));
      damageFile(stored(manifestUri), damage, 0.9);
      const tasks = [
        headTask([taskRun('a', CACHED)]),
        sweep.task('FEATURES', { featureSets: sweep.featureSets(CACHED, 'HEAD') }),
        sweep.task('EVALUATE', { runs: [] }),
      ];
      for (const task of tasks) {
        expect(await worker.run(task), task.stage).toMatchObject({
          type: 'failed',
          error: { errorClass: 'INFRASTRUCTURE', manifestDamaged: true },
        });
      }
      await sweep.index(worker);
      expect(readFileSync(stored(manifestUri))).toEqual(before);
      await worker.complete(headTask([taskRun('a', CACHED)]), 'TRAIN');
    },
  );

  it.each(FILE_DAMAGES)(
    'checkpoints: one attempt names all from which a group starts, before it trains (%s)',
    async (damage) => {
      const runs = ['a', 'b', 'c'];
      await worker.complete(headTask(runs.map((runId) => taskRun(runId, { ...CACHED, epochs: 1 }))), 'TRAIN');
      const last = runs.map((runId) => ({
        ...lastCheckpoint(worker.events, runId, 'LAST', 'HEAD'),
        checkpointId: `last-${runId}`,
      }));
      for (const { uri } of last.slice(0, 2)) damageFile(stored(uri), damage);
      const resumed = runs.map((runId, index) => taskRun(runId, CACHED, { resumeCheckpoint: last[index] ?? null }));
      const before = worker.events.length;
      const end = await worker.run(headTask(resumed));
      expect(end).toMatchObject({
        type: 'failed',
        error: {
          errorClass: 'INFRASTRUCTURE',
          code: 'CHECKPOINT_DAMAGED',
          damagedCheckpointIds: ['last-a', 'last-b'],
        },
      });
      expect(worker.events.slice(before).filter(({ type }) => type === 'epoch')).toEqual([]);
    },
  );

  it.each(FILE_DAMAGES)(
    'the checkpoint from which a fine-tuning or an evaluation starts is named (%s)',
    async (damage) => {
      await worker.complete(headTask([taskRun('a', FINE_TUNED)]), 'TRAIN');
      const best = { ...lastCheckpoint(worker.events, 'a', 'BEST', 'HEAD'), checkpointId: 'best-a' };
      damageFile(stored(best.uri), damage);
      const runs = [taskRun('a', FINE_TUNED, { sourceCheckpoint: best })];
      for (const stage of ['FINE_TUNE', 'EVALUATE'] as const) {
        expect(await worker.run(sweep.task(stage, { runs }))).toMatchObject({
          type: 'failed',
          error: { errorClass: 'INFRASTRUCTURE', damagedCheckpointIds: ['best-a'] },
        });
      }
    },
  );

  it('the head from which a fine-tuning began is not needed to resume it', async () => {
    await worker.complete(headTask([taskRun('a', FINE_TUNED)]), 'TRAIN');
    const source = lastCheckpoint(worker.events, 'a', 'BEST', 'HEAD');
    const sets = await sweep.computeFeatures(worker, sweep.featureSets(FINE_TUNED, 'FINE_TUNE'));
    const task = (changes: Parameters, resume: boolean): LeasedTask => {
      const resumeCheckpoint = resume ? lastCheckpoint(worker.events, 'a', 'LAST', 'FINE_TUNE') : null;
      const run = taskRun('a', { ...FINE_TUNED, ...changes }, { sourceCheckpoint: source, resumeCheckpoint });
      return sweep.task('FINE_TUNE', { runs: [run], featureSets: sets });
    };
    await worker.complete(task({}, false), 'TRAIN');
    const whole = curve(worker.events, 'a', 'FINE_TUNE');
    worker.events.length = 0;
    await worker.complete(task({ 'fine_tune.epochs': 1 }, false), 'TRAIN');
    damageFile(stored(source.uri), 'delete');
    await worker.complete(task({}, true), 'TRAIN');
    expect(curve(worker.events, 'a', 'FINE_TUNE')).toEqual(whole);
  });

  it.each(FILE_DAMAGES)(
    'decoded images: the attempt decodes them again, with the same numbers (%s)',
    async (damage) => {
      const train = (runId: string) =>
        worker.complete(sweep.task('HEAD', { runs: [taskRun(runId, AUGMENTED)] }), 'TRAIN');
      await train('before');
      const folder = join(root, 'cache', 'images');
      for (const name of readdirSync(folder)) damageFile(join(folder, name), damage, 0.4);
      await train('after');
      expect(curve(worker.events, 'after', 'HEAD')).toEqual(curve(worker.events, 'before', 'HEAD'));
    },
  );
});
