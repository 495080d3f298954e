import type { EpochMetricRecord } from '../../../services/core/records/epoch-metric.ts';
import type { StoredEvent, SweepEvent } from '../../../services/core/records/event.ts';
import type { LeaderboardRecord } from '../../../services/core/records/leaderboard.ts';
import type { RunRecord } from '../../../services/core/records/run.ts';
import type { SweepRecord } from '../../../services/core/records/sweep.ts';
import type { TestResultRecord } from '../../../services/core/records/test-result.ts';
import type { TestPrediction } from '../../../services/core/task.ts';
import { runFromProto } from '../../../services/platform/rpc/convert/run.ts';
import { Run, RunState } from '../../../proto/gen/graft/v1/run.ts';
import type { ReportData } from '../../../services/cli/report/report-data.ts';

/** A sweep whose numbers follow a closed formula: enough to draw and to count, but not real. */
const SWEEP_ID = 's1';

const START = Date.UTC(2026, 0, 2, 3, 4, 5);

export function sampleSweep(change: Partial<SweepRecord> = {}): SweepRecord {
  return {
    sweepId: SWEEP_ID,
    spec: {
      displayName: 'heads & "tails" <b>',
      dataset: { path: '/data/pets', splitFractions: null, allowDuplicates: false, skipBadFiles: false },
      base: { backbone: 'efficientnet_lite0' },
      parameters: [],
      strategy: 'list',
      variants: [],
      maxRuns: null,
      seed: 1,
      objective: { metric: 'val_loss', goal: 'minimize' },
      testPolicy: 'winner',
    },
    displayName: 'heads & "tails" <b>',
    notes: '',
    tags: [],
    state: 'SUCCEEDED',
    stateReason: '',
    datasetId: 'd0123456789abcdef',
    runCount: 5,
    finishedRunCount: 5,
    succeededRunCount: 5,
    failedRunCount: 0,
    infeasibleRunCount: 0,
    stoppedRunCount: 0,
    cancelledRunCount: 0,
    reusedRunCount: 0,
    hasBaseline: null,
    roundCount: 0,
    pausedRunCount: 0,
    spentSlotSeconds: 0,
    searchEnd: null,
    bestRunId: 's1-r003',
    winnerRunId: null,
    bestValue: 0.05,
    createTime: new Date(START),
    startTime: new Date(START + 1_000),
    endTime: new Date(START + 126_000),
    budget: null,
    priority: 0,
    maxParallelSlots: null,
    ...change,
  };
}

const EXPECTED = { expectedSeconds: 10, expectedMemoryBytes: 600e6, featureBytes: 0 };

/** A run without any result; a new column needs no line here. */
const EMPTY_RUN = runFromProto(Run.fromPartial({ state: RunState.QUEUED, createTime: new Date(START) }));

export function sampleRun(runIndex: number, change: Partial<RunRecord> = {}): RunRecord {
  return {
    ...EMPTY_RUN,
    runId: `s1-r00${runIndex}`,
    sweepId: SWEEP_ID,
    runIndex,
    parameters: {
      backbone: 'efficientnet_lite0',
      'head.units': 2 ** (runIndex + 4),
      'optimizer.learning_rate': runIndex === 4 ? 1e-5 : 1e-3,
      epochs: 6,
      'fine_tune.enabled': runIndex === 3,
      ...(runIndex === 3 ? { 'fine_tune.epochs': 4 } : {}),
    },
    variedNames: ['head.units', 'optimizer.learning_rate', 'fine_tune.enabled'],
    state: 'SUCCEEDED',
    stateReason: '',
    stage: 'EVALUATE',
    epochCount: 6,
    epochLimit: 6,
    bestValue: 0.2 / (runIndex + 1),
    bestStage: runIndex === 3 ? 'FINE_TUNE' : 'HEAD',
    bestEpoch: 3,
    lastValue: 0.2,
    bestValAccuracy: 0.9 + runIndex / 100,
    bestValLoss: 0.2 / (runIndex + 1),
    attemptCount: 2,
    peakMemoryBytes: 1_234_000_000,
    startTime: new Date(START + 2_000),
    endTime: new Date(START + 9_000),
    ...change,
  };
}

export function sampleTestResult(runIndex: number, role: TestResultRecord['role']): TestResultRecord {
  return {
    runId: `s1-r00${runIndex}`,
    checkpointId: `c${runIndex}`,
    accuracy: 0.95,
    accuracyLow: 0.9104,
    accuracyHigh: 0.9726,
    loss: 0.12,
    rocAuc: 0.991,
    macroF1: 0.95,
    balancedAccuracy: 0.95,
    imageCount: 200,
    correctCount: 190,
    confusionMatrix: [97, 3, 7, 93],
    classResults: [
      { className: 'cat', precision: 0.9327, recall: 0.97, f1: 0.951, support: 100 },
      { className: 'dog', precision: 0.9688, recall: 0.93, f1: 0.949, support: 100 },
    ],
    role,
  };
}

export function sampleMetrics(runs: readonly RunRecord[]): readonly EpochMetricRecord[] {
  return runs.flatMap((run) => {
    const stages = run.runIndex === 3 ? (['HEAD', 'FINE_TUNE'] as const) : (['HEAD'] as const);
    return stages.flatMap((stage) =>
      Array.from({ length: stage === 'HEAD' ? 6 : 4 }, (_, index) => index + 1).flatMap((epoch) => {
        const loss = (0.7 + run.runIndex / 10) / (epoch + (stage === 'FINE_TUNE' ? 6 : 0));
        const values = { loss, accuracy: 1 - loss / 2, val_loss: loss * 1.2, val_accuracy: 1 - loss / 1.6 };
        return Object.entries(values).map(([name, value]) => ({ runId: run.runId, stage, epoch, name, value }));
      }),
    );
  });
}

/** Image `index` of class `index % 2`; those in `wrong` are predicted as the other class. */
export function samplePredictions(wrong: readonly number[], count = 40): readonly TestPrediction[] {
  return Array.from({ length: count }, (_, index) => {
    const label = index % 2;
    const isWrong = wrong.includes(index);
    const predictedLabel = isWrong ? 1 - label : label;
    const confidence = isWrong ? 0.6 + index / 200 : 0.9;
    const name = label === 0 ? 'cat' : 'dog';
    const probabilities = predictedLabel === 1 ? [1 - confidence, confidence] : [confidence, 1 - confidence];
    return { path: `test/${name}/${name}.${index}.jpg`, label, predictedLabel, probabilities };
  });
}

export function sampleReport(change: Partial<ReportData> = {}): ReportData {
  const runs = [0, 1, 2, 3, 4].map((index) => sampleRun(index));
  const ranked = [3, 4, 2, 1, 0].map((runIndex, index): LeaderboardRecord => ({
    rank: index + 1,
    run: runs[runIndex]!,
    testResult:
      runIndex === 3 ? sampleTestResult(3, 'WINNER') : runIndex === 0 ? sampleTestResult(0, 'BASELINE') : null,
  }));
  const time = (seconds: number): Date => new Date(START + seconds * 1_000);
  return {
    sweep: sampleSweep(),
    runs,
    repeats: [],
    leaderboard: { entries: ranked, testLookCount: 2, winnerStatement: null, winner: null },
    metrics: sampleMetrics(runs),
    dataset: {
      datasetId: 'd0123456789abcdef',
      path: '/data/pets',
      digest: '0123456789abcdef'.repeat(4),
      classNames: ['cat', 'dog'],
      classCounts: (['train', 'validation', 'test'] as const).flatMap((split) =>
        ['cat', 'dog'].map((className) => ({ split, className, imageCount: split === 'train' ? 200 : 100 })),
      ),
      problems: [],
    },
    plan: {
      runs: [],
      missingRunCount: 0,
      notes: [],
      tasks: [
        { stage: 'INDEX', runIndexes: [], description: 'index /data/pets', dependencies: [], ...EXPECTED },
        {
          stage: 'FEATURES',
          runIndexes: [0, 1, 2, 3, 4],
          description: 'features of 3 splits',
          dependencies: [0],
          ...EXPECTED,
        },
        {
          stage: 'HEAD',
          runIndexes: [0, 1, 2, 3, 4],
          description: '5 heads on shared features',
          dependencies: [1],
          ...EXPECTED,
        },
      ],
      cost: {
        slotSeconds: 30,
        slotSecondsAlone: 300,
        wallSeconds: 30,
        slotCount: 1,
        extractionCount: 1,
        featureBytes: 2_400_000,
        headCount: 5,
        headTaskCount: 1,
        fineTuneCount: 0,
        fineTuneTaskCount: 0,
        memoryBytes: 600e6,
        trainImageCount: 400,
        validationImageCount: 200,
        testImageCount: 200,
        imageCountsAssumed: false,
        imageCountsFromClient: false,
        search: null,
        finalists: null,
      },
      duplicateCount: 0,
      basePassCountAlone: 60,
      basePassCountShared: 3,
    },
    search: null,
    front: [],
    tasks: [
      {
        taskId: 's1-t00',
        stage: 'INDEX',
        attempts: [{ trainerId: 'here-1', startTime: time(1), endTime: time(2), state: 'SUCCEEDED', message: '' }],
      },
      {
        taskId: 's1-t01',
        stage: 'HEAD',
        attempts: [
          { trainerId: 'here-1', startTime: time(3), endTime: time(9), state: 'EXPIRED', message: 'lease expired' },
          { trainerId: 'here-2', startTime: time(10), endTime: time(70), state: 'SUCCEEDED', message: '' },
        ],
      },
    ],
    predictions: new Map([
      ['s1-r003', samplePredictions([4, 9])],
      ['s1-r000', samplePredictions([4, 9, 11, 20, 31])],
    ]),
    wrongImages: [
      { path: 'test/dog/dog.9.jpg', label: 1, predictedLabel: 0, confidence: 0.97, thumbnail: null },
      { path: 'test/cat/cat.4.jpg', label: 0, predictedLabel: 1, confidence: 0.62, thumbnail: null },
    ],
    wrongCount: 2,
    trainers: [],
    bestCheckpointId: 'c3',
    versions: { graft: '0.1.0', node: '20.19.0' },
    createTime: new Date(START + 200_000),
    ...change,
  };
}

/** Returns events with cursors from 1. */
export function sampleEvents(changes: readonly SweepEvent[]): readonly StoredEvent[] {
  return changes.map((event, index) => ({
    cursor: BigInt(index + 1),
    eventTime: new Date(START + index * 1_000),
    event,
  }));
}
