import { countImages } from '../../../core/dataset.ts';
import type { PlannedProbe } from '../../../core/planner/plan-probes.ts';
import { hasBaseline } from '../../../core/samplers/baseline.ts';
import { InvalidRequestError } from '../../../core/errors.ts';
import { makespanSeconds } from '../../../core/planner/cost/makespan.ts';
import { runIdOf } from '../../../core/ids.ts';
import type { Parameters, SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import { clusterDataOf } from '../planning/stored-plans.ts';
import type { StoredRun } from '../planning/stored-plans.ts';
import { insertTasks } from '../tasks/insert-tasks.ts';
import type { NewTask } from '../tasks/insert-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';
import { readCluster } from './read-cluster.ts';
import type { Indexed } from './read-indexed.ts';

/**
 * Plans the probes of a sweep whose spec has a screen.
 *
 * @returns null: it has none
 * @throws InvalidRequestError when weights are missing
 */
export async function draftProbes(
  tx: StoreTransaction,
  sweepId: string,
  spec: SweepSpec,
  runs: readonly StoredRun[],
  { dataset, weights }: Indexed,
): Promise<readonly PlannedProbe[] | null> {
  const { screen } = spec;
  if (screen === undefined || screen === 'off' || runs.length === 0) return null;
  const probes = await tx.during(
    tx.store.planner.planProbes({
      sweepId,
      objective: spec.objective,
      runs,
      baselineRunId: (await isCompared(tx, sweepId, spec)) ? runIdOf(sweepId, 0) : null,
      images: screen.images,
      dataset: {
        digest: dataset.digest,
        imageCounts: countImages(dataset.classCounts),
        classCount: dataset.classNames.length,
      },
      weights,
      cluster: clusterDataOf(await readCluster(tx)),
    }),
  );
  if ('unresolved' in probes) {
    throw new InvalidRequestError([{ field: 'index.weights', description: probes.unresolved }]);
  }
  return probes;
}

/** Returns whether run 0 is the baseline that the others are compared with. */
async function isCompared(tx: StoreTransaction, sweepId: string, spec: SweepSpec): Promise<boolean> {
  const { rows } = await tx.query<{ parameters: Parameters; has_baseline: boolean | null }>(
    `SELECT r.parameters, s.has_baseline FROM runs r JOIN sweeps s ON s.sweep_id = r.sweep_id
      WHERE r.sweep_id = $1 AND r.run_index = 0`,
    [sweepId],
  );
  const [first] = rows;
  return first !== undefined && hasBaseline({ spec, hasBaseline: first.has_baseline }, first.parameters);
}

/** Inserts the probes of a sweep with their tasks. The features and the training are planned when the screen has decided. */
export async function insertProbes(
  tx: StoreTransaction,
  sweepId: string,
  probes: readonly PlannedProbe[],
): Promise<void> {
  await insertTasks(tx, sweepId, probes.map(taskOf));
  await tx.query(
    `INSERT INTO probes (sweep_id, position, task_id, backbone, weights, weights_digest, cut, image_size, pooling,
                         train_image_count, validation_image_count, feature_seconds, is_baseline)
     SELECT $1, p.*
       FROM jsonb_to_recordset($2::jsonb)
         AS p (position int, task_id text, backbone text, weights text, weights_digest text, cut text, image_size int, pooling text,
               train_image_count int, validation_image_count int, feature_seconds float8, is_baseline boolean)`,
    [sweepId, JSON.stringify(probes.map(rowOf))],
  );
  const { slotCount } = await readCluster(tx);
  const seconds = makespanSeconds(
    probes.map(({ taskId, forecast }) => ({ taskId, dependsOn: [], seconds: forecast.seconds })),
    Math.max(1, Math.floor(slotCount)),
  );
  await tx.query(
    `UPDATE sweeps SET planned_slot_count = $2, forecast_wall_seconds = $3, forecast_alone_seconds = 0 WHERE sweep_id = $1`,
    [sweepId, slotCount, seconds],
  );
}

function taskOf({ taskId, description, forecast }: PlannedProbe): NewTask {
  return { taskId, stage: 'PROBE', runIds: [], featureSets: [], dependsOn: [], description, forecast };
}

function rowOf({ position, taskId, target, order, featureSeconds, isBaseline }: PlannedProbe): object {
  return {
    position,
    task_id: taskId,
    backbone: target.backbone,
    weights: target.weights,
    weights_digest: order.weightsDigest,
    cut: target.cut,
    image_size: target.imageSize,
    pooling: target.pooling,
    train_image_count: order.trainImageCount,
    validation_image_count: order.validationImageCount,
    feature_seconds: featureSeconds,
    is_baseline: isBaseline,
  };
}
