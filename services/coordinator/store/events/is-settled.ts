import { NotFoundError } from '../../../core/errors.ts';
import type { Store } from '../store.ts';
import { ENDED_SWEEPS, LEASED_TASKS } from '../state-sql.ts';

/**
 * Returns whether a sweep can emit no more events: it has ended and no slot holds a task of it.
 *
 * @throws NotFoundError
 */
export async function isSettled(store: Store, sweepId: string): Promise<boolean> {
  const { rows } = await store.pool.query<{ settled: boolean }>(
    `SELECT s.state IN ${ENDED_SWEEPS}
            AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.sweep_id = s.sweep_id AND t.state IN ${LEASED_TASKS}) AS settled
       FROM sweeps s WHERE s.sweep_id = $1`,
    [sweepId],
  );
  if (!rows[0]) throw new NotFoundError('sweep', sweepId);
  return rows[0].settled;
}
