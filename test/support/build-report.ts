import type { ReportData } from '../../services/cli/report/report-data.ts';
import { mostWrong } from '../../services/cli/report/report-data.ts';
import { SPLITS } from '../../services/core/dataset.ts';
import type { Dataset } from '../../services/core/dataset.ts';
import { NO_CORRECTIONS } from '../../services/core/planner/cost/corrections.ts';
import type { Cluster } from '../../services/core/planner/plan.ts';
import { previewSweep } from '../../services/core/planner/preview-sweep.ts';
import { canBeBest, compareRuns } from '../../services/core/ranking.ts';
import type { EpochMetricRecord } from '../../services/core/records/epoch-metric.ts';
import type { LeaderboardRecord } from '../../services/core/records/leaderboard.ts';
import type { RunRecord } from '../../services/core/records/run.ts';
import type { SweepRecord } from '../../services/core/records/sweep.ts';
import type { WinnerStatement } from '../../services/core/records/winner-statement.ts';
import type { TestResultRecord } from '../../services/core/records/test-result.ts';
import { createStream } from '../../services/core/rng/stream.ts';
import { sampleRuns, variedNames } from '../../services/core/samplers/sample-runs.ts';
import { isTerminalRunState } from '../../services/core/states/run-state.ts';
import type { SweepState } from '../../services/core/states/sweep-state.ts';
import { testStatistics } from '../../services/core/statistics/test-statistics.ts';
import type { SweepSpec } from '../../services/core/sweep/sweep-spec.ts';
import type { Stage, TestPrediction } from '../../services/core/task.ts';

/** Changes of one run of a case, applied after its curves are drawn. */
type Change = (run: RunRecord, index: number) => Partial<RunRecord>;

export interface CaseOptions {
  readonly spec: SweepSpec;
  readonly classNames?: readonly string[];
  readonly state?: SweepState;
  readonly stateReason?: string;
  readonly change?: Change;
  /** Replaces a loss; NaN and infinities are allowed. */
  readonly lossOf?: (run: RunRecord, epoch: number, loss: number) => number;
  readonly isTested?: boolean;
  /** Comparison of the best run with the baseline. */
  readonly winner?: WinnerStatement;
}

const START = Date.UTC(2026, 10, 30, 9, 15);
const SWEEP_ID = 'sweep-case';
const CLASSES = ['cat', 'dog'];
const CLUSTER: Cluster = {
  slotCount: 2,
  device: { kind: 'gpu', threadCount: 8 },
  memoryBytes: 0,
  corrections: NO_CORRECTIONS,
};

/** Builds the report of a sweep whose curves follow a closed formula of the runs' parameters, with noise that is the same each time. */
export function buildReport(options: CaseOptions): ReportData {
  const { spec, classNames = CLASSES, state = 'SUCCEEDED', stateReason = '', isTested = true } = options;
  const { runs: sampled } = sampleRuns(spec);
  const varied = variedNames(sampled);
  const drafts = sampled.map(({ index, parameters }) => draftOf(index, parameters, varied));
  const curves = drafts.map((run) => curveOf(run, options));
  const runs = drafts.map((run, index) => {
    const measured = { ...run, ...bestOf(curves[index] ?? [], spec.objective.metric) };
    return { ...measured, ...options.change?.(measured, index) };
  });
  const ranked = [...runs].sort((a, b) => compareRuns(spec.objective, a, b));
  const winner = isTested ? ranked.find(canBeBest) : undefined;
  const predictions = new Map(
    runs
      .filter((run) => winner !== undefined && (run === winner || run.runIndex === 0) && canBeBest(run))
      .map((run) => [run.runId, predictionsOf(run, classNames)]),
  );
  const wrong = mostWrong(winner === undefined ? [] : (predictions.get(winner.runId) ?? []));
  const dataset = state === 'FAILED' ? null : datasetOf(classNames);
  return {
    sweep: sweepOf(options, runs, ranked, state, stateReason),
    runs,
    repeats: [],
    leaderboard: {
      entries: ranked.map((run, index): LeaderboardRecord => ({
        rank: index + 1,
        run,
        testResult: testOf(run, predictions.get(run.runId), classNames, run === winner),
      })),
      testLookCount: predictions.size,
      winnerStatement: options.winner ?? null,
      winner: null,
    },
    metrics: curves.flatMap((points, index) => {
      const { epochCount, bestValue, stage } = runs[index]!;
      if (bestValue === null && stage === 'HEAD' && epochCount === 0) return [];
      return runs[index]!.state === 'RUNNING' ? points.filter(({ epoch }) => epoch <= epochCount) : points;
    }),
    dataset,
    plan: previewSweep(spec, CLUSTER, null),
    tasks: tasksOf(runs),
    search: null,
    front: [],
    predictions,
    wrongImages: wrong.slice(0, 24).map(({ path, label, predictedLabel, probabilities }) => ({
      path,
      label,
      predictedLabel,
      confidence: probabilities[predictedLabel] ?? 0,
      thumbnail: null,
    })),
    wrongCount: wrong.length,
    trainers: [
      {
        trainerId: 'gpu-a-1',
        hostname: 'gpu-a',
        version: '0.1.0',
        engineVersion: '2.21.0',
        state: 'READY',
        slots: [0, 1].map((slotIndex) => ({
          slotIndex,
          deviceKind: 'gpu',
          deviceName: 'NVIDIA H200',
          memoryBytes: 139e9,
          threadCount: 8,
          taskId: null,
          stage: null,
          benchReason: null,
        })),
        heartbeatTime: new Date(START),
        refusalCount: 0,
        drainReason: null,
      },
    ],
    bestCheckpointId: winner === undefined ? null : `${winner.runId}-best`,
    versions: { graft: '0.1.0', node: '20.19.0' },
    createTime: new Date(START + 3_600_000),
  };
}

function draftOf(runIndex: number, parameters: RunRecord['parameters'], varied: readonly string[]): RunRecord {
  const epochs = Number(parameters['epochs']);
  return {
    runId: `${SWEEP_ID}-r${String(runIndex).padStart(4, '0')}`,
    sweepId: SWEEP_ID,
    runIndex,
    parameters,
    variedNames: varied,
    state: 'SUCCEEDED',
    stateReason: '',
    stage: parameters['fine_tune.enabled'] === true ? 'FINE_TUNE' : 'HEAD',
    epochCount: epochs,
    epochLimit: epochs,
    bestValue: null,
    bestStage: null,
    bestEpoch: 0,
    bestValLoss: null,
    bestValAccuracy: null,
    lastValue: null,
    attemptCount: 1,
    peakMemoryBytes: null,
    headRunId: null,
    rung: null,
    pausedRung: null,
    endCause: null,
    reusedRunId: null,
    modelBytes: null,
    parameterCount: null,
    flops: null,
    repeatOfRunId: null,
    score: null,
    scoreStandardError: null,
    measurementCount: 0,
    sampler: '',
    round: null,
    roundPosition: null,
    notes: '',
    tags: [],
    createTime: new Date(START),
    startTime: new Date(START + 60_000),
    endTime: new Date(START + 120_000 + 10_000 * ((runIndex * 7) % 11) + runIndex),
  };
}

/** A curve that falls towards a floor, which depends on the parameters, with noise of the run's own. */
function curveOf(run: RunRecord, { lossOf = (_run, _epoch, loss) => loss }: CaseOptions): readonly EpochMetricRecord[] {
  const { parameters, runId } = run;
  const stream = createStream(run.runIndex, 'report-case', 1);
  const noise = (): number => stream.uint32() / 2 ** 32 - 0.5;
  const distance = Math.log10(Number(parameters['optimizer.learning_rate'])) + 3;
  const units = Number(parameters['head.units']);
  const dropout = Number(parameters['head.dropout']);
  const isTuned = parameters['fine_tune.enabled'] === true;
  const floor = 0.05 + 0.05 * distance ** 2 + (units < 100 ? 0.03 : 0) + 0.2 * (dropout - 0.3) ** 2 + 0.03 * noise();
  const stages: readonly (readonly [Stage, number])[] = [
    ['HEAD', Number(parameters['epochs'])],
    ...(isTuned ? [['FINE_TUNE', Math.min(8, Number(parameters['fine_tune.epochs']))] as const] : []),
  ];
  return stages.flatMap(([stage, epochs]) =>
    Array.from({ length: epochs }, (_, index) => index + 1).flatMap((epoch) => {
      const plain = Math.max(
        0.01,
        floor * (stage === 'FINE_TUNE' ? 0.8 : 1) + (stage === 'HEAD' ? 0.6 / epoch ** 1.2 : 0) + 0.02 * noise(),
      );
      const loss = lossOf(run, epoch, plain);
      const accuracy = Number.isFinite(loss) ? Math.max(0.5, 1 - loss / 2.2) : 0.5;
      const values = {
        loss: loss * 0.85,
        accuracy: Math.min(1, accuracy + 0.01),
        val_loss: loss,
        val_accuracy: Math.round(accuracy * 500) / 500,
        learning_rate: Number(parameters['optimizer.learning_rate']),
      };
      return Object.entries(values).map(([name, value]) => ({ runId, stage, epoch, name, value }));
    }),
  );
}

function bestOf(points: readonly EpochMetricRecord[], metric: string): Partial<RunRecord> {
  const sign = metric === 'val_loss' ? 1 : -1;
  const candidates = points.filter(({ name, value }) => name === metric && Number.isFinite(value));
  const best = candidates.reduce((a, b) => (sign * b.value < sign * a.value ? b : a));
  const at = (name: string): number | null =>
    points.find((point) => point.name === name && point.stage === best.stage && point.epoch === best.epoch)?.value ??
    null;
  return {
    bestValue: best.value,
    bestStage: best.stage,
    bestEpoch: best.epoch,
    bestValLoss: at('val_loss'),
    bestValAccuracy: at('val_accuracy'),
    lastValue: candidates.at(-1)?.value ?? null,
  };
}

/** Images of equal numbers per class; a run is wrong on more of them the higher its loss, and always on the same first ones. */
function predictionsOf(run: RunRecord, classNames: readonly string[]): readonly TestPrediction[] {
  const perClass = classNames.length > 10 ? 20 : 100;
  const errors = Math.min(0.5, (run.bestValLoss ?? 0.5) / 1.5);
  return classNames.flatMap((name, label) =>
    Array.from({ length: perClass }, (_, index) => {
      const draw = ((index * 37 + label * 11) % 100) / 100;
      const isWrong = draw < errors;
      const predictedLabel = isWrong
        ? (label + 1 + ((index * 5) % Math.min(3, classNames.length - 1))) % classNames.length
        : label;
      const confidence = 0.55 + 0.4 * (1 - draw);
      const rest = (1 - confidence) / (classNames.length - 1);
      const probabilities = classNames.map((_, other) => (other === predictedLabel ? confidence : rest));
      return { path: `test/${name}/${String(index).padStart(3, '0')}.jpg`, label, predictedLabel, probabilities };
    }),
  );
}

function testOf(
  { runId, bestValLoss }: RunRecord,
  predictions: readonly TestPrediction[] | undefined,
  classNames: readonly string[],
  isWinner: boolean,
): TestResultRecord | null {
  if (predictions === undefined) return null;
  const { classScores, ...statistics } = testStatistics(predictions, classNames.length);
  return {
    ...statistics,
    runId,
    checkpointId: `${runId}-best`,
    loss: bestValLoss ?? 0,
    role: isWinner ? 'WINNER' : 'BASELINE',
    classResults: classScores.map((scores, index) => ({ className: classNames[index] ?? '', ...scores })),
  };
}

function datasetOf(classNames: readonly string[]): Dataset {
  return {
    datasetId: 'd0123456789abcdef',
    path: '/data/pets',
    digest: '0123456789abcdef'.repeat(4),
    classNames,
    classCounts: SPLITS.flatMap((split) =>
      classNames.map((className, index) => ({ split, className, imageCount: (split === 'train' ? 400 : 100) + index })),
    ),
    problems: [],
  };
}

function sweepOf(
  { spec }: CaseOptions,
  runs: readonly RunRecord[],
  ranked: readonly RunRecord[],
  state: SweepState,
  stateReason: string,
): SweepRecord {
  const counted = (wanted: RunRecord['state']): number => runs.filter((run) => run.state === wanted).length;
  const best = ranked.find(canBeBest) ?? null;
  return {
    sweepId: SWEEP_ID,
    spec,
    displayName: spec.displayName,
    notes: '',
    tags: [],
    state,
    stateReason,
    datasetId: state === 'FAILED' ? null : 'd0123456789abcdef',
    runCount: runs.length,
    finishedRunCount: runs.filter((run) => isTerminalRunState(run.state)).length,
    succeededRunCount: counted('SUCCEEDED'),
    failedRunCount: counted('FAILED'),
    infeasibleRunCount: counted('INFEASIBLE'),
    stoppedRunCount: counted('STOPPED'),
    cancelledRunCount: counted('CANCELLED'),
    reusedRunCount: 0,
    hasBaseline: null,
    roundCount: 0,
    pausedRunCount: 0,
    spentSlotSeconds: 0,
    searchEnd: null,
    bestRunId: best?.runId ?? null,
    winnerRunId: null,
    bestValue: best?.bestValue ?? null,
    createTime: new Date(START),
    startTime: new Date(START + 1_000),
    endTime: state === 'ACTIVE' ? null : new Date(START + 1_260_000),
    budget: null,
    priority: 0,
    maxParallelSlots: null,
  };
}

function tasksOf(runs: readonly RunRecord[]): ReportData['tasks'] {
  const attempt = (index: number, state: string, message = '') => ({
    trainerId: 'gpu-a-1',
    startTime: new Date(START + 1_000 * index),
    endTime: new Date(START + 1_000 * index + 55_000),
    state,
    message,
  });
  const heads = Math.ceil(runs.length / 10);
  return [
    { taskId: `${SWEEP_ID}-t0000`, stage: 'INDEX', attempts: [attempt(0, 'SUCCEEDED')] },
    ...Array.from({ length: heads }, (_, index) => ({
      taskId: `${SWEEP_ID}-t${String(index + 1).padStart(4, '0')}`,
      stage: 'HEAD' as const,
      attempts: [
        ...(index === 1 ? [attempt(20, 'EXPIRED', 'no heartbeat for 30 s')] : []),
        attempt(60 + index, 'SUCCEEDED'),
      ],
    })),
  ];
}
