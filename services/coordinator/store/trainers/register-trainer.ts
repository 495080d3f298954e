import type { TrainerDescription } from '../../../core/reports/check-trainer.ts';
import { TrainerIdTakenError } from '../../../core/trainer-errors.ts';
import { notifySlots } from '../faults/review-benches.ts';
import { inTransaction } from '../transaction.ts';
import type { Store } from '../store.ts';

export interface NewTrainer extends TrainerDescription {
  /** Hash of the trainer's secret; empty for a trainer older than secrets. */
  readonly secretHash: string;
  /** Reason why its slots get no tasks; null: they get tasks. */
  readonly benchReason: string | null;
}

/**
 * Inserts or updates a trainer and sets its slots to exactly those given. Its leases are not changed. A healthy trainer is unbenched, and
 * its earlier faults are deleted. The first secret that is sent with an identity is the only one accepted from then on.
 *
 * @throws TrainerIdTakenError
 */
export async function registerTrainer(store: Store, trainer: NewTrainer): Promise<void> {
  const { slots, benchReason } = trainer;
  await inTransaction(store, async (tx) => {
    const { rowCount } = await tx.query(
      `INSERT INTO trainers AS known (trainer_id, hostname, version, engine_version, state, heartbeat_time, secret_hash, recipe_version,
                                       stages)
       VALUES ($1, $2, $3, $4, 'READY', now(), nullif($5, ''), nullif($6, 0), $7)
       ON CONFLICT (trainer_id) DO UPDATE
          SET hostname = excluded.hostname, version = excluded.version, engine_version = excluded.engine_version,
              state = CASE WHEN known.drain_reason IS NULL THEN 'READY' ELSE 'DRAINING' END, heartbeat_time = now(),
              secret_hash = excluded.secret_hash, recipe_version = excluded.recipe_version,
              stages = excluded.stages
        WHERE known.secret_hash IS NULL OR known.secret_hash = excluded.secret_hash`,
      [
        trainer.trainerId,
        trainer.hostname,
        trainer.version,
        trainer.engineVersion,
        trainer.secretHash,
        trainer.recipeVersion,
        trainer.stages,
      ],
    );
    if (rowCount !== 1) throw new TrainerIdTakenError(trainer.trainerId);
    const { rowCount: benched } = await tx.query(`SELECT 1 FROM slots WHERE trainer_id = $1 AND bench_reason <> ''`, [
      trainer.trainerId,
    ]);
    await tx.query('DELETE FROM slots WHERE trainer_id = $1 AND slot_index <> ALL($2)', [
      trainer.trainerId,
      slots.map(({ slotIndex }) => slotIndex),
    ]);
    await tx.query(
      `INSERT INTO slots (trainer_id, slot_index, device_kind, device_name, memory_bytes, thread_count, bench_reason)
       SELECT $1, s.*, $7 FROM unnest($2::int[], $3::text[], $4::text[], $5::bigint[], $6::int[]) AS s
       ON CONFLICT (trainer_id, slot_index) DO UPDATE
          SET device_kind = excluded.device_kind, device_name = excluded.device_name,
              memory_bytes = excluded.memory_bytes, thread_count = excluded.thread_count,
              bench_reason = excluded.bench_reason, benched_by_faults = false`,
      [
        trainer.trainerId,
        slots.map(({ slotIndex }) => slotIndex),
        slots.map(({ deviceKind }) => deviceKind),
        slots.map(({ deviceName }) => deviceName),
        slots.map(({ memoryBytes }) => Math.round(memoryBytes)),
        slots.map(({ threadCount }) => threadCount),
        benchReason ?? '',
      ],
    );
    if (benchReason !== null) return;
    await tx.query('DELETE FROM machine_faults WHERE trainer_id = $1', [trainer.trainerId]);
    if ((benched ?? 0) > 0) await notifySlots(tx);
  });
}
