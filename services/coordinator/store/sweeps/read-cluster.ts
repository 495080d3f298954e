import { countImages } from '../../../core/dataset.ts';
import { correctionsFrom, NO_CORRECTIONS } from '../../../core/planner/cost/corrections.ts';
import type { Corrections } from '../../../core/planner/cost/corrections.ts';
import { deviceSpeed } from '../../../core/planner/cost/device-speed.ts';
import type { Device } from '../../../core/planner/cost/device-speed.ts';
import type { Cluster } from '../../../core/planner/plan.ts';
import type { KnownImages } from '../../../core/planner/preview-sweep.ts';
import type { DatasetSource } from '../../../core/sweep/sweep-spec.ts';
import type { DatasetRecord } from '../../../core/records/dataset.ts';
import type { StoreTransaction } from '../transaction.ts';

/** Number of latest tasks that correct forecasts. */
const SAMPLE_COUNT = 200;

/** Assumption when there are no slots: one slot of a small machine. */
const NO_SLOTS = { slotCount: 1, device: { kind: 'cpu', threadCount: 2 }, memoryBytes: 0 } as const;

/** Reads the slots that take tasks, as the planner's input, and corrections by measurements on such slots. */
export async function readCluster(tx: StoreTransaction): Promise<Cluster> {
  const { rows } = await tx.query<{
    slot_count: number;
    has_cpu: boolean | null;
    thread_count: number | null;
    memory_bytes: string | null;
  }>(
    `SELECT count(*)::int AS slot_count, bool_or(s.device_kind = 'cpu') AS has_cpu,
            min(greatest(s.thread_count, 1)) AS thread_count, min(s.memory_bytes) AS memory_bytes
       FROM slots s JOIN trainers t USING (trainer_id) WHERE t.state = 'READY' AND s.bench_reason = ''`,
  );
  const row = rows[0];
  const slots =
    row === undefined || row.slot_count === 0
      ? NO_SLOTS
      : {
          slotCount: row.slot_count,
          device: { kind: row.has_cpu === true ? 'cpu' : 'gpu', threadCount: row.thread_count ?? 1 } as const,
          memoryBytes: Number(row.memory_bytes ?? 0),
        };
  return { ...slots, corrections: tx.store.plansAdaptively ? await readCorrections(tx, slots.device) : NO_CORRECTIONS };
}

/**
 * Reads corrections from tasks that succeeded at the first attempt with all their epochs. Attempts on other devices or with another
 * number of threads are not comparable.
 */
async function readCorrections(tx: StoreTransaction, device: Device): Promise<Corrections> {
  const { rows } = await tx.query<{ cost_class: string; model_seconds: number; measured_seconds: number }>(
    `SELECT t.cost_class, t.model_seconds,
            extract(epoch FROM a.end_time - a.create_time)::float8 AS measured_seconds
       FROM tasks t
       JOIN attempts a ON a.task_id = t.task_id AND a.lease_epoch = 1
       JOIN slots s ON s.trainer_id = a.trainer_id AND s.slot_index = a.slot_index
      WHERE t.state = 'SUCCEEDED' AND t.lease_epoch = 1 AND t.model_seconds IS NOT NULL
        AND s.device_kind = $1 AND ($1 = 'gpu' OR a.thread_count = $2)
        AND NOT EXISTS (SELECT 1 FROM task_runs tr WHERE tr.task_id = t.task_id AND tr.state <> 'SUCCEEDED')
      ORDER BY t.end_time DESC LIMIT $3`,
    [device.kind, device.threadCount, SAMPLE_COUNT],
  );
  const samples = rows.map((row) => ({
    costClass: row.cost_class,
    modelSeconds: row.model_seconds,
    measuredSeconds: row.measured_seconds,
  }));
  return correctionsFrom(samples, deviceSpeed(device).taskSeconds);
}

/** Reads the image and class counts of the latest sweep with the same source; null when it was never indexed. */
export async function readKnownImages(tx: StoreTransaction, source: DatasetSource): Promise<KnownImages | null> {
  const { rows } = await tx.query<{ class_names: string[]; class_counts: DatasetRecord['classCounts'] }>(
    `SELECT d.class_names, d.class_counts
       FROM sweeps s JOIN datasets d ON d.dataset_id = s.dataset_id
      WHERE s.spec -> 'dataset' = $1::jsonb
      ORDER BY s.create_time DESC LIMIT 1`,
    [JSON.stringify(source)],
  );
  const row = rows[0];
  if (row === undefined) return null;
  return { source: 'indexed', imageCounts: countImages(row.class_counts), classCount: row.class_names.length };
}
