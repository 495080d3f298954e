import type { QueryConfig } from 'pg';
import type { OutboxDraft } from './outbox-entry.ts';

/**
 * The statement that writes entries in the transaction of what they point at. One row per run and transaction, however many
 * metrics it has: a batch of 64 runs with 7 metrics of 10 epochs is 4,480 rows of `epoch_metrics` and 64 of these.
 */
export function appendOutbox({ entries }: OutboxDraft): QueryConfig {
  const metrics = entries.map(({ entry }) => (entry.kind === 'METRICS' ? entry : null));
  return {
    text: `INSERT INTO outbox (sweep_id, kind, run_id, stage, lease_epoch, epochs)
     SELECT e.sweep_id, e.kind, e.run_id, e.stage, e.lease_epoch, e.epochs::int[]
       FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[])
            AS e (sweep_id, kind, run_id, stage, lease_epoch, epochs)`,
    values: [
      entries.map(({ sweepId }) => sweepId),
      entries.map(({ entry }) => entry.kind),
      entries.map(({ entry }) => ('runId' in entry ? entry.runId : null)),
      metrics.map((entry) => entry?.stage ?? null),
      metrics.map((entry) => entry?.leaseEpoch ?? null),
      // `unnest` takes arrays of arrays apart to the last element, so the inner ones travel as text.
      metrics.map((entry) => `{${(entry?.epochs ?? []).join(',')}}`),
    ],
  };
}
