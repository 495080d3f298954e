import { isResumable } from '../run-sql.ts';
import { TRAINED_STAGE_LIST } from '../state-sql.ts';
import type { StoreTransaction } from '../transaction.ts';
import { summarizeRuns } from './summarize-runs.ts';

/**
 * Supersedes what lost attempts have measured after the last stored checkpoint of their run. For runs that end without another attempt,
 * which would do so: an epoch of which nothing is stored can't be evaluated, so it must not be the best one.
 *
 * An attempt that has ended well saved what it reported, so earlier attempts of its stage have lost nothing.
 */
export async function supersedeUnsaved(tx: StoreTransaction, runIds: readonly string[]): Promise<void> {
  const { rows } = await tx.query<{ run_id: string }>(
    `WITH stages AS MATERIALIZED (
       SELECT tr.run_id, t.stage, max(a.lease_epoch) + 1 AS next_epoch,
              coalesce(max(a.lease_epoch) FILTER (WHERE a.state = 'SUCCEEDED'), 0) AS done_epoch
         FROM task_runs tr JOIN tasks t ON t.task_id = tr.task_id JOIN attempts a ON a.task_id = t.task_id
        WHERE tr.run_id = ANY($1) AND t.stage IN ${TRAINED_STAGE_LIST}
        GROUP BY tr.run_id, t.stage
       HAVING (array_agg(a.state ORDER BY a.lease_epoch DESC))[1] IN ('FAILED', 'EXPIRED', 'RELEASED')
     ), saved AS MATERIALIZED (
       SELECT s.*, (SELECT coalesce(max(c.epoch), 0) FROM checkpoints c
                     WHERE c.run_id = s.run_id AND c.stage = s.stage
                       AND (${isResumable('c')} OR ${isMeasuredBest('c')})) AS epoch
         FROM stages s
     ), useless AS (
       UPDATE checkpoints c SET state = 'DELETING' FROM saved s
        WHERE c.run_id = s.run_id AND c.stage = s.stage AND c.kind = 'BEST' AND c.state = 'STORED'
          AND c.epoch > s.epoch AND c.lease_epoch > s.done_epoch
     )
     UPDATE epoch_metrics m SET superseded_by = s.next_epoch FROM saved s
      WHERE m.run_id = s.run_id AND m.stage = s.stage AND m.superseded_by IS NULL
        AND m.epoch > s.epoch AND m.lease_epoch > s.done_epoch
      RETURNING m.run_id`,
    [runIds],
  );
  if (rows.length === 0) return;
  const sharers = await tx.query<{ run_id: string }>('SELECT run_id FROM runs WHERE head_run_id = ANY($1)', [
    rows.map(({ run_id }) => run_id),
  ]);
  await summarizeRuns(tx, [...new Set([...rows, ...sharers.rows].map(({ run_id }) => run_id))]);
}

/** Returns SQL of whether a row of `checkpoints` is a stored best epoch whose metrics have arrived. @param c its alias */
function isMeasuredBest(c: string): string {
  return `(${c}.kind = 'BEST' AND ${c}.state = 'STORED' AND EXISTS (
    SELECT 1 FROM epoch_metrics measured
     WHERE measured.run_id = ${c}.run_id AND measured.stage = ${c}.stage AND measured.epoch = ${c}.epoch
       AND measured.superseded_by IS NULL))`;
}
