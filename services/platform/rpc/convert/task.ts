import type { Dataset } from '../../../core/dataset.ts';
import { InvalidRequestError } from '../../../core/errors.ts';
import { isClassMetric, isObjectiveMetric, OBJECTIVE_METRICS } from '../../../core/objective.ts';
import type { Objective } from '../../../core/objective.ts';
import { FEATURE_DTYPES } from '../../../core/run-config.ts';
import type { FeatureDtype } from '../../../core/run-config.ts';
import { POOLINGS } from '../../../core/task.ts';
import type { FeatureSetRef, LeasedTask, Pooling, ProbeOrder, TaskRun } from '../../../core/task.ts';
import type { FeatureSet, Probe, Task, TaskRun as ProtoTaskRun } from '../../../../proto/gen/graft/v1/task.ts';
import { datasetFromProto, datasetSourceFromProto, datasetSourceToProto, datasetToProto, splits } from './dataset.ts';
import { numberOf, textOrNull } from './fields.ts';
import { parametersFromProto, parametersToProto } from './parameter.ts';
import { checkpointFromProto, checkpointToProto } from './checkpoint.ts';
import { stages } from './run.ts';
import { testRoleFromProto } from './test-result.ts';

export function leasedTaskToProto(task: LeasedTask): Task {
  return {
    taskId: task.taskId,
    sweepId: task.sweepId,
    stage: stages.toProto(task.stage),
    leaseEpoch: task.leaseEpoch,
    runs: task.runs.map(taskRunToProto),
    datasetSource: datasetSourceToProto(task.datasetSource),
    dataset: task.dataset === null ? undefined : datasetToProto(task.dataset),
    manifestUri: task.manifestUri ?? '',
    featureSets: task.featureSets.map(featureSetToProto),
    weightsReferences: task.weightsReferences.map(({ backbone, weights }) => ({ backbone, weights })),
    objectiveMetric: task.objective.metric,
    objectiveMaximize: task.objective.goal === 'maximize',
    classMetrics: [...task.classMetrics],
    microBatchDivisor: task.microBatchDivisor,
    traceparent: task.traceparent ?? '',
    probe: task.probe && { ...task.probe, cut: task.probe.cut ?? '' },
  };
}

/** @throws InvalidRequestError naming the field. */
export function leasedTaskFromProto(message: Task): LeasedTask {
  return {
    taskId: message.taskId,
    sweepId: message.sweepId,
    stage: stages.fromProto(message.stage, 'task.stage'),
    leaseEpoch: message.leaseEpoch,
    runs: message.runs.map((run, index) => taskRunFromProto(run, `task.runs[${index}]`)),
    datasetSource: datasetSourceFromProto(message.datasetSource, 'task.dataset_source'),
    dataset: optional(message.dataset, (dataset): Dataset => datasetFromProto(dataset, 'task.dataset')),
    manifestUri: textOrNull(message.manifestUri),
    featureSets: message.featureSets.map((set, index) => featureSetFromProto(set, `task.feature_sets[${index}]`)),
    weightsReferences: message.weightsReferences.map(({ backbone, weights }) => ({ backbone, weights })),
    objective: objectiveOf(message),
    classMetrics: message.classMetrics.filter(isClassMetric),
    microBatchDivisor: Math.max(1, message.microBatchDivisor),
    traceparent: textOrNull(message.traceparent),
    ...(message.probe && { probe: probeFromProto(message.probe, 'task.probe') }),
  };
}

/** @throws InvalidRequestError naming the field. */
function probeFromProto(message: Probe, field: string): ProbeOrder {
  const pooling = poolingFromProto(message.pooling, ['avg', 'max'], `${field}.pooling`);
  return { ...message, cut: textOrNull(message.cut), pooling };
}

function poolingFromProto<P extends Pooling>(name: string, poolings: readonly P[], field: string): P {
  const pooling = poolings.find((known) => known === name);
  if (pooling !== undefined) return pooling;
  throw new InvalidRequestError([{ field, description: `must be one of ${poolings.join(', ')}; received '${name}'.` }]);
}

export function featureSetToProto(set: FeatureSetRef): FeatureSet {
  return {
    key: set.key,
    datasetDigest: set.datasetDigest,
    split: splits.toProto(set.split),
    backbone: set.backbone,
    weightsDigest: set.weightsDigest,
    cut: set.cut ?? '',
    imageSize: set.imageSize,
    pooling: set.pooling,
    uri: set.uri ?? '',
    shape: [...set.shape],
    rowCount: set.rowCount,
    sha256: set.sha256 ?? '',
    sizeBytes: BigInt(set.sizeBytes),
    dtype: set.dtype,
  };
}

/** @throws InvalidRequestError naming the field. */
export function featureSetFromProto(message: FeatureSet, field: string): FeatureSetRef {
  return {
    key: message.key,
    datasetDigest: message.datasetDigest,
    split: splits.fromProto(message.split, `${field}.split`),
    backbone: message.backbone,
    weightsDigest: message.weightsDigest,
    cut: textOrNull(message.cut),
    imageSize: message.imageSize,
    pooling: poolingFromProto(message.pooling, POOLINGS, `${field}.pooling`),
    uri: textOrNull(message.uri),
    shape: message.shape,
    rowCount: message.rowCount,
    sha256: textOrNull(message.sha256),
    sizeBytes: numberOf(message.sizeBytes, `${field}.size_bytes`),
    dtype: dtypeFromProto(message.dtype, `${field}.dtype`),
  };
}

/** Reads the element type; peers from before the choice existed send an empty string. */
function dtypeFromProto(text: string, field: string): FeatureDtype {
  const dtype = text === '' ? 'float32' : FEATURE_DTYPES.find((known) => known === text);
  if (dtype !== undefined) return dtype;
  throw new InvalidRequestError([
    { field, description: `must be ${FEATURE_DTYPES.join(' or ')}; received '${text}'.` },
  ]);
}

function taskRunToProto(run: TaskRun): ProtoTaskRun {
  return {
    runId: run.runId,
    parameters: parametersToProto(run.parameters),
    resumeCheckpoint: run.resumeCheckpoint === null ? undefined : checkpointToProto(run.resumeCheckpoint),
    sourceCheckpoint: run.sourceCheckpoint === null ? undefined : checkpointToProto(run.sourceCheckpoint),
    ...(run.sourceValue === null ? {} : { sourceValue: run.sourceValue }),
    role: run.role ?? '',
    stopped: run.stopped,
    milestoneEpochs: [...run.milestoneEpochs],
    pauseEpoch: run.pauseEpoch ?? 0,
  };
}

function taskRunFromProto(message: ProtoTaskRun, field: string): TaskRun {
  return {
    runId: message.runId,
    parameters: parametersFromProto(message.parameters, `${field}.parameters`),
    resumeCheckpoint: optional(message.resumeCheckpoint, (c) => checkpointFromProto(c, `${field}.resume_checkpoint`)),
    sourceCheckpoint: optional(message.sourceCheckpoint, (c) => checkpointFromProto(c, `${field}.source_checkpoint`)),
    sourceValue: message.sourceValue ?? null,
    role: message.role === '' ? null : testRoleFromProto(message.role, `${field}.role`),
    stopped: message.stopped,
    milestoneEpochs: message.milestoneEpochs,
    pauseEpoch: message.pauseEpoch === 0 ? null : message.pauseEpoch,
  };
}

function objectiveOf(message: Task): Objective {
  const metric = message.objectiveMetric;
  if (!isObjectiveMetric(metric)) {
    const description = `must be one of ${OBJECTIVE_METRICS.join(', ')}; received '${metric}'.`;
    throw new InvalidRequestError([{ field: 'task.objective_metric', description }]);
  }
  return { metric, goal: message.objectiveMaximize ? 'maximize' : 'minimize' };
}

function optional<M, C>(message: M | undefined, convert: (message: M) => C): C | null {
  return message === undefined ? null : convert(message);
}
