import type { Stage } from '../../../core/task.ts';
import type { EpochMetricRecord } from '../../../core/records/epoch-metric.ts';
import type { Page } from '../page.ts';
import type { Store } from '../store.ts';

export interface MetricKey {
  readonly runId: string;
  /** HEAD 0, FINE_TUNE 1: the order in which a run passes through them. */
  readonly stageOrder: number;
  readonly epoch: number;
  readonly name: string;
}

/**
 * Lists the surviving metrics of a sweep or of one run, by run, stage, epoch and name. A run that shares a head has the HEAD epochs of the
 * run that trained it, under that run's identity; in the list of a sweep they occur once, also where another sweep has trained the head. A run that took a result has its metrics under
 * its own identity, those of the head included.
 */
export async function listEpochMetrics(
  store: Store,
  of: { readonly sweepId: string | null; readonly runId: string | null },
  after: MetricKey | null,
  limit: number,
): Promise<Page<EpochMetricRecord, MetricKey>> {
  const { rows } = await store.pool.query<{
    run_id: string;
    stage: Stage;
    stage_order: number;
    epoch: number;
    name: string;
    value: number;
  }>(
    `SELECT * FROM (
       SELECT m.run_id, m.stage, CASE m.stage WHEN 'HEAD' THEN 0 ELSE 1 END AS stage_order, m.epoch, m.name, m.value
         FROM epoch_metrics m
        WHERE m.superseded_by IS NULL
          AND ($1::text IS NULL OR m.run_id IN (SELECT run_id FROM runs WHERE sweep_id = $1))
          AND ($2::text IS NULL OR m.run_id = $2
               OR (m.stage = 'HEAD' AND m.run_id = (SELECT head_run_id FROM runs WHERE run_id = $2)))
          AND ($3::text IS NULL OR m.run_id >= $3)
       UNION ALL
       SELECT m.run_id, m.stage, 0, m.epoch, m.name, m.value
         FROM (SELECT DISTINCT h.run_id FROM runs r JOIN runs h ON h.run_id = r.head_run_id
                WHERE r.sweep_id = $1 AND h.sweep_id <> $1) f
         JOIN epoch_metrics m ON m.run_id = f.run_id AND m.stage = 'HEAD' AND m.superseded_by IS NULL
        WHERE $3::text IS NULL OR m.run_id >= $3
       UNION ALL
       SELECT u.run_id, m.stage, CASE m.stage WHEN 'HEAD' THEN 0 ELSE 1 END, m.epoch, m.name, m.value
         FROM runs u
         JOIN runs o ON o.run_id = u.reused_run_id
         JOIN epoch_metrics m
           ON m.superseded_by IS NULL AND (m.run_id = o.run_id OR m.run_id = o.head_run_id AND m.stage = 'HEAD')
        WHERE ($1::text IS NULL OR u.sweep_id = $1) AND ($2::text IS NULL OR u.run_id = $2)
          AND ($3::text IS NULL OR u.run_id >= $3)
     ) m
      WHERE $3::text IS NULL OR (m.run_id, m.stage_order, m.epoch, m.name) > ($3, $4::int, $5::int, $6)
      ORDER BY m.run_id, m.stage_order, m.epoch, m.name
      LIMIT $7`,
    [
      of.sweepId,
      of.runId,
      after?.runId ?? null,
      after?.stageOrder ?? null,
      after?.epoch ?? null,
      after?.name ?? null,
      limit + 1,
    ],
  );
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(({ run_id, stage, epoch, name, value }) => ({ runId: run_id, stage, epoch, name, value })),
    next:
      rows.length > limit && last
        ? { runId: last.run_id, stageOrder: last.stage_order, epoch: last.epoch, name: last.name }
        : null,
  };
}
