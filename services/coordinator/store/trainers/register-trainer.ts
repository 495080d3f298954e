import { inTransaction } from '../transaction.ts';
import type { Store } from '../store.ts';

export interface NewTrainer {
  readonly trainerId: string;
  readonly hostname: string;
  readonly version: string;
  readonly engineVersion: string;
  readonly slots: readonly {
    readonly slotIndex: number;
    readonly deviceKind: string;
    readonly deviceName: string;
    /** 0 where unknown. */
    readonly memoryBytes: number;
    readonly threadCount: number;
  }[];
}

/** Inserts or renews a trainer and makes its slots exactly those given. Its leases stay as they are. */
export async function registerTrainer(store: Store, trainer: NewTrainer): Promise<void> {
  const { slots } = trainer;
  await inTransaction(store, async (tx) => {
    await tx.query(
      `INSERT INTO trainers (trainer_id, hostname, version, engine_version, state, heartbeat_time)
       VALUES ($1, $2, $3, $4, 'READY', now())
       ON CONFLICT (trainer_id) DO UPDATE
          SET hostname = excluded.hostname, version = excluded.version, engine_version = excluded.engine_version,
              state = 'READY', heartbeat_time = now()`,
      [trainer.trainerId, trainer.hostname, trainer.version, trainer.engineVersion],
    );
    await tx.query('DELETE FROM slots WHERE trainer_id = $1 AND slot_index <> ALL($2)', [
      trainer.trainerId,
      slots.map(({ slotIndex }) => slotIndex),
    ]);
    await tx.query(
      `INSERT INTO slots (trainer_id, slot_index, device_kind, device_name, memory_bytes, thread_count)
       SELECT $1, s.* FROM unnest($2::int[], $3::text[], $4::text[], $5::bigint[], $6::int[]) AS s
       ON CONFLICT (trainer_id, slot_index) DO UPDATE
          SET device_kind = excluded.device_kind, device_name = excluded.device_name,
              memory_bytes = excluded.memory_bytes, thread_count = excluded.thread_count`,
      [
        trainer.trainerId,
        slots.map(({ slotIndex }) => slotIndex),
        slots.map(({ deviceKind }) => deviceKind),
        slots.map(({ deviceName }) => deviceName),
        slots.map(({ memoryBytes }) => Math.round(memoryBytes)),
        slots.map(({ threadCount }) => threadCount),
      ],
    );
  });
}
