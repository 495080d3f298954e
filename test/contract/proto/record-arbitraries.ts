import fc from 'fast-check';
import type { AttemptRecord } from '../../../services/core/records/attempt.ts';
import type { CheckpointRecord } from '../../../services/core/records/checkpoint.ts';
import type { EpochMetricRecord } from '../../../services/core/records/epoch-metric.ts';
import type { StoredEvent } from '../../../services/core/records/event.ts';
import type { SweepForecastRecord } from '../../../services/core/records/forecast.ts';
import type { LeaderboardRecord } from '../../../services/core/records/leaderboard.ts';
import type { DeadLetterRecord, MlflowStatusRecord } from '../../../services/core/records/mlflow.ts';
import type { RunRecord } from '../../../services/core/records/run.ts';
import type { SweepRecord } from '../../../services/core/records/sweep.ts';
import type { TestResultRecord } from '../../../services/core/records/test-result.ts';
import type { TokenRecord } from '../../../services/core/records/token.ts';
import type { TrainerRecord } from '../../../services/core/records/trainer.ts';
import { runStates } from '../../../services/platform/rpc/convert/run.ts';
import { sweepStates } from '../../../services/platform/rpc/convert/sweep.ts';
import { TOKEN_ROLES } from '../../../services/core/token-role.ts';
import {
  anyDouble,
  checkpoint,
  few,
  int32,
  natural,
  parameters,
  plainDouble,
  role,
  someText,
  stage,
  sweepSpec,
  text,
} from './arbitraries.ts';

const count = fc.nat();
/** A timestamp of the wire: milliseconds, to the year 9999. */
const time = fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true });
const laterTime = fc.option(time);
const runState = fc.constantFrom(...runStates.values);
const sweepState = fc.constantFrom(...sweepStates.values);

export const sweepRecord: fc.Arbitrary<SweepRecord> = fc.record({
  sweepId: text,
  spec: sweepSpec,
  state: sweepState,
  stateReason: text,
  datasetId: fc.option(someText),
  runCount: count,
  finishedRunCount: count,
  succeededRunCount: count,
  failedRunCount: count,
  infeasibleRunCount: count,
  stoppedRunCount: count,
  cancelledRunCount: count,
  bestRunId: fc.option(someText),
  bestValue: fc.option(anyDouble),
  createTime: time,
  startTime: laterTime,
  endTime: laterTime,
});

export const runRecord: fc.Arbitrary<RunRecord> = fc.record({
  runId: text,
  sweepId: text,
  runIndex: count,
  parameters,
  variedNames: fc.array(text, few),
  state: runState,
  stateReason: text,
  stage: fc.option(stage),
  epochCount: count,
  epochLimit: count,
  bestValue: fc.option(anyDouble),
  bestStage: fc.option(stage),
  bestEpoch: count,
  bestValLoss: fc.option(anyDouble),
  bestValAccuracy: fc.option(anyDouble),
  lastValue: fc.option(anyDouble),
  attemptCount: count,
  peakMemoryBytes: fc.option(natural),
  headRunId: fc.option(someText),
  createTime: time,
  startTime: laterTime,
  endTime: laterTime,
});

export const attemptRecord: fc.Arbitrary<AttemptRecord> = fc.record({
  taskId: text,
  stage: fc.option(stage),
  leaseEpoch: int32,
  trainerId: text,
  slotIndex: count,
  state: fc.constantFrom('LEASED' as const, 'RUNNING' as const, 'SUCCEEDED' as const, 'FAILED' as const),
  errorClass: fc.constantFrom('' as const, 'MEMORY' as const, 'COUNTED' as const),
  errorCode: text,
  message: text,
  microBatchDivisor: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  startTime: time,
  endTime: laterTime,
});

export const epochMetricRecord: fc.Arbitrary<EpochMetricRecord> = fc.record({
  runId: text,
  stage: fc.option(stage),
  epoch: int32,
  name: text,
  value: plainDouble,
});

export const checkpointRecord: fc.Arbitrary<CheckpointRecord> = fc
  .tuple(checkpoint, time, fc.boolean())
  .map(([reference, createTime, pinned]) => ({ ...reference, createTime, pinned }));

export const testResultRecord: fc.Arbitrary<TestResultRecord> = fc.record({
  runId: text,
  checkpointId: text,
  role,
  accuracy: plainDouble,
  accuracyLow: plainDouble,
  accuracyHigh: plainDouble,
  loss: plainDouble,
  rocAuc: fc.option(anyDouble),
  imageCount: count,
  correctCount: count,
  confusionMatrix: fc.array(count, few),
  classResults: fc.array(
    fc.record({ className: text, precision: plainDouble, recall: plainDouble, f1: plainDouble, support: count }),
    few,
  ),
});

export const leaderboardRecord: fc.Arbitrary<LeaderboardRecord> = fc.record({
  rank: count,
  run: runRecord,
  testResult: fc.option(testResultRecord),
});

export const trainerRecord: fc.Arbitrary<TrainerRecord> = fc.record({
  trainerId: text,
  hostname: text,
  version: text,
  engineVersion: text,
  state: fc.constantFrom('READY' as const, 'DRAINING' as const, 'LOST' as const, 'BENCHED' as const),
  slots: fc.array(
    fc.record({
      slotIndex: count,
      deviceKind: text,
      deviceName: text,
      memoryBytes: natural,
      threadCount: count,
      taskId: fc.option(someText),
      stage: fc.option(stage),
      benchReason: fc.option(someText),
    }),
    few,
  ),
  heartbeatTime: time,
  refusalCount: count,
  drainReason: fc.option(someText),
});

export const tokenRecord: fc.Arbitrary<TokenRecord> = fc.record({
  tokenId: text,
  name: text,
  role: fc.option(fc.constantFrom(...TOKEN_ROLES)),
  createTime: time,
  expireTime: laterTime,
  revokeTime: laterTime,
  lastUseTime: laterTime,
  trainerIds: fc.array(text, few),
});

export const mlflowStatusRecord: fc.Arbitrary<MlflowStatusRecord> = fc.record({
  trackingUri: fc.option(someText),
  pendingEntryCount: count,
  pendingSubjectCount: count,
  oldestPendingTime: laterTime,
  deadLetterCount: count,
  successTime: laterTime,
  failureTime: laterTime,
  failureCount: count,
  errorCode: text,
  errorMessage: text,
  nextTryTime: laterTime,
});

export const deadLetterRecord: fc.Arbitrary<DeadLetterRecord> = fc.record({
  entryId: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
  sweepId: text,
  runId: fc.option(someText),
  kind: fc.constantFrom('SWEEP' as const, 'RUN' as const, 'METRICS' as const, 'REPORT' as const),
  errorCode: text,
  errorMessage: text,
  attemptCount: count,
  deadTime: time,
});

export const forecastRecord: fc.Arbitrary<SweepForecastRecord> = fc.record({
  stages: fc.array(
    fc.record({
      stage: fc.option(stage),
      taskCount: count,
      runCount: count,
      forecastSeconds: fc.option(anyDouble),
      measuredSeconds: plainDouble,
      lostSeconds: plainDouble,
      forecastMemoryBytes: fc.option(natural),
      measuredMemoryBytes: fc.option(natural),
      ended: fc.boolean(),
    }),
    few,
  ),
  wallSeconds: fc.option(anyDouble),
  aloneSeconds: fc.option(anyDouble),
});

const epochEvent = fc
  .record({
    runId: text,
    stage: fc.option(stage),
    epoch: int32,
    metrics: fc.array(fc.tuple(text, plainDouble), few),
  })
  .map(({ metrics, ...rest }) => ({
    kind: 'EPOCH' as const,
    ...rest,
    names: metrics.map(([name]) => name),
    values: metrics.map(([, value]) => value),
  }));

export const storedEvent: fc.Arbitrary<StoredEvent> = fc.record({
  cursor: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
  eventTime: time,
  event: fc.oneof(
    fc.record({ kind: fc.constant('SWEEP_STATE' as const), state: sweepState, reason: text }),
    fc.record({
      kind: fc.constant('RUN_STATE' as const),
      runId: text,
      state: runState,
      stage: fc.option(stage),
      reason: text,
    }),
    epochEvent,
    fc.record({
      kind: fc.constant('TASK' as const),
      taskId: text,
      stage: fc.option(stage),
      state: fc.constantFrom('LEASED' as const, 'RELEASED' as const, 'EXPIRED' as const, 'CANCELLED' as const),
      trainerId: text,
      message: text,
    }),
    fc.record({ kind: fc.constant('TEST_RESULT' as const), result: testResultRecord }),
  ),
});
