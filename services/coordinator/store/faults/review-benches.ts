import { FAULTS_TO_BENCH } from '../../../core/machine-fault.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import { isFaultOf } from './other-slots.ts';

/**
 * Benches the slots of these trainers whose faults have failed `FAULTS_TO_BENCH` different tasks, and unbenches those whose faults were
 * deleted because every slot had failed the task. Runs in a transaction of its own: slots come before tasks in the lock order.
 */
export async function reviewBenches(store: Store, trainerIds: readonly string[]): Promise<void> {
  if (trainerIds.length === 0) return;
  const changed = await inTransaction(store, async (tx) => {
    await tx.query('SELECT 1 FROM slots WHERE trainer_id = ANY($1) ORDER BY trainer_id, slot_index FOR NO KEY UPDATE', [
      [...trainerIds],
    ]);
    const { rows } = await tx.query<{ trainer_id: string; slot_index: number; bench_reason: string }>(
      `WITH faults AS (
         SELECT s.trainer_id, s.slot_index, count(DISTINCT f.task_id) >= $2 AS is_benched,
                coalesce((array_agg(f.message ORDER BY f.create_time DESC))[1], '') AS message,
                string_agg(DISTINCT f.task_id, ', ') AS task_ids
           FROM slots s LEFT JOIN machine_faults f ON ${isFaultOf('f', 's.trainer_id', 's.slot_index')}
          WHERE s.trainer_id = ANY($1)
          GROUP BY s.trainer_id, s.slot_index
       )
       UPDATE slots s
          SET benched_by_faults = f.is_benched,
              bench_reason = CASE WHEN f.is_benched THEN f.message || ' Tasks that failed by such faults: ' || f.task_ids || '.' ELSE '' END
         FROM faults f
        WHERE s.trainer_id = f.trainer_id AND s.slot_index = f.slot_index AND s.benched_by_faults <> f.is_benched
          AND (s.bench_reason = '' OR s.benched_by_faults)
        RETURNING s.trainer_id, s.slot_index, s.bench_reason`,
      [[...trainerIds], FAULTS_TO_BENCH],
    );
    if (rows.some(({ bench_reason: reason }) => reason === '')) await notifySlots(tx);
    return rows;
  });
  for (const { trainer_id, slot_index: slot, bench_reason: reason } of changed) {
    if (reason !== '') store.log.warn({ trainer_id, slot, reason }, 'slot benched');
    else store.log.info({ trainer_id, slot }, 'slot unbenched');
  }
}

/** Wakes the slots that wait for a task: one may have become available to them. */
export async function notifySlots(tx: StoreTransaction): Promise<void> {
  await tx.query(`SELECT pg_notify('graft_tasks', '')`);
}
