import { readFileSync } from 'node:fs';
import { MAX_REPORTED_IMAGES, MAX_REPORTED_LOSSES } from '../../../core/task.ts';
import { RequestLimits } from '../../../platform/rpc/limits/request-limits.ts';
import type { RequestLimitTable } from '../../../platform/rpc/limits/message-rules.ts';
import { MAX_MESSAGE_BYTES } from '../../../platform/rpc/server.ts';

const DESCRIPTORS = new URL('../../../../proto/gen/descriptor.binpb', import.meta.url);

const KIB = 1024;
const MIB = 1024 * KIB;

/** `PATH_MAX` of Linux. */
const PATH = { bytes: 4 * KIB };
/** A URI of an artifact: a path, or a bucket with a key. */
const URI = { bytes: 4 * KIB };
const NAME = { bytes: 200 };
/** Messages for people that a trainer sends. Trainers cut theirs to less (`platform/rpc/convert/task-result.ts`). */
const WORDS = { bytes: 16 * KIB };
/** An integer that is checked with the rest of a spec, so that all mistakes are answered at once. */
const ANY_INTEGER = { min: null };
/** A list that grows with the images or classes of a data set. The size of a message bounds it. */
const OF_DATASET = { items: 1_000_000 };

/**
 * Limits on the lengths and counts of every field of a request, checked before any work (`platform/rpc/limits`). Limits that
 * depend on the meaning of a spec (10,000 runs) are checked with it. README.md of `proto` tells clients the same.
 */
export const LIMIT_TABLE: RequestLimitTable = {
  defaults: { bytes: 1 * KIB, items: 1_000, requestBytes: 64 * KIB },
  requestBytes: {
    PlanSweepRequest: 1 * MIB,
    CreateSweepRequest: 1 * MIB,
    RegisterTrainerRequest: 256 * KIB,
    LeaseTaskRequest: 1 * MIB,
    HeartbeatRequest: 1 * MIB,
    ReportMetricsRequest: 1 * MIB,
    CompleteTaskRequest: MAX_MESSAGE_BYTES,
    CompleteTaskInPartsRequest: MAX_MESSAGE_BYTES,
  },
  totals: { Parameter: 20_000, ParameterValue: 50_000 },
  fields: {
    'SweepSpec.display_name': { bytes: 800 },
    'SweepSpec.base': { items: 200 },
    'SweepSpec.parameters': { items: 200 },
    'SweepSpec.variants': { items: 1_000 },
    'SweepSpec.max_runs': ANY_INTEGER,
    'SweepSpec.seed': ANY_INTEGER,
    'SweepSpec.max_parallel_slots': ANY_INTEGER,
    'SweepSpec.priority': ANY_INTEGER,
    'StoppingSpec.reduction_factor': ANY_INTEGER,
    'StoppingSpec.min_entries': ANY_INTEGER,
    'StoppingSpec.keep_paused': ANY_INTEGER,
    'RungEpochs.head': ANY_INTEGER,
    'RungEpochs.fine_tune': ANY_INTEGER,
    'ThresholdSpec.from_epoch': ANY_INTEGER,
    'PatienceSpec.epochs': ANY_INTEGER,
    'FinalistSpec.runs': ANY_INTEGER,
    'FinalistSpec.seeds': ANY_INTEGER,
    'SearchSpec.startup_runs': ANY_INTEGER,
    'SearchSpec.round_runs': ANY_INTEGER,
    'BudgetSpec.patience_rounds': ANY_INTEGER,
    'Variant.parameters': { items: 200 },
    'Objective.metric': NAME,
    'MlflowTarget.experiment': { bytes: 2_000 },
    'MlflowTarget.register_model': { bytes: 1 * KIB },
    'DatasetSource.path': PATH,
    'SplitFractions.seed': ANY_INTEGER,
    'ParameterSpec.name': NAME,
    'ParameterSpec.conditions': { items: 20 },
    'ParameterCondition.name': NAME,
    'ParameterCondition.values': { items: 1_000 },
    'ParameterValues.values': { items: 10_000 },
    'ParameterRange.grid_points': ANY_INTEGER,
    'Parameter.name': NAME,
    'ParameterValue.int_value': ANY_INTEGER,
    'ParameterValue.string_value': PATH,
    'CreateSweepRequest.request_id': { bytes: 800 },
    'UpdateSweepRequest.notes': WORDS,
    'UpdateSweepRequest.priority': ANY_INTEGER,
    'UpdateSweepRequest.max_parallel_slots': ANY_INTEGER,
    'UpdateRunRequest.notes': WORDS,
    'PlanSweepRequest.page_token': { bytes: 64 * KIB },
    'ListTestPredictionsRequest.page_token': { bytes: 16 * KIB },
    'ListEpochMetricsRequest.page_token': { bytes: 4 * KIB },
    'LeaseTaskRequest.held_feature_keys': { items: 10_000 },
    'Trainer.slots': { items: 256 },
    'TaskProgress.detail': WORDS,
    'EpochReport.epoch': { min: 1 },
    'RungReport.epoch': { min: 1 },
    'RungReport.validation_correct': { bytes: MAX_REPORTED_IMAGES / 8 },
    'RungReport.validation_losses': { items: MAX_REPORTED_LOSSES },
    'EpochReport.names': { items: 100 },
    'EpochReport.values': { items: 100 },
    'Checkpoint.uri': URI,
    'TaskError.message': WORDS,
    'TaskError.dataset_problems': { items: 100_000 },
    'TaskError.missing_feature_keys': { items: 10_000 },
    'DatasetProblem.path': { bytes: 8 * KIB },
    'DatasetProblem.message': WORDS,
    'Dataset.path': PATH,
    'Dataset.class_names': OF_DATASET,
    'Dataset.class_counts': OF_DATASET,
    'Dataset.problems': { items: 100_000 },
    'IndexResult.manifest_uri': URI,
    'WeightsInfo.weights': PATH,
    'MissingWeights.weights': PATH,
    'MissingWeights.reason': WORDS,
    'FeatureSet.uri': URI,
    'FeatureSet.shape': { items: 16 },
    'TestResult.confusion_matrix': OF_DATASET,
    'TestResult.class_results': OF_DATASET,
    'EvaluateResult.predictions': OF_DATASET,
    'TestPrediction.path': PATH,
    'TestPrediction.probabilities': OF_DATASET,
  },
};

/** Returns a checker of requests for the table. */
export function requestLimits(): RequestLimits {
  return new RequestLimits(readFileSync(DESCRIPTORS), 'graft.v1', LIMIT_TABLE);
}
