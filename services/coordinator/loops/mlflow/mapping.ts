import { basename } from 'node:path';
import { isTerminalRunState } from '../../../core/states/run-state.ts';
import type { WinnerStatement } from '../../../core/records/winner-statement.ts';
import { describePolicy } from '../../../core/stopping/describe-policy.ts';
import { describeLevel } from '../../../core/stopping/ladder.ts';
import type { RungDefinition } from '../../../core/stopping/ladder.ts';
import type { RunState } from '../../../core/states/run-state.ts';
import type { SweepState } from '../../../core/states/sweep-state.ts';
import { cleanKey, cutText, MLFLOW_LIMITS } from '../../../platform/mlflow/limits.ts';
import type { MlflowMetric, MlflowPair } from '../../../platform/mlflow/log-batch.ts';
import type { DatasetInput, RunStatus } from '../../../platform/mlflow/mlflow-client.ts';
import type {
  MirroredDataset,
  MirroredPoint,
  MirroredRun,
  MirroredSweep,
  MirroredTestResult,
} from '../../store/outbox/read-mirrored.ts';

/** Tag by which the MLflow run of a sweep or run is found, even when the answer with its identifier was lost. */
export const SUBJECT_TAG = 'graft.subject_id';

/** Hexadecimal digits of a data set's digest. They identify it as well as all 64, of which MLflow takes 36. */
const DATASET_DIGEST_LENGTH = Math.min(32, MLFLOW_LIMITS.datasetDigestLength);

export function sweepStatus(state: SweepState): RunStatus {
  switch (state) {
    case 'ACTIVE':
    case 'PAUSED':
      return 'RUNNING';
    case 'SUCCEEDED':
      return 'FINISHED';
    case 'FAILED':
      return 'FAILED';
    case 'CANCELLED':
      return 'KILLED';
  }
}

/**
 * Returns MLflow's status of a run. A run that waits between two stages or at a rung has started, so it remains RUNNING. A run that a rule
 * stopped is FINISHED: its result counts, and `graft.end_cause` has the cause.
 */
export function runStatus(state: RunState, hasStarted: boolean): RunStatus {
  switch (state) {
    case 'QUEUED':
    case 'PAUSED':
      return hasStarted ? 'RUNNING' : 'SCHEDULED';
    case 'RUNNING':
    case 'STOPPING':
      return 'RUNNING';
    case 'SUCCEEDED':
    case 'STOPPED':
      return 'FINISHED';
    case 'CANCELLED':
      return 'KILLED';
    case 'FAILED':
    case 'INFEASIBLE':
      return 'FAILED';
  }
}

/** Returns the name of a sweep's MLflow run. */
export function sweepName(sweep: MirroredSweep): string {
  return sweep.displayName || sweep.sweepId;
}

/** Returns the tags that a run is created with. */
export function birthTags(subjectId: string, parentRunId: string | null): MlflowPair[] {
  return [
    { key: SUBJECT_TAG, value: subjectId },
    { key: 'mlflow.source.name', value: 'graft' },
    { key: 'mlflow.source.type', value: 'JOB' },
    { key: 'mlflow.user', value: 'graft' },
    ...(parentRunId === null ? [] : [{ key: 'mlflow.parentRunId', value: parentRunId }]),
  ];
}

/** Returns the tags of a sweep. @param winner comparison of its best run with the baseline; null: there is none, or it has not ended */
export function sweepTags(sweep: MirroredSweep, winner: WinnerStatement | null): MlflowPair[] {
  const { policy, budget } = sweep;
  return tags({
    'graft.sweep_id': sweep.sweepId,
    'graft.state': sweep.state,
    'graft.state_reason': sweep.stateReason,
    'graft.objective': sweep.objective,
    'graft.stopping_rule': sweep.stoppingRule ?? '',
    'graft.stopping_policy': policy === null ? '' : describePolicy(policy, budget),
    'graft.rungs': (policy?.ladder ?? []).map(rungText).join('; '),
    'graft.winner_statement': winner?.sentence ?? '',
    'graft.search_end': sweep.searchEnd ?? '',
    'graft.dataset_id': sweep.dataset?.datasetId ?? '',
    'graft.notes': sweep.notes,
    'graft.tags': sweep.tags.join(', '),
  });
}

/**
 * Returns the tags of a run. Its notes are the description of the MLflow run.
 *
 * @param hadNotes whether notes were sent before. Then empty ones are sent too; else a person may have written a description in MLflow.
 */
export function runTags(run: MirroredRun, hadNotes: boolean): MlflowPair[] {
  return tags({
    'graft.sweep_id': run.sweepId,
    'graft.run_id': run.runId,
    'graft.run_index': String(run.runIndex),
    'graft.state': run.state,
    'graft.state_reason': run.stateReason,
    'graft.stage': run.stage,
    'graft.best_stage': run.bestStage ?? '',
    'graft.end_cause': run.endCause ?? '',
    'graft.rung': run.rung === null ? '' : rungText(run.rung),
    'graft.paused_rung': run.rung === null || !run.isPausedAtRung ? '' : rungText(run.rung),
    'graft.decision': run.decision,
    'graft.reused_run_id': run.reusedRunId ?? '',
    ...(run.repeatOfRunId === null ? {} : { 'graft.repeat_of_run_id': run.repeatOfRunId }),
    ...(run.round === null ? {} : { 'graft.sampler': run.sampler, 'graft.round': String(run.round) }),
    'graft.notes': run.notes,
    'graft.tags': run.tags.join(', '),
    ...(run.notes === '' && !hadNotes ? {} : { 'mlflow.note.content': run.notes }),
  });
}

/** Formats a rung as `1 (fine-tuning, epoch 4)`. */
function rungText(rung: RungDefinition): string {
  return `${rung.number} (${describeLevel(rung)})`;
}

function tags(values: Readonly<Record<string, string>>): MlflowPair[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: cutText(value, MLFLOW_LIMITS.tagValueLength) }));
}

/** Returns the parameters of a run. @param valueLength longer values are truncated. */
export function runParams({ parameters }: MirroredRun, valueLength: number): MlflowPair[] {
  return parameters.map(({ name, value }) => ({ key: cleanKey(name), value: cutText(value, valueLength) }));
}

/**
 * Returns the points as MLflow metrics. The stage is part of the name, because epochs count from 1 in each: `head/val_loss`,
 * `fine_tune/val_loss`. MLflow shows the part before the slash as a section of its charts.
 */
export function pointMetrics(points: readonly MirroredPoint[]): MlflowMetric[] {
  return points.map(({ stage, epoch, name, value, timeMs }) => ({
    key: cleanKey(`${stage.toLowerCase()}/${name}`),
    value,
    timestamp: timeMs,
    step: epoch,
  }));
}

/** Returns the metrics from the run's columns. Empty until the run has ended, because they change until then. */
export function bestMetrics(run: MirroredRun): MlflowMetric[] {
  const { endMs, bestEpoch } = run;
  if (!isTerminalRunState(run.state) || endMs === null || bestEpoch === null) return [];
  const values = {
    'best/epoch': bestEpoch,
    'best/val_loss': run.bestValLoss,
    'best/val_accuracy': run.bestValAccuracy,
    // The value that ranks the run, which is that of another metric where the sweep says so.
    [`best/${run.objectiveMetric}`]: run.bestValue,
  };
  return metricsOf(values, endMs, bestEpoch);
}

export function testMetrics(result: MirroredTestResult): MlflowMetric[] {
  const values = {
    'test/accuracy': result.accuracy,
    'test/accuracy_low': result.accuracyLow,
    'test/accuracy_high': result.accuracyHigh,
    'test/loss': result.loss,
    'test/roc_auc': result.rocAuc,
    'test/macro_f1': result.macroF1,
    'test/balanced_accuracy': result.balancedAccuracy,
    'test/image_count': result.imageCount,
  };
  return metricsOf(values, result.timeMs, 0);
}

function metricsOf(values: Readonly<Record<string, number | null>>, timestamp: number, step: number): MlflowMetric[] {
  return Object.entries(values).flatMap(([key, value]) => (value === null ? [] : [{ key, value, timestamp, step }]));
}

export function datasetInput(dataset: MirroredDataset): DatasetInput {
  const profile = {
    num_classes: dataset.classNames.length,
    num_images: dataset.classCounts.reduce((sum, { imageCount }) => sum + imageCount, 0),
    images: dataset.classCounts,
  };
  return {
    name: cutText(basename(dataset.path) || dataset.datasetId, MLFLOW_LIMITS.datasetNameLength),
    digest: dataset.digest.slice(0, DATASET_DIGEST_LENGTH),
    sourceType: 'local',
    source: JSON.stringify({ uri: dataset.path }),
    profile: JSON.stringify(profile),
    tags: [{ key: 'mlflow.data.context', value: 'training' }],
  };
}
