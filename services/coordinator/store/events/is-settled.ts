import { NotFoundError } from '../../../core/errors.ts';
import type { Store } from '../store.ts';

/**
 * Whether nothing will happen in a sweep any more: it is over and no slot works on a task of it.
 *
 * @throws NotFoundError
 */
export async function isSettled(store: Store, sweepId: string): Promise<boolean> {
  const { rows } = await store.pool.query<{ settled: boolean }>(
    `SELECT s.state IN ('SUCCEEDED', 'FAILED', 'CANCELLED')
            AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.sweep_id = s.sweep_id AND t.state IN ('LEASED', 'RUNNING')) AS settled
       FROM sweeps s WHERE s.sweep_id = $1`,
    [sweepId],
  );
  if (!rows[0]) throw new NotFoundError('sweep', sweepId);
  return rows[0].settled;
}
