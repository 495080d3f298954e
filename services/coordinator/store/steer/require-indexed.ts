import { InvalidRequestError } from '../../../core/errors.ts';
import { LEASED_TASKS } from '../state-sql.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Requires that a locked sweep's INDEX has looked, or will look, for the weights of added runs: a trainer that is indexing knows only
 * the weights of the runs before.
 *
 * @param runIds added runs
 * @throws InvalidRequestError
 */
export async function requireIndexed(tx: StoreTransaction, sweepId: string, runIds: readonly string[]): Promise<void> {
  const { rows } = await tx.query<{ backbone: string; weights: string }>(
    `SELECT DISTINCT parameters ->> 'backbone' AS backbone, parameters ->> 'weights' AS weights
       FROM runs WHERE run_id = ANY($2)
     EXCEPT
     SELECT parameters ->> 'backbone', parameters ->> 'weights'
       FROM runs WHERE sweep_id = $1 AND run_id <> ALL($2) AND NOT (SELECT planned FROM sweeps WHERE sweep_id = $1)
     EXCEPT
     SELECT info ->> 'backbone', info ->> 'weights'
       FROM sweeps, jsonb_array_elements(sweeps.weights) AS info WHERE sweep_id = $1 AND planned
      ORDER BY 1, 2`,
    [sweepId, runIds],
  );
  if (rows.length === 0 || !(await hasBegun(tx, sweepId))) return;
  const names = rows.map(({ backbone, weights }) => `${backbone} with ${weights}`).join(', ');
  const description = `need weights that this sweep's index does not have: ${names}. Submit a sweep of their own for them.`;
  throw new InvalidRequestError([{ field: 'variants', description }]);
}

/** Returns whether the sweep is planned, or a trainer is indexing. Its lease waits until the added runs are committed. */
async function hasBegun(tx: StoreTransaction, sweepId: string): Promise<boolean> {
  const { rows } = await tx.query<{ has_begun: boolean }>(
    `SELECT t.state IN ${LEASED_TASKS} OR s.planned AS has_begun
       FROM tasks t JOIN sweeps s ON s.sweep_id = t.sweep_id
      WHERE t.sweep_id = $1 AND t.stage = 'INDEX' ORDER BY t.task_id FOR NO KEY UPDATE OF t`,
    [sweepId],
  );
  return rows.some((row) => row.has_begun);
}
