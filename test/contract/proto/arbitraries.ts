import fc from 'fast-check';
import type { Dataset, DatasetProblem } from '../../../services/core/dataset.ts';
import { CLASS_METRICS, OBJECTIVE_METRICS } from '../../../services/core/objective.ts';
import type { Objective } from '../../../services/core/objective.ts';
import { STRATEGIES } from '../../../services/core/samplers/samplers.ts';
import { STOPPING_RULES } from '../../../services/core/sweep/search-spec.ts';
import { CONSTRAINT_NAMES } from '../../../services/core/sweep/constraint.ts';
import type { BudgetSpec, SearchSpec, StoppingSpec } from '../../../services/core/sweep/search-spec.ts';
import type { DatasetSource, ParameterValue, Parameters, SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import type {
  CheckpointRef,
  FeatureSetRef,
  LeasedTask,
  EarlyStop,
  RunOutcome,
  Stage,
  TaskError,
  TaskResult,
  TaskRun,
  TestMeasurement,
  MissingWeights,
  WeightsInfo,
} from '../../../services/core/task.ts';
import { RUN_OUTCOMES } from '../../../services/core/task.ts';

/** Well-formed strings, as protobuf requires UTF-8. */
export const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const someText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
const anyDouble = fc.double();
/** Fields without presence omit zeros of both signs. */
export const plainDouble = fc.double().map((value) => (value === 0 ? 0 : value));
const safe = fc.maxSafeInteger();
export const natural = fc.maxSafeNat();
export const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const positive = fc.integer({ min: 1, max: 2 ** 31 - 1 });
export const few = { maxLength: 4 };

const parameterValue: fc.Arbitrary<ParameterValue> = fc.oneof(text, fc.boolean(), anyDouble, safe);
export const parameters: fc.Arbitrary<Parameters> = fc
  .uniqueArray(fc.tuple(fc.oneof(text, fc.constant('__proto__')), parameterValue), {
    maxLength: 6,
    selector: ([name]) => name,
  })
  .map((entries) => Object.fromEntries(entries));

const nonZero = fc.double({ noNaN: true }).filter((value) => value !== 0);
const domain = fc.oneof(
  fc.record({ kind: fc.constant('values' as const), values: fc.array(parameterValue, few) }),
  fc.record({
    kind: fc.constant('range' as const),
    min: plainDouble,
    max: plainDouble,
    scale: fc.constantFrom('linear' as const, 'log' as const),
    gridPoints: fc.option(positive),
    step: fc.option(nonZero),
  }),
);

const objective: fc.Arbitrary<Objective> = fc.record({
  metric: fc.constantFrom(...OBJECTIVE_METRICS),
  goal: fc.constantFrom('minimize' as const, 'maximize' as const),
});

const datasetSource: fc.Arbitrary<DatasetSource> = fc.record(
  {
    path: text,
    splitFractions: fc.option(
      fc.record({ train: plainDouble, validation: plainDouble, test: plainDouble, seed: safe }),
    ),
    allowDuplicates: fc.boolean(),
    skipBadFiles: fc.boolean(),
    // false is encoded by absence.
    strict: fc.constant(true as const),
  },
  { requiredKeys: ['path', 'splitFractions', 'allowDuplicates', 'skipBadFiles'] },
);

const bareSpec: fc.Arbitrary<SweepSpec> = fc.record({
  displayName: text,
  dataset: datasetSource,
  base: parameters,
  parameters: fc.array(
    fc.record({
      name: text,
      domain,
      conditions: fc.array(fc.record({ name: text, values: fc.array(parameterValue, few) }), few),
    }),
    few,
  ),
  strategy: fc.constantFrom(...STRATEGIES),
  variants: fc.array(parameters, few),
  maxRuns: fc.option(positive),
  seed: safe,
  objective,
  testPolicy: fc.constantFrom('winner' as const, 'every_run' as const),
});

const epochList = fc.array(positive, few);
const stopping: fc.Arbitrary<StoppingSpec> = fc.record({
  rule: fc.option(fc.constantFrom(...STOPPING_RULES)),
  reductionFactor: positive,
  rungs: fc.option(fc.record({ head: epochList, fineTune: epochList })),
  minEntries: fc.option(positive),
  percentile: anyDouble,
  confidence: anyDouble,
  threshold: fc.option(fc.record({ worseThan: plainDouble, fromEpoch: positive })),
  patience: fc.option(fc.record({ epochs: int32, minDelta: plainDouble })),
  keepPaused: int32,
  synchronous: fc.boolean(),
  promoteIdle: fc.boolean(),
});

export const budget: fc.Arbitrary<BudgetSpec> = fc
  .tuple(
    fc.record({
      slotSeconds: fc.option(anyDouble),
      wallSeconds: fc.option(anyDouble),
      target: fc.option(fc.record({ value: plainDouble, confidence: anyDouble })),
    }),
    // Its default is encoded by absence.
    fc.record({ patienceRounds: positive }, { requiredKeys: [] }),
  )
  .map(([bounds, patience]) => ({ ...bounds, ...patience }));

const search: fc.Arbitrary<SearchSpec> = fc.record({
  startupRuns: positive,
  roundRuns: fc.option(positive),
  explore: fc.option(anyDouble),
  pack: fc.boolean(),
});

/** Fields that a spec may lack, as specs before these fields do. */
const laterFields = fc.record(
  {
    mlflow: fc.record({ experiment: text, registerModel: text }),
    stopping,
    budget,
    maxParallelSlots: positive,
    // Defaults are encoded by absence.
    priority: int32.filter((value) => value !== 0),
    reuse: fc.constant(false as const),
    constraints: fc.array(fc.record({ name: fc.constantFrom(...CONSTRAINT_NAMES), atMost: plainDouble }), {
      ...few,
      minLength: 1,
    }),
    finalists: fc.record({ runs: int32, seeds: int32 }),
    winnerRule: fc.constant('one_standard_error' as const),
    search,
  },
  { requiredKeys: [] },
);

export const sweepSpec: fc.Arbitrary<SweepSpec> = fc
  .tuple(bareSpec, laterFields)
  .map(([spec, later]) => ({ ...spec, ...later }));

const stage = fc.constantFrom<Stage>('INDEX', 'FEATURES', 'HEAD', 'FINE_TUNE', 'EVALUATE');
const split = fc.constantFrom('train' as const, 'validation' as const, 'test' as const);
export const role = fc.constantFrom('WINNER' as const, 'BASELINE' as const, 'EVERY_RUN' as const);

export const checkpoint: fc.Arbitrary<CheckpointRef> = fc.record({
  checkpointId: text,
  runId: text,
  stage,
  epoch: int32,
  kind: fc.constantFrom('BEST' as const, 'LAST' as const),
  uri: text,
  sha256: text,
  sizeBytes: natural,
  value: fc.option(anyDouble),
});

const problem: fc.Arbitrary<DatasetProblem> = fc.record({
  code: fc.constantFrom(
    'CORRUPT_IMAGE' as const,
    'EMPTY_CLASS' as const,
    'MISSING_SPLIT' as const,
    'CLASS_MISSING' as const,
    'EXACT_DUPLICATE' as const,
    'NEAR_DUPLICATE' as const,
    'UNSUPPORTED_FORMAT' as const,
    'TOO_FEW_IMAGES' as const,
    'UNREADABLE' as const,
  ),
  path: text,
  message: text,
  fatal: fc.boolean(),
});

export const dataset: fc.Arbitrary<Dataset> = fc.record({
  datasetId: text,
  path: text,
  digest: text,
  classNames: fc.array(text, few),
  classCounts: fc.array(fc.record({ split, className: text, imageCount: int32 }), few),
  problems: fc.array(problem, few),
});

const featureSet: fc.Arbitrary<FeatureSetRef> = fc.record({
  key: text,
  datasetDigest: text,
  split,
  backbone: text,
  weightsDigest: text,
  cut: fc.option(someText),
  imageSize: int32,
  pooling: fc.constantFrom('avg' as const, 'max' as const, 'none' as const),
  dtype: fc.constantFrom('float32' as const, 'float16' as const),
  uri: fc.option(someText),
  shape: fc.array(int32, few),
  rowCount: int32,
  sha256: fc.option(someText),
  sizeBytes: natural,
});

const taskRun: fc.Arbitrary<TaskRun> = fc.record({
  runId: text,
  parameters,
  resumeCheckpoint: fc.option(checkpoint),
  sourceCheckpoint: fc.option(checkpoint),
  sourceValue: fc.option(anyDouble),
  role: fc.option(role),
  stopped: fc.boolean(),
  milestoneEpochs: fc.array(int32, few),
  pauseEpoch: fc.option(fc.integer({ min: 1, max: 2 ** 31 - 1 })),
});

export const leasedTask: fc.Arbitrary<LeasedTask> = fc.record({
  microBatchDivisor: fc.constantFrom(1, 2, 4, 8),
  traceparent: fc.constantFrom(null, `00-${'a1'.repeat(16)}-${'b2'.repeat(8)}-01`),
  taskId: text,
  sweepId: text,
  stage,
  leaseEpoch: int32,
  runs: fc.array(taskRun, few),
  datasetSource,
  dataset: fc.option(dataset),
  manifestUri: fc.option(someText),
  featureSets: fc.array(featureSet, few),
  weightsReferences: fc.array(fc.record({ backbone: text, weights: text }), few),
  objective,
  classMetrics: fc.subarray([...CLASS_METRICS]),
});

export const taskError: fc.Arbitrary<TaskError> = fc.record({
  errorClass: fc.constantFrom(
    'INFRASTRUCTURE' as const,
    'MEMORY' as const,
    'PERMANENT' as const,
    'NUMERIC' as const,
    'COUNTED' as const,
  ),
  code: text,
  message: text,
  datasetProblems: fc.array(problem, few),
  missingFeatureKeys: fc.array(text, { ...few, minLength: 1 }),
  manifestDamaged: fc.constant(true),
  damagedCheckpointIds: fc.array(text, { ...few, minLength: 1 }),
});

const earlyStop: fc.Arbitrary<EarlyStop> = fc.record({
  patience: int32,
  minDelta: plainDouble,
  bestEpoch: int32,
  bestValue: plainDouble,
});

const outcome: fc.Arbitrary<RunOutcome> = fc.record({
  runId: text,
  kind: fc.constantFrom(...RUN_OUTCOMES),
  error: fc.option(taskError),
  epochCount: int32,
  peakMemoryBytes: natural,
  earlyStop,
});

const weights: fc.Arbitrary<WeightsInfo> = fc.record({
  backbone: text,
  weights: text,
  digest: text,
});

const missingWeights: fc.Arbitrary<MissingWeights> = fc.record({
  backbone: text,
  weights: text,
  reason: text,
  elsewhere: fc.boolean(),
  temporary: fc.boolean(),
});

const measurement: fc.Arbitrary<TestMeasurement> = fc.record({
  runId: text,
  checkpointId: text,
  role,
  loss: plainDouble,
  predictions: fc.array(
    fc.record({ path: text, label: int32, predictedLabel: int32, probabilities: fc.array(anyDouble, few) }),
    few,
  ),
});

export const taskResult: fc.Arbitrary<TaskResult> = fc.oneof(
  fc.record({
    stage: fc.constant('INDEX' as const),
    dataset,
    manifestUri: text,
    weights: fc.array(weights, few),
    missingWeights: fc.array(missingWeights, few),
  }),
  fc.record({ stage: fc.constant('FEATURES' as const), featureSets: fc.array(featureSet, few), seconds: plainDouble }),
  fc.record({ stage: fc.constant('TRAIN' as const), outcomes: fc.array(outcome, few) }),
  fc.record({ stage: fc.constant('EVALUATE' as const), measurements: fc.array(measurement, few) }),
);
