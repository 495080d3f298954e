import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import type { CheckpointRef, FeatureSetRef, LeasedTask, RungReport, RunOutcome } from '../../../services/core/task.ts';
import { DirectoryArtifactStore } from '../../../services/platform/artifacts/directory-artifact-store.ts';
import { rungReportToProto } from '../../../services/platform/rpc/convert/rung-report.ts';
import { readTrainingCheckpoint } from '../../../services/trainer/checkpoints/training-checkpoint.ts';
import { nodeBackend } from '../../../services/trainer/engine/engine.ts';
import type { SlotEvent } from '../../../services/trainer/slots/worker-protocol.ts';
import { RungReport as ProtoRungReport } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { InProcessWorker } from './in-process-worker.ts';
import { SweepOnWorker, curve, lastCheckpoint, taskRun } from './sweep-on-worker.ts';
import { writeTinyImages } from './tiny-images.ts';
import { WorkerProcess } from './worker-process.ts';

// Results are bitwise equal only for the same number of threads; set before TensorFlow is loaded.
vi.hoisted(() => (process.env['GRAFT_SLOT_THREADS'] = '1'));

/** Number of images of three classes: fine-tuning takes two steps for them, and the last byte of their bits is not full. */
const VALIDATION_IMAGES = 39;

const BASE: Parameters = {
  backbone: 'mobilenet_v2',
  weights: 'random',
  image_size: 32,
  batch_size: 8,
  'head.units': 8,
  'head.dropout': 0.3,
  'optimizer.learning_rate': 0.01,
};
const HEAD: Parameters = { ...BASE, cut: 'expanded_conv_project_BN', epochs: 27 };
const COSINE: Parameters = { 'schedule.name': 'cosine' };
const AVERAGED: Parameters = {
  'optimizer.name': 'adam',
  'optimizer.gradient_accumulation_steps': 3,
  'optimizer.ema_momentum': 0.8,
  'schedule.name': 'plateau',
  'schedule.patience': 1,
  'head.l2': 0.01,
};
/** Stops after a pause, by epochs on both sides of it. */
const IMPATIENT: Parameters = { 'early_stopping.patience': 3, 'early_stopping.min_delta': 0.05 };

const TUNED: Parameters = {
  ...BASE,
  cut: 'expanded_conv_project_BN',
  epochs: 1,
  'fine_tune.enabled': true,
  'fine_tune.epochs': 9,
  'fine_tune.learning_rate': 1e-3,
  'fine_tune.schedule': 'cosine',
};
const TUNINGS = [
  TUNED,
  { ...TUNED, 'fine_tune.gradient_accumulation_steps': 3, 'fine_tune.ema_momentum': 0.8 },
  { ...TUNED, ...IMPATIENT },
] as const;

interface Method {
  readonly name: string;
  readonly stage: 'HEAD' | 'FINE_TUNE';
  /** Epochs at which the first run pauses; the second pauses at the later one only, the third at the earlier one. */
  readonly pauses: readonly [number, number];
  readonly runs: readonly [Parameters, Parameters, Parameters];
  readonly onTensorFlow?: boolean;
}

const HEADS = [
  { ...HEAD, ...COSINE },
  { ...HEAD, ...AVERAGED },
  { ...HEAD, ...IMPATIENT },
] as const;
const METHODS: readonly Method[] = [
  { name: 'heads in native code', stage: 'HEAD', pauses: [3, 9], runs: HEADS },
  { name: 'heads on TensorFlow', stage: 'HEAD', pauses: [3, 9], runs: HEADS, onTensorFlow: true },
  {
    name: 'cached fine-tuning',
    stage: 'FINE_TUNE',
    pauses: [1, 3],
    runs: TUNINGS,
  },
  {
    name: 'augmented fine-tuning',
    stage: 'FINE_TUNE',
    pauses: [1, 3],
    runs: [
      { ...TUNINGS[0], method: 'augmented' },
      { ...TUNINGS[1], method: 'augmented' },
      { ...TUNINGS[2], method: 'augmented' },
    ],
  },
];

const IDS = ['r0', 'r1', 'r2'] as const;

describe('runs that pause at epochs', () => {
  let root: string;
  let sweep: SweepOnWorker;

  const newWorker = (): InProcessWorker =>
    new InProcessWorker({
      artifacts: new DirectoryArtifactStore(join(root, 'artifacts')),
      cacheDir: join(root, 'cache'),
      checkpointSeconds: 1000,
    });

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'graft-pauses-'));
    const counts = { train: 12, validation: VALIDATION_IMAGES / 3, test: 4 };
    writeTinyImages(join(root, 'data'), { counts, classNames: ['blue', 'green', 'red'] });
    sweep = new SweepOnWorker(join(root, 'data'), 'mobilenet_v2', 'random');
    await sweep.index(newWorker());
  });
  const usesGpu = nodeBackend().isUsingGpuDevice;
  afterEach(() => setUsingGpu(usesGpu));
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it.each(METHODS)('end as if they had never paused: $name', async ({ stage, pauses, runs, onTensorFlow = false }) => {
    // As on a GPU.
    if (onTensorFlow) setUsingGpu(true);
    const { sources, featureSets } = await prepare(newWorker(), sweep, stage, runs);
    const [early, late] = pauses;
    const taskOf = (ids: readonly number[], pauseOf: (id: number) => number | null, before: readonly SlotEvent[]) =>
      sweep.task(stage, {
        featureSets,
        runs: ids.map((id) =>
          taskRun(IDS[id] ?? '', runs[id] ?? {}, {
            sourceCheckpoint: sources[id] ?? null,
            resumeCheckpoint: before.length === 0 ? null : lastCheckpoint(before, IDS[id] ?? '', 'LAST', stage),
            milestoneEpochs: pauses,
            pauseEpoch: pauseOf(id),
          }),
        ),
      });

    const unpaused = newWorker();
    const expected = await unpaused.complete(
      taskOf([0, 1, 2], () => null, []),
      'TRAIN',
    );
    const events: SlotEvent[] = [];
    const segment = async (ids: readonly number[], pauseEpochs: readonly (number | null)[]): Promise<Outcomes> => {
      const worker = newWorker();
      const { outcomes } = await worker.complete(
        taskOf(ids, (id) => pauseEpochs[id] ?? null, events),
        'TRAIN',
      );
      events.push(...worker.events);
      return byRun(outcomes);
    };
    const first = await segment([0, 1, 2], [early, late, early]);
    expect(kindsOf(first)).toEqual(['PAUSED', 'PAUSED', 'PAUSED']);
    expect([...first.values()].map(({ epochCount }) => epochCount)).toEqual([early, late, early]);
    // The others train alone up to the epoch of the second run.
    const second = await segment([0, 1, 2], [late, null, null]);
    expect(kindsOf(second)).toEqual(['PAUSED', 'SUCCEEDED', 'EARLY_STOPPED']);
    // A run that is already at its pause leaves at once, with nothing new.
    const again = await segment([0], [late]);
    expect(again).toEqual(new Map([['r0', { ...second.get('r0'), peakMemoryBytes: 0 }]]));
    const third = await segment([0], []);

    const outcomes = new Map([...second, ...third]);
    expect(outcomes).toEqual(byRun(expected.outcomes));
    expect(outcomes.get('r2')?.earlyStop).toMatchObject({ patience: 3, minDelta: 0.05 });
    for (const id of IDS) {
      expect(curve(events, id, stage)).toEqual(curve(unpaused.events, id, stage));
      const wanted = rungsOf(unpaused.events, id);
      expect(rungsOf(events, id).map(bytesOf)).toEqual(wanted.map(bytesOf));
      for (const report of wanted) expectAgrees(report, unpaused.events);
      for (const kind of ['LAST', 'BEST'] as const) {
        expect(await contentOf(root, lastCheckpoint(events, id, kind, stage))).toEqual(
          await contentOf(root, lastCheckpoint(unpaused.events, id, kind, stage)),
        );
      }
    }
    expect(rungsOf(unpaused.events, 'r0').map(({ epochCount, isEnd }) => [epochCount, isEnd])).toEqual([
      [early, false],
      [late, false],
      [Number(runs[0][stage === 'HEAD' ? 'epochs' : 'fine_tune.epochs']), true],
    ]);
  });

  it('report the same evidence of the best epoch after a kill behind it', async () => {
    // A rate at which the loss soon rises again.
    const parameters: Parameters = { ...HEAD, epochs: 12, 'optimizer.learning_rate': 0.3, 'head.l2': 0.001 };
    const { featureSets } = await prepare(newWorker(), sweep, 'HEAD', [parameters]);
    const taskOf = (resumeCheckpoint: CheckpointRef | null): LeasedTask =>
      sweep.task('HEAD', { featureSets, runs: [taskRun('k', parameters, { resumeCheckpoint })] });
    const undisturbed = newWorker();
    await undisturbed.complete(taskOf(null), 'TRAIN');
    const [wanted] = rungsOf(undisturbed.events, 'k');
    if (wanted === undefined) throw new Error('no report of the end');
    expect(wanted).toMatchObject({ isEnd: true, epochCount: 12 });
    expect(wanted.epoch).toBeLessThan(10);
    expectAgrees(wanted, undisturbed.events);

    await using killed = new WorkerProcess({
      artifactsDir: join(root, 'artifacts'),
      cacheDir: join(root, 'cache'),
      checkpointSeconds: 1000,
    });
    await killed.ready();
    const task = taskOf(null);
    const saved = killed.next((event) => {
      if (event.type === 'epoch') killed.send({ type: 'control', taskId: task.taskId, action: 'checkpoint' });
      return event.type === 'checkpoint' && event.checkpoint.kind === 'LAST' && event.checkpoint.epoch > wanted.epoch;
    });
    killed.send({ type: 'start', task });
    await saved;
    await killed.kill('SIGKILL');
    expect(rungsOf(killed.events, 'k')).toEqual([]);

    const resumed = newWorker();
    await resumed.complete(taskOf(lastCheckpoint(killed.events, 'k', 'LAST', 'HEAD')), 'TRAIN');
    expect(curve(resumed.events, 'k', 'HEAD').map(({ epoch }) => epoch)).not.toContain(wanted.epoch);
    expect(rungsOf(resumed.events, 'k').map(bytesOf)).toEqual([bytesOf(wanted)]);
  });
});

/** Sets whether the device counts as a GPU, on which heads are trained with TensorFlow's ops. */
function setUsingGpu(isUsingGpuDevice: boolean): void {
  Object.assign(nodeBackend(), { isUsingGpuDevice });
}

/** Prepares features and, for fine-tuning, a trained head of each run. */
async function prepare(
  worker: InProcessWorker,
  sweep: SweepOnWorker,
  stage: Method['stage'],
  runs: readonly Parameters[],
): Promise<{ sources: readonly CheckpointRef[]; featureSets: readonly FeatureSetRef[] }> {
  const wanted = (phase: Method['stage']): FeatureSetRef[] => {
    const sets = runs.flatMap((parameters) => sweep.featureSets(parameters, phase));
    return [...new Map(sets.map((set) => [set.key, set])).values()];
  };
  const heads = await sweep.computeFeatures(worker, wanted('HEAD'));
  if (stage === 'HEAD') return { sources: [], featureSets: heads };
  const members = runs.map((parameters, index) => taskRun(IDS[index] ?? '', parameters));
  await worker.complete(sweep.task('HEAD', { runs: members, featureSets: heads }), 'TRAIN');
  const sources = members.map(({ runId }) => lastCheckpoint(worker.events, runId, 'BEST', 'HEAD'));
  return { sources, featureSets: await sweep.computeFeatures(worker, wanted('FINE_TUNE')) };
}

function rungsOf(events: readonly SlotEvent[], runId: string): readonly RungReport[] {
  return events.flatMap((event) => (event.type === 'rung' && event.report.runId === runId ? [event.report] : []));
}

function bytesOf(report: RungReport): string {
  return Buffer.from(ProtoRungReport.encode(rungReportToProto(report)).finish()).toString('hex');
}

/** Checks a report against the metrics of its epoch, and its place among the events. */
function expectAgrees(report: RungReport, events: readonly SlotEvent[]): void {
  const { runId, stage, epoch, correct, losses } = report;
  const values = curve(events, runId, stage).find((entry) => entry.epoch === epoch)?.values ?? {};
  const bits = Array.from({ length: VALIDATION_IMAGES }, (_, image) => ((correct[image >> 3] ?? 0) >> (image & 7)) & 1);
  const mean = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / VALIDATION_IMAGES;
  expect(correct).toHaveLength(Math.ceil(VALIDATION_IMAGES / 8));
  expect(mean(bits)).toBeCloseTo(values['val_accuracy'] ?? Number.NaN, 6);
  expect(losses).toHaveLength(VALIDATION_IMAGES);
  expect(mean([...(losses ?? [])])).toBeCloseTo(values['val_loss'] ?? Number.NaN, 5);
  const places = events.flatMap((event, place) => {
    if (event.type === 'epoch') return event.runId === runId && event.epoch === report.epochCount ? [place] : [];
    return event.type === 'rung' && event.report === report ? [place] : [];
  });
  expect(places).toHaveLength(2);
  const nextCheckpoint = events.findIndex((event, place) => event.type === 'checkpoint' && place > (places[0] ?? 0));
  expect(nextCheckpoint === -1 || nextCheckpoint > (places[1] ?? 0)).toBe(true);
}

/** Everything in a checkpoint except which file has the best epoch: its name tells the attempt. */
async function contentOf(root: string, { uri, epoch, value }: CheckpointRef): Promise<unknown> {
  const { state, trained, optimizerSlots, bestResults } = await readTrainingCheckpoint(join(root, 'artifacts', uri));
  const best = state.best === null ? null : { epoch: state.best.epoch, value: state.best.value };
  return { epoch, value, state: { ...state, best }, trained, optimizerSlots, bestResults };
}

type Outcomes = ReadonlyMap<string, RunOutcome>;

/** Sorts outcomes by run, without what is measured. */
function byRun(outcomes: readonly RunOutcome[]): Outcomes {
  const sorted = outcomes.toSorted((a, b) => a.runId.localeCompare(b.runId));
  return new Map(sorted.map((outcome) => [outcome.runId, { ...outcome, peakMemoryBytes: 0 }]));
}

function kindsOf(outcomes: Outcomes): readonly RunOutcome['kind'][] {
  return [...outcomes.values()].map(({ kind }) => kind);
}
