import type { RungDefinition } from '../../../core/stopping/ladder.ts';
import { float8Array, int4Array, textArray } from '../../../platform/db/binary-array.ts';
import type { StoreTransaction } from '../transaction.ts';
import { bytesOf } from './enter-rungs.ts';
import type { RungArrival } from './enter-rungs.ts';
import type { LockedSearch } from './search-row.ts';

/** A repeated run at the end of a stage. */
export type RepeatArrival = RungArrival & Pick<RungDefinition, 'stage'>;

/**
 * Stores the results by image of repeated runs at the ends of their stages; the latest attempt counts. No rule judges such runs. Losses
 * are kept only where they are the objective.
 */
export async function enterRepeats(
  tx: StoreTransaction,
  { policy }: LockedSearch,
  arrivals: readonly RepeatArrival[],
): Promise<void> {
  if (arrivals.length === 0) return;
  const hasLosses = policy.objective.metric === 'val_loss';
  await tx.prepared(
    `INSERT INTO repeat_results (run_id, stage, epoch, value, standard_error, task_id, lease_epoch, correct, losses)
     SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::float8[], $5::float8[], $6::text[], $7::int[], $8::bytea[], $9::bytea[])
         ON CONFLICT (run_id, stage) DO UPDATE
        SET epoch = excluded.epoch, value = excluded.value, standard_error = excluded.standard_error, task_id = excluded.task_id,
            lease_epoch = excluded.lease_epoch, correct = excluded.correct, losses = excluded.losses, create_time = now()`,
    [
      textArray(arrivals.map(({ runId }) => runId)),
      textArray(arrivals.map(({ stage }) => stage)),
      int4Array(arrivals.map(({ epoch }) => epoch)),
      float8Array(arrivals.map(({ value }) => value)),
      float8Array(arrivals.map(({ standardError }) => standardError)),
      textArray(arrivals.map(({ taskId }) => taskId)),
      int4Array(arrivals.map(({ leaseEpoch }) => leaseEpoch)),
      arrivals.map(({ evidence }) => (evidence === null ? null : Buffer.from(evidence.correct))),
      arrivals.map(({ evidence }) => (hasLosses && evidence?.losses ? bytesOf(evidence.losses) : null)),
    ],
  );
}
