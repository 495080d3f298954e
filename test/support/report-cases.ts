import { demoSpec, PHOTO_SCALE } from '../../services/cli/demo/demo-sweep.ts';
import type { ReportData } from '../../services/cli/report/report-data.ts';
import { parseSweepFile } from '../../services/cli/sweep-file/parse-sweep-file.ts';
import type { RunRecord } from '../../services/core/records/run.ts';
import type { SweepSpec } from '../../services/core/sweep/sweep-spec.ts';
import { buildReport } from './build-report.ts';

/** Reports of sweeps whose numbers follow closed formulas, one for each kind of sweep that the report must render well. */
export const REPORT_CASES: Readonly<Record<string, () => ReportData>> = {
  one: () => buildReport({ spec: specOf('base: { epochs: 12 }\nvariants: [{}]') }),
  six: () => buildReport({ spec: specOf(GRID_OF_SIX) }),
  demo: () => buildReport({ spec: demoSpec('/data/photos', PHOTO_SCALE) }),
  search: () => buildReport({ spec: specOf(searchOf(200)) }),
  thousand: () => buildReport({ spec: specOf(searchOf(1_000)) }),
  classes: () => buildReport({ spec: specOf(GRID_OF_SIX), classNames: breeds(40) }),
  diverged: () =>
    buildReport({
      spec: specOf(GRID_TO_DIVERGENCE),
      lossOf: (run, epoch, loss) => divergedLoss(rateOf(run), epoch, loss),
      change: (run, index) =>
        rateOf(run) === 1 && index < 8
          ? { state: 'FAILED', stateReason: `The loss is NaN in epoch ${3 + index} of HEAD.`, stage: 'HEAD' }
          : {},
    }),
  fineTuneFailed: () =>
    buildReport({
      spec: demoSpec('/data/photos', PHOTO_SCALE),
      change: (run, index) =>
        index === 12
          ? {
              state: 'FAILED',
              stage: 'FINE_TUNE',
              bestStage: 'HEAD',
              bestEpoch: 5,
              bestValue: 0.021,
              bestValLoss: 0.021,
              stateReason:
                'Out of memory at 8 micro-batches per batch of 32.\nUse a smaller batch_size or unfreeze fewer layers.',
            }
          : {},
    }),
  tie: () =>
    buildReport({
      spec: specOf(GRID_OF_SIX),
      change: (_, index) => (index < 3 ? { bestValue: 0.05, bestValLoss: 0.05, bestValAccuracy: 0.98 } : {}),
    }),
  failed: () =>
    buildReport({
      spec: specOf(GRID_OF_SIX),
      state: 'FAILED',
      stateReason: 'no run succeeded\nweights of vgg16 are missing: /weights/vgg16.h5 (6 runs)',
      change: (_, index) => ({
        ...UNTRAINED,
        state: 'FAILED',
        stateReason: `weights of vgg16 are missing: /weights/vgg16-${index}.h5`,
      }),
      isTested: false,
    }),
  cancelled: () =>
    buildReport({
      spec: specOf(GRID_OF_SIX),
      state: 'CANCELLED',
      stateReason: 'the wrong folder',
      change: (_, index) => (index < 3 ? {} : { ...UNTRAINED, state: 'CANCELLED', stateReason: 'the wrong folder' }),
      isTested: false,
    }),
  /** Cancelled between the tests of two backbones: that of the best run, which is the baseline, had ended. */
  cancelledInTest: () =>
    buildReport({
      spec: specOf(GRID_OF_SIX),
      state: 'CANCELLED',
      change: (_, index) => (index === 0 ? { bestValue: 0.001, bestValLoss: 0.001 } : {}),
    }),
  /** Values that are longer than the places where charts and tables have them, and numbers that are nearly equal. */
  longValues: () => buildReport({ spec: specOf(LONG_VALUES), classNames: LONG_CLASSES }),
  running: () =>
    buildReport({
      spec: demoSpec('/data/photos', PHOTO_SCALE),
      state: 'ACTIVE',
      change: (_, index) =>
        index < 5
          ? {}
          : index < 8
            ? { state: 'RUNNING', epochCount: 2, epochLimit: 5, stage: 'HEAD', endTime: null }
            : { ...UNTRAINED, state: 'QUEUED', startTime: null, endTime: null },
      isTested: false,
    }),
  evil: () => evilReport(3),
  evilClasses: () => evilReport(14),
};

const EVIL = '<img src=x onerror=alert(1)>';
/** An escape sequence that clears a terminal, and a control that reverses the text after it. */
const CONTROLS = '\u001b[2J \u202edrow';

/** Returns a report with markup and controls wherever a name or a message from outside is shown. */
function evilReport(classCount: number): ReportData {
  const names = [EVIL, `a-very-long-class-name-${'x'.repeat(80)}`, '"quoted"', `cat ${CONTROLS}`];
  const data = buildReport({
    spec: { ...specOf(GRID_OF_SIX), displayName: `${EVIL} & "quotes"` },
    classNames: Array.from({ length: classCount }, (_, index) => names[index] ?? `${'🐈'.repeat(20)} ${index}`),
    change: ({ parameters, variedNames }, index) => ({
      parameters: { ...parameters, weights: index % 2 === 0 ? `/weights/${EVIL}.h5` : `/weights/${CONTROLS}.h5` },
      variedNames: [...variedNames, 'weights'],
      tags: [EVIL, CONTROLS],
      notes: `${EVIL}\n${CONTROLS}`,
      ...(index === 5 ? { state: 'FAILED', stateReason: '<script>alert(3)</script>' } : {}),
    }),
  });
  return {
    ...data,
    sweep: { ...data.sweep, tags: [EVIL, CONTROLS], notes: `${EVIL}\n${CONTROLS}` },
    trainers: data.trainers.map((trainer) => ({ ...trainer, trainerId: EVIL, version: CONTROLS })),
    tasks: data.tasks.map((task) => ({
      ...task,
      attempts: task.attempts.map((attempt) => ({ ...attempt, trainerId: EVIL, message: `${EVIL} ${CONTROLS}` })),
    })),
  };
}

const UNTRAINED: Partial<RunRecord> = {
  bestValue: null,
  bestStage: null,
  bestEpoch: 0,
  bestValLoss: null,
  bestValAccuracy: null,
  lastValue: null,
  epochCount: 0,
  stage: 'HEAD',
};

const GRID_OF_SIX = `
display_name: heads on frozen features
base: { backbone: efficientnet_lite0, epochs: 12 }
parameters:
  head.units: [64, 256]
  optimizer.learning_rate: [1e-4, 1e-3, 1e-2]
seed: 1`;

const LONG_CLASSES = ['Abyssinian shorthair', 'Bengal', 'German shorthaired pointer', 'Wheaten terrier'];

const LONG_VALUES = `
display_name: long values
base: { backbone: efficientnet_lite0, epochs: 8 }
parameters:
  class_weights:
    - none
    - { Abyssinian shorthair: 1, Bengal: 2.5, German shorthaired pointer: 1.25, Wheaten terrier: 4, Yorkshire terrier: 0.5 }
    - { Abyssinian shorthair: 2, Bengal: 2.5, German shorthaired pointer: 1.25, Wheaten terrier: 4, Yorkshire terrier: 0.5 }
  weights:
    - /mnt/shared/models/self-supervised/2026-11/efficientnet-lite0/epoch-100/weights.h5
    - /mnt/shared/models/self-supervised/2026-11/efficientnet-lite0/epoch-200/weights.h5
    - imagenet
  optimizer.learning_rate: [1.23401e-4, 1.23404e-4]
seed: 3`;

const GRID_TO_DIVERGENCE = `
display_name: up to divergence
base: { epochs: 15 }
parameters:
  head.units: [0, 64, 256]
  optimizer.learning_rate: [1e-4, 1e-3, 1e-2, 1]
seed: 2`;

function searchOf(runCount: number): string {
  return `
display_name: wide search
base: { backbone: mobilenet_v2, image_size: 160, epochs: 20 }
parameters:
  method: [cached, augmented]
  augmentation.rotation: { min: 0, max: 0.25, when: { method: augmented } }
  head.units: { min: 32, max: 512, step: 32 }
  head.dropout: { min: 0, max: 0.6 }
  optimizer.name: [rmsprop, adam, sgd]
  optimizer.learning_rate: { min: 1e-5, max: 1e-1, scale: log }
  fine_tune.enabled: [false, true]
  fine_tune.learning_rate: { min: 1e-6, max: 1e-3, scale: log, when: { fine_tune.enabled: true } }
strategy: sobol
max_runs: ${runCount}
seed: 7
objective: { metric: val_accuracy, goal: maximize }`;
}

function specOf(yaml: string): SweepSpec {
  const { spec, violations } = parseSweepFile(`dataset: { path: /data/pets }\n${yaml}`, { folder: '/', home: '/' });
  if (violations.length > 0) throw new Error(JSON.stringify(violations));
  return spec;
}

function breeds(count: number): readonly string[] {
  const [coats, kinds] = [
    ['Abyssinian', 'Bengal', 'German shorthaired', 'Scottish', 'Japanese', 'English', 'Wheaten', 'Yorkshire'],
    ['cat', 'terrier', 'pointer', 'setter', 'spaniel'],
  ];
  return Array.from(
    { length: count },
    (_, index) => `${coats[index % coats.length] ?? ''} ${kinds[Math.floor(index / coats.length)] ?? ''}`,
  );
}

function rateOf({ parameters }: RunRecord): number {
  return Number(parameters['optimizer.learning_rate']);
}

function divergedLoss(rate: number, epoch: number, loss: number): number {
  if (rate < 1 || epoch < 2) return loss * (rate === 1 ? 8 : 1);
  return epoch > 9 ? Number.NaN : loss * 10 ** epoch;
}
