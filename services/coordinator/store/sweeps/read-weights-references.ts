import type { WeightsReference } from '../../../core/task.ts';
import type { StoreTransaction } from '../transaction.ts';

/** Returns the distinct weights that the runs of a sweep name; once it is planned, those that INDEX has resolved. */
export async function readWeightsReferences(tx: StoreTransaction, sweepId: string): Promise<WeightsReference[]> {
  const { rows } = await tx.query<{ backbone: string; weights: string }>(
    `SELECT DISTINCT parameters ->> 'backbone' AS backbone, parameters ->> 'weights' AS weights
       FROM runs WHERE sweep_id = $1 AND NOT (SELECT planned FROM sweeps WHERE sweep_id = $1)
      UNION
     SELECT info ->> 'backbone', info ->> 'weights'
       FROM sweeps, jsonb_array_elements(sweeps.weights) AS info WHERE sweep_id = $1 AND planned
      ORDER BY 1, 2`,
    [sweepId],
  );
  return rows.map(({ backbone, weights }) => ({ backbone, weights }));
}
