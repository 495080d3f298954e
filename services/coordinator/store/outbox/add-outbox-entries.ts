import type { Batch } from '../../../platform/db/batch.ts';
import type { OutboxDraft } from './outbox-entry.ts';

/**
 * Adds the statement that writes entries in the transaction of the rows they point at. One row per run and transaction, however
 * many metrics it has: a batch of 64 runs with 7 metrics of 10 epochs is 4,480 rows of `epoch_metrics` and 64 of these.
 */
export function addOutboxEntries(batch: Batch, { entries }: OutboxDraft): void {
  const metrics = entries.map(({ entry }) => (entry.kind === 'METRICS' ? entry : null));
  batch.query(
    `INSERT INTO outbox (sweep_id, kind, run_id, stage, lease_epoch, epochs)
     SELECT e.sweep_id, e.kind, e.run_id, e.stage, e.lease_epoch, e.epochs::int[]
       FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[])
            AS e (sweep_id, kind, run_id, stage, lease_epoch, epochs)`,
    [
      entries.map(({ sweepId }) => sweepId),
      entries.map(({ entry }) => entry.kind),
      entries.map(({ entry }) => ('runId' in entry ? entry.runId : null)),
      metrics.map((entry) => entry?.stage ?? null),
      metrics.map((entry) => entry?.leaseEpoch ?? null),
      // `unnest` flattens arrays of arrays to their elements, so the inner ones travel as strings.
      metrics.map((entry) => `{${(entry?.epochs ?? []).join(',')}}`),
    ],
  );
}
