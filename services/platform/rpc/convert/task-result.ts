import { InvalidRequestError } from '../../../core/errors.ts';
import type {
  ErrorClass,
  RunOutcome,
  RunOutcomeKind,
  TaskError,
  TaskResult,
  TestMeasurement,
} from '../../../core/task.ts';
import {
  ErrorClass as ProtoErrorClass,
  RunOutcomeKind as ProtoRunOutcomeKind,
} from '../../../../proto/gen/graft/v1/task.ts';
import type * as proto from '../../../../proto/gen/graft/v1/task.ts';
import type { CompleteTaskRequest } from '../../../../proto/gen/graft/v1/trainer_service.ts';
import { cleanText, cutText } from '../../../core/reports/text-rules.ts';
import { datasetFromProto, datasetProblemFromProto, datasetProblemToProto, datasetToProto } from './dataset.ts';
import { upperCaseEnum } from './enum-codec.ts';
import { numberOf, requireMessage } from './fields.ts';
import { testPredictionFromProto, testPredictionToProto } from './test-prediction.ts';
import { testRoleFromProto } from './test-result.ts';
import { featureSetFromProto, featureSetToProto } from './task.ts';

const errorClasses = upperCaseEnum<ErrorClass, typeof ProtoErrorClass>(ProtoErrorClass);
const runOutcomeKinds = upperCaseEnum<RunOutcomeKind, typeof ProtoRunOutcomeKind>(ProtoRunOutcomeKind);

type ProtoResult = NonNullable<CompleteTaskRequest['result']>;

/** End of an attempt: a result, or an error of the whole attempt. */
export type TaskEnd =
  { readonly kind: 'result'; readonly result: TaskResult } | { readonly kind: 'error'; readonly error: TaskError };

export function taskEndToProto(end: TaskEnd): ProtoResult {
  return end.kind === 'error' ? { $case: 'error', value: taskErrorToProto(end.error) } : taskResultToProto(end.result);
}

/** @throws InvalidRequestError naming the field, also if nothing was sent. */
export function taskEndFromProto(result: CompleteTaskRequest['result']): TaskEnd {
  if (result === undefined) {
    throw new InvalidRequestError([
      { field: 'result', description: 'needs one of error, index, features, train, evaluate, probe; received none.' },
    ]);
  }
  if (result.$case === 'error') return { kind: 'error', error: taskErrorFromProto(result.value, 'error') };
  return { kind: 'result', result: taskResultFromProto(result) };
}

function taskResultToProto(result: TaskResult): ProtoResult {
  switch (result.stage) {
    case 'INDEX': {
      const weights = result.weights.map(({ backbone, weights: name, digest }) => ({
        backbone,
        weights: name,
        digest,
      }));
      const dataset = datasetToProto(result.dataset);
      const missingWeights = result.missingWeights.map((missing) => ({
        ...missing,
        reason: cleanText(missing.reason, MAX_SENT_CHARACTERS),
      }));
      return { $case: 'index', value: { dataset, manifestUri: result.manifestUri, weights, missingWeights } };
    }
    case 'FEATURES':
      return {
        $case: 'features',
        value: { featureSets: result.featureSets.map(featureSetToProto), seconds: result.seconds },
      };
    case 'PROBE': {
      const { correct, imageCount, logMe, penalty, latencySeconds, featureCount, seconds } = result;
      const bits = Buffer.from(correct.buffer, correct.byteOffset, correct.byteLength);
      const value = { correct: bits, imageCount, logMe, penalty, latencySeconds, featureCount, seconds };
      return { $case: 'probe', value };
    }
    case 'TRAIN':
      return { $case: 'train', value: { outcomes: result.outcomes.map(outcomeToProto) } };
    case 'EVALUATE':
      return { $case: 'evaluate', value: { results: result.measurements.map(measurementToProto) } };
  }
}

/** @throws InvalidRequestError naming the field. */
function taskResultFromProto(result: Exclude<ProtoResult, { $case: 'error' }>): TaskResult {
  switch (result.$case) {
    case 'index':
      return {
        stage: 'INDEX',
        dataset: datasetFromProto(requireMessage(result.value.dataset, 'index.dataset'), 'index.dataset'),
        manifestUri: result.value.manifestUri,
        weights: result.value.weights,
        missingWeights: result.value.missingWeights,
      };
    case 'features':
      return {
        stage: 'FEATURES',
        featureSets: result.value.featureSets.map((set, index) =>
          featureSetFromProto(set, `features.feature_sets[${index}]`),
        ),
        seconds: result.value.seconds,
      };
    case 'probe':
      return { stage: 'PROBE', ...result.value };
    case 'train':
      return {
        stage: 'TRAIN',
        outcomes: result.value.outcomes.map((outcome, index) => outcomeFromProto(outcome, `train.outcomes[${index}]`)),
      };
    case 'evaluate':
      return {
        stage: 'EVALUATE',
        measurements: result.value.results.map((item, index) =>
          measurementFromProto(item, `evaluate.results[${index}]`),
        ),
      };
  }
}

/** Limits of a sent error or reason: it ends its attempt, so it must not be refused for its length. */
const MAX_SENT_CHARACTERS = 4_000;
const MAX_SENT_PROBLEMS = 1_000;

function taskErrorToProto(error: TaskError): proto.TaskError {
  return {
    errorClass: errorClasses.toProto(error.errorClass),
    code: error.code,
    // Messages of libraries and workers may contain any character.
    message: cleanText(error.message, MAX_SENT_CHARACTERS),
    datasetProblems: error.datasetProblems
      .slice(0, MAX_SENT_PROBLEMS)
      .map((problem) => datasetProblemToProto({ ...problem, message: cutText(problem.message, MAX_SENT_CHARACTERS) })),
    missingFeatureKeys: [...(error.missingFeatureKeys ?? [])],
    manifestDamaged: error.manifestDamaged ?? false,
    damagedCheckpointIds: [...(error.damagedCheckpointIds ?? [])],
  };
}

/** @throws InvalidRequestError naming the field. */
function taskErrorFromProto(message: proto.TaskError, field: string): TaskError {
  return {
    errorClass: errorClasses.fromProto(message.errorClass, `${field}.error_class`),
    code: message.code,
    message: message.message,
    datasetProblems: message.datasetProblems.map((problem, index) =>
      datasetProblemFromProto(problem, `${field}.dataset_problems[${index}]`),
    ),
    ...(message.missingFeatureKeys.length === 0 ? {} : { missingFeatureKeys: message.missingFeatureKeys }),
    ...(message.manifestDamaged ? { manifestDamaged: true } : {}),
    ...(message.damagedCheckpointIds.length === 0 ? {} : { damagedCheckpointIds: message.damagedCheckpointIds }),
  };
}

function outcomeToProto(outcome: RunOutcome): proto.RunOutcome {
  return {
    runId: outcome.runId,
    kind: runOutcomeKinds.toProto(outcome.kind),
    error: outcome.error === null ? undefined : taskErrorToProto(outcome.error),
    epochCount: outcome.epochCount,
    peakMemoryBytes: BigInt(Math.round(outcome.peakMemoryBytes)),
    earlyStop: outcome.earlyStop,
  };
}

function outcomeFromProto(message: proto.RunOutcome, field: string): RunOutcome {
  return {
    runId: message.runId,
    kind: runOutcomeKinds.fromProto(message.kind, `${field}.kind`),
    error: message.error === undefined ? null : taskErrorFromProto(message.error, `${field}.error`),
    epochCount: message.epochCount,
    peakMemoryBytes: numberOf(message.peakMemoryBytes, `${field}.peak_memory_bytes`),
    ...(message.earlyStop === undefined ? {} : { earlyStop: message.earlyStop }),
  };
}

function measurementToProto(measurement: TestMeasurement): proto.EvaluateResult {
  const { runId, checkpointId, role, loss, predictions } = measurement;
  const correctCount = predictions.filter(({ label, predictedLabel }) => label === predictedLabel).length;
  const imageCount = predictions.length;
  return {
    testResult: {
      runId,
      checkpointId,
      role,
      loss,
      imageCount,
      correctCount,
      accuracy: imageCount === 0 ? Number.NaN : correctCount / imageCount,
      // The coordinator computes intervals and per-class figures from the predictions.
      accuracyLow: 0,
      accuracyHigh: 0,
      confusionMatrix: [],
      classResults: [],
    },
    predictions: predictions.map((prediction) => testPredictionToProto(runId, prediction)),
  };
}

function measurementFromProto(message: proto.EvaluateResult, field: string): TestMeasurement {
  const result = requireMessage(message.testResult, `${field}.test_result`);
  return {
    runId: result.runId,
    checkpointId: result.checkpointId,
    role: testRoleFromProto(result.role, `${field}.test_result.role`),
    loss: result.loss,
    predictions: message.predictions.map(testPredictionFromProto),
  };
}
