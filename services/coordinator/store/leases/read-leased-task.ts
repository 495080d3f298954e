import { classMetricsOf } from '../../../core/class-metrics.ts';
import type { Dataset, Split } from '../../../core/dataset.ts';
import { RUN_STATES } from '../../../core/states/run-state.ts';
import type { RunState } from '../../../core/states/run-state.ts';
import type { Parameters, SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import type { FeatureDtype } from '../../../core/run-config.ts';
import type { FeatureSetRef, LeasedTask, Pooling, ProbeOrder, Stage, TaskRun, TestRole } from '../../../core/task.ts';
import type { Answer, Batch } from '../../../platform/db/batch.ts';
import { CHECKPOINT_COLUMNS, toCheckpoint } from '../checkpoints/checkpoint-row.ts';
import type { CheckpointJson } from '../checkpoints/checkpoint-row.ts';
import { isHeadAwaited, isResumable } from '../run-sql.ts';
import { readWeightsReferences } from '../sweeps/read-weights-references.ts';
import type { StoreTransaction } from '../transaction.ts';

interface TaskRow {
  readonly sweep_id: string;
  readonly stage: Stage;
  readonly dataset_source: SweepSpec['dataset'];
  readonly objective: SweepSpec['objective'];
  readonly dataset_id: string | null;
  readonly digest: string | null;
  readonly class_names: string[] | null;
  readonly class_counts: Dataset['classCounts'] | null;
  readonly manifest_uri: string | null;
  readonly micro_batch_divisor: number;
  readonly traceparent: string | null;
  readonly is_start_recorded: boolean;
  /** Epochs of the rungs within its stage. */
  readonly milestone_epochs: number[];
  readonly pause_epoch: number | null;
  readonly probe: ProbeOrder | null;
}

export interface ReadTask {
  readonly task: LeasedTask;
  /** False when the sweep's row lacks its start time, or still has a wait reason. */
  readonly isStartRecorded: boolean;
}

/** Reads everything that a trainer needs for a task under the given lease. */
export async function readLeasedTask(tx: StoreTransaction, taskId: string, leaseEpoch: number): Promise<ReadTask> {
  const batch = tx.batch();
  const tasks = addTask(batch, taskId, leaseEpoch);
  const runs = addRuns(batch, taskId);
  const featureSets = addFeatureSets(batch, taskId);
  await batch.send();
  const [row] = tasks.rows;
  if (!row) throw new Error(`Task ${taskId} vanished while it was leased.`);
  const dataset = toDataset(row);
  const task: LeasedTask = {
    taskId,
    sweepId: row.sweep_id,
    stage: row.stage,
    leaseEpoch,
    runs: runs.rows.map((run) => toTaskRun(run, row)),
    datasetSource: row.dataset_source,
    dataset,
    manifestUri: row.manifest_uri,
    featureSets: featureSets.rows.map(toFeatureSet),
    // PROBE and FEATURES have no runs, and name their weights by the digest only.
    weightsReferences: ['INDEX', 'PROBE', 'FEATURES'].includes(row.stage)
      ? await readWeightsReferences(tx, row.sweep_id)
      : [],
    objective: row.objective,
    classMetrics: dataset === null ? [] : classMetricsOf(row.objective, dataset),
    microBatchDivisor: row.micro_batch_divisor,
    traceparent: row.traceparent,
    ...(row.probe && { probe: row.probe }),
  };
  return { task, isStartRecorded: row.is_start_recorded };
}

function addTask(batch: Batch, taskId: string, leaseEpoch: number): Answer<TaskRow> {
  return batch.prepared<TaskRow>(
    `SELECT t.sweep_id, t.stage, s.spec -> 'dataset' AS dataset_source, s.spec -> 'objective' AS objective, s.dataset_id,
            d.digest, d.class_names, d.class_counts, d.manifest_uri,
            a.micro_batch_divisor, s.traceparent,
            ARRAY(SELECT g.epoch FROM rungs g
                   WHERE g.sweep_id = t.sweep_id AND g.stage = t.stage AND g.epoch IS NOT NULL
                   ORDER BY g.epoch) AS milestone_epochs,
            t.pause_epoch,
            CASE WHEN t.stage = 'PROBE' THEN (
              SELECT jsonb_build_object('backbone', p.backbone, 'cut', p.cut, 'imageSize', p.image_size, 'pooling', p.pooling,
                                        'weightsDigest', p.weights_digest, 'trainImageCount', p.train_image_count,
                                        'validationImageCount', p.validation_image_count)
                FROM probes p WHERE p.task_id = t.task_id) END AS probe,
            s.start_time IS NOT NULL AND (s.state <> 'ACTIVE' OR s.state_reason = '') AS is_start_recorded
       FROM tasks t
       JOIN attempts a ON a.task_id = t.task_id AND a.lease_epoch = $2
       JOIN sweeps s ON s.sweep_id = t.sweep_id
       LEFT JOIN datasets d ON d.dataset_id = s.dataset_id
      WHERE t.task_id = $1`,
    [taskId, leaseEpoch],
  );
}

/**
 * Returns the indexed content with the folder that the sweep itself names: another sweep may have indexed the same content elsewhere.
 * Problems, which can be long, are left out, because a trainer does not use them.
 */
function toDataset(row: TaskRow): Dataset | null {
  if (row.dataset_id === null) return null;
  return {
    datasetId: row.dataset_id,
    path: row.dataset_source.path,
    digest: row.digest ?? '',
    classNames: row.class_names ?? [],
    classCounts: row.class_counts ?? [],
    problems: [],
  };
}

interface TaskRunRow {
  readonly stage: Stage;
  readonly run_id: string;
  readonly parameters: Parameters;
  readonly state: RunState;
  readonly task_run_state: string;
  readonly role: TestRole | null;
  readonly resume: CheckpointJson | null;
  readonly source: CheckpointJson | null;
  readonly source_value: number | null;
  readonly is_awaited: boolean;
}

function addRuns(batch: Batch, taskId: string): Answer<TaskRunRow> {
  return batch.prepared<TaskRunRow>(
    `SELECT t.stage, r.run_id, r.parameters, r.state, tr.state AS task_run_state, tr.role,
            to_jsonb(resume) AS resume, to_jsonb(source) AS source, source.value AS source_value,
            ${isHeadAwaited('r', 't')} AS is_awaited
       FROM task_runs tr
       JOIN tasks t ON t.task_id = tr.task_id
       JOIN runs r ON r.run_id = tr.run_id
       LEFT JOIN LATERAL (
         SELECT ${CHECKPOINT_COLUMNS} FROM checkpoints c
          WHERE c.run_id = tr.run_id AND c.stage = t.stage AND ${isResumable('c')}
          ORDER BY c.epoch DESC, c.create_time DESC LIMIT 1
       ) resume ON true
       LEFT JOIN LATERAL (
         SELECT ${CHECKPOINT_COLUMNS} FROM checkpoints c WHERE c.checkpoint_id = tr.source_checkpoint_id
       ) source ON true
      WHERE tr.task_id = $1
      ORDER BY tr.position, tr.run_id`,
    [taskId],
  );
}

function toTaskRun(row: TaskRunRow, task: TaskRow): TaskRun {
  return {
    runId: row.run_id,
    parameters: row.parameters,
    resumeCheckpoint: row.resume ? toCheckpoint(row.resume) : null,
    sourceCheckpoint: row.source ? toCheckpoint(row.source) : null,
    sourceValue: row.source_value,
    role: row.role,
    stopped:
      row.stage !== 'EVALUATE' && !row.is_awaited && (row.state === 'STOPPING' || RUN_STATES.terminal.has(row.state)),
    milestoneEpochs: task.milestone_epochs,
    pauseEpoch: task.pause_epoch,
  };
}

interface FeatureSetRow {
  readonly feature_key: string;
  readonly dataset_digest: string;
  readonly split: Split;
  readonly backbone: string;
  readonly weights_digest: string;
  readonly cut: string | null;
  readonly image_size: number;
  readonly pooling: Pooling;
  readonly dtype: FeatureDtype;
  readonly uri: string | null;
  readonly shape: number[];
  readonly row_count: number;
  readonly sha256: string | null;
  readonly size_bytes: string;
}

function addFeatureSets(batch: Batch, taskId: string): Answer<FeatureSetRow> {
  return batch.prepared<FeatureSetRow>(
    `SELECT f.feature_key, f.dataset_digest, f.split, f.backbone, f.weights_digest, f.cut, f.image_size, f.pooling, f.dtype,
            f.uri, f.shape, f.row_count, f.sha256, f.size_bytes
       FROM task_feature_sets tf JOIN feature_sets f USING (feature_key)
      WHERE tf.task_id = $1
      ORDER BY f.backbone, f.cut NULLS LAST, f.image_size, f.pooling, f.dtype, f.split, f.feature_key`,
    [taskId],
  );
}

function toFeatureSet(row: FeatureSetRow): FeatureSetRef {
  return {
    key: row.feature_key,
    datasetDigest: row.dataset_digest,
    split: row.split,
    backbone: row.backbone,
    weightsDigest: row.weights_digest,
    cut: row.cut,
    imageSize: row.image_size,
    pooling: row.pooling,
    dtype: row.dtype,
    uri: row.uri,
    shape: row.shape,
    rowCount: row.row_count,
    sha256: row.sha256,
    sizeBytes: Number(row.size_bytes),
  };
}
