import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import type { FeatureSetRef, LeasedTask, Stage, TaskRun } from '../../../services/core/task.ts';
import type { SlotEvent } from '../../../services/trainer/slots/worker-protocol.ts';
import { readTrainingCheckpoint } from '../../../services/trainer/checkpoints/training-checkpoint.ts';
import { DirectoryArtifactStore } from '../../../services/platform/artifacts/directory-artifact-store.ts';
import { InProcessWorker } from './in-process-worker.ts';
import { SweepOnWorker, curve, lastCheckpoint, taskRun } from './sweep-on-worker.ts';
import { writeTinyImages } from './tiny-images.ts';
import { WorkerProcess } from './worker-process.ts';
import type { TaskRunner } from './worker-process.ts';

// Results are bitwise equal only for the same number of threads; set before TensorFlow is loaded.
vi.hoisted(() => (process.env['GRAFT_SLOT_THREADS'] = '1'));

const EPOCHS = 6;
const BASE: Parameters = {
  backbone: 'mobilenet_v2',
  weights: 'random',
  // Random weights make the outputs of deep layers vanish; at this layer classes still differ.
  cut: 'expanded_conv_project_BN',
  image_size: 32,
  batch_size: 8,
  epochs: EPOCHS,
  'head.units': 16,
  'head.dropout': 0.3,
  'optimizer.learning_rate': 0.01,
};

const STRONG: Parameters = {
  method: 'augmented',
  'augmentation.saturation': 0.2,
  'augmentation.hue': 0.2,
  'augmentation.rand_augment_ops': 2,
  'augmentation.mixup_alpha': 0.2,
  'augmentation.cutmix_alpha': 1,
};

interface Method {
  readonly name: string;
  readonly stage: Extract<Stage, 'HEAD' | 'FINE_TUNE'>;
  /** Parameters of each run of the group. */
  readonly parameters: Readonly<Record<string, Parameters>>;
}

const METHODS: readonly Method[] = [
  {
    name: 'A, cached features',
    stage: 'HEAD',
    parameters: {
      a1: { ...BASE, method: 'cached', 'head.pooling': 'flatten', 'schedule.name': 'cosine' },
      a2: {
        ...BASE,
        method: 'cached',
        'optimizer.name': 'adam',
        'head.l2': 0.01,
        'schedule.name': 'plateau',
        'schedule.patience': 1,
      },
      // Five batches an epoch: updates and ends of epochs do not coincide.
      a3: {
        ...BASE,
        method: 'cached',
        'optimizer.name': 'adam',
        'optimizer.gradient_accumulation_steps': 3,
        'optimizer.ema_momentum': 0.8,
        'schedule.warmup_epochs': 1.5,
      },
      a4: {
        ...BASE,
        method: 'cached',
        class_weights: '{"blue":3}',
        'loss.name': 'focal',
        'loss.alpha': 0.4,
        label_smoothing: 0.1,
        'optimizer.name': 'sgd',
        'optimizer.momentum': 0.9,
        'schedule.name': 'one_cycle',
      },
    },
  },
  {
    name: 'B, augmented',
    stage: 'HEAD',
    parameters: {
      b1: { ...BASE, method: 'augmented' },
      b2: { ...BASE, method: 'augmented', 'optimizer.momentum': 0.9 },
    },
  },
  {
    name: 'B, mixed and strongly augmented',
    stage: 'HEAD',
    parameters: {
      m1: { ...BASE, ...STRONG },
      m2: { ...BASE, ...STRONG, label_smoothing: 0.1, class_weights: 'balanced' },
    },
  },
  {
    name: 'C, fine-tuning',
    stage: 'FINE_TUNE',
    parameters: {
      c1: {
        ...BASE,
        method: 'cached',
        'fine_tune.enabled': true,
        'fine_tune.epochs': EPOCHS,
        'fine_tune.learning_rate': 1e-3,
      },
      c2: {
        ...BASE,
        method: 'cached',
        'optimizer.ema_momentum': 0.8,
        'fine_tune.enabled': true,
        'fine_tune.epochs': EPOCHS,
        'fine_tune.learning_rate': 1e-3,
        'fine_tune.gradient_accumulation_steps': 3,
        'fine_tune.ema_momentum': 0.8,
      },
    },
  },
];

describe('a worker that was ended resumes with the same numbers', () => {
  let root: string;
  let sweep: SweepOnWorker;

  const newProcess = (): WorkerProcess =>
    new WorkerProcess({
      artifactsDir: join(root, 'artifacts'),
      cacheDir: join(root, 'cache'),
      checkpointSeconds: 1000,
    });
  const newWorker = (): InProcessWorker =>
    new InProcessWorker({
      artifacts: new DirectoryArtifactStore(join(root, 'artifacts')),
      cacheDir: join(root, 'cache'),
      checkpointSeconds: 1000,
    });

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'graft-resume-'));
    writeTinyImages(join(root, 'data'), { counts: { train: 36, validation: 6, test: 4 } });
    sweep = new SweepOnWorker(join(root, 'data'), 'mobilenet_v2', 'random');
    await sweep.index(newWorker());
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it.each(METHODS)('method $name: killed in an epoch, paused in another', async ({ stage, parameters }) => {
    const ids = Object.keys(parameters);
    const undisturbed = newWorker();
    const { sources, featureSets } = await prepare(undisturbed, sweep, stage, parameters);
    const taskOf = (leaseEpoch: number, resume: readonly SlotEvent[] | null): LeasedTask =>
      sweep.task(stage, {
        leaseEpoch,
        featureSets,
        runs: ids.map((id) => runOf(id, parameters, sources, resume, stage)),
      });
    await undisturbed.complete(taskOf(1, null), 'TRAIN');
    const wanted = Object.fromEntries(ids.map((id) => [id, curve(undisturbed.events, id, stage)]));
    expect(wanted[ids[0] ?? '']).toHaveLength(EPOCHS);

    await using first = newProcess();
    await trainUntilSavedInsideAnEpoch(first, taskOf(2, null), ids);
    await first.kill('SIGKILL');

    const second = newWorker();
    second.onEvent = (event, send) => {
      if (event.type === 'epoch' && event.epoch === 4) send({ type: 'control', taskId: event.taskId, action: 'pause' });
    };
    expect(await second.run(taskOf(3, first.events))).toMatchObject({ type: 'stopped', action: 'pause' });

    const third = newWorker();
    await third.complete(taskOf(4, [...first.events, ...second.events]), 'TRAIN');

    for (const id of ids) {
      expect(mergeCurves([first.events, second.events, third.events], id, stage)).toEqual(wanted[id]);
      const [expected, actual] = await Promise.all(
        [undisturbed.events, third.events].map((events) => tensorsOf(root, events, id, stage)),
      );
      expect(actual).toEqual(expected);
    }
    const uris = [first, second, third].flatMap(({ events }) =>
      events.flatMap((event) => (event.type === 'checkpoint' ? [event.checkpoint.uri] : [])),
    );
    expect(new Set(uris).size).toBe(uris.length);
  });

  it('exits when its supervisor has ended', async () => {
    await using worker = newProcess();
    await worker.ready();
    const exited = new Promise((resolve) => worker.child.once('exit', resolve));
    worker.child.disconnect();
    expect(await exited).toBe(0);
  });
});

/** Requests checkpoints until each run has one inside an epoch. */
async function trainUntilSavedInsideAnEpoch(
  worker: WorkerProcess,
  task: LeasedTask,
  ids: readonly string[],
): Promise<void> {
  await worker.ready();
  const saved = new Set<string>();
  const done = worker.next((event) => {
    if (event.type === 'epoch') worker.send({ type: 'control', taskId: task.taskId, action: 'checkpoint' });
    if (event.type !== 'checkpoint' || event.checkpoint.kind !== 'LAST') return event.type === 'completed';
    if (event.checkpoint.epoch >= 1 && !event.checkpoint.uri.includes('-00000-')) saved.add(event.checkpoint.runId);
    worker.send({ type: 'control', taskId: task.taskId, action: 'checkpoint' });
    return saved.size === ids.length;
  });
  worker.send({ type: 'start', task });
  expect((await done).type).toBe('checkpoint');
}

/** Prepares features and, for fine-tuning, the trained head. */
async function prepare(
  worker: TaskRunner & { readonly events: readonly SlotEvent[] },
  sweep: SweepOnWorker,
  stage: Method['stage'],
  parameters: Method['parameters'],
): Promise<{ sources: readonly SlotEvent[]; featureSets: readonly FeatureSetRef[] }> {
  const wanted = (phase: Method['stage']): FeatureSetRef[] => {
    const sets = Object.values(parameters).flatMap((values) => sweep.featureSets(values, phase));
    return [...new Map(sets.map((set) => [set.key, set])).values()];
  };
  const heads = await sweep.computeFeatures(worker, wanted('HEAD'));
  if (stage === 'HEAD') return { sources: [], featureSets: heads };
  const runs = Object.entries(parameters).map(([id, values]) => taskRun(id, values));
  await worker.complete(sweep.task('HEAD', { runs, featureSets: heads }), 'TRAIN');
  return {
    sources: [...worker.events],
    featureSets: await sweep.computeFeatures(worker, wanted('FINE_TUNE')),
  };
}

function runOf(
  id: string,
  parameters: Method['parameters'],
  sources: readonly SlotEvent[],
  resume: readonly SlotEvent[] | null,
  stage: Method['stage'],
): TaskRun {
  return taskRun(id, parameters[id] ?? {}, {
    sourceCheckpoint: stage === 'FINE_TUNE' ? lastCheckpoint(sources, id, 'BEST', 'HEAD') : null,
    resumeCheckpoint: resume === null ? null : lastCheckpoint(resume, id, 'LAST', stage),
  });
}

/** Returns the recorded epochs: those of a later attempt supersede those of an earlier one. */
function mergeCurves(attempts: readonly (readonly SlotEvent[])[], id: string, stage: Stage): ReturnType<typeof curve> {
  const epochs = new Map(attempts.flatMap((events) => curve(events, id, stage)).map((entry) => [entry.epoch, entry]));
  return [...epochs.values()].sort((a, b) => a.epoch - b.epoch);
}

/** Returns trained tensors and optimizer slots of the latest checkpoint. */
async function tensorsOf(root: string, events: readonly SlotEvent[], id: string, stage: Stage): Promise<unknown> {
  const { uri } = lastCheckpoint(events, id, 'LAST', stage);
  const { trained, predicting, optimizerSlots, state } = await readTrainingCheckpoint(join(root, 'artifacts', uri));
  return {
    trained: [...trained.values()],
    predicting: [...predicting.values()],
    slots: [...optimizerSlots.values()],
    step: state.step,
    best: state.best?.epoch,
  };
}
