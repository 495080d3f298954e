import { ADAPTIVE_STRATEGIES } from '../../../core/samplers/samplers.ts';
import { weightsOfSpace } from '../../../core/samplers/space-weights.ts';
import type { SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import type { WeightsReference } from '../../../core/task.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Returns the distinct weights that the runs of a sweep name, and those of the runs that its strategy may ask for; once it is planned, those
 * that INDEX has resolved.
 */
export async function readWeightsReferences(tx: StoreTransaction, sweepId: string): Promise<WeightsReference[]> {
  const { rows } = await tx.query<{ backbone: string; weights: string; asking: SweepSpec | null }>(
    `SELECT w.backbone, w.weights, CASE WHEN NOT s.planned AND s.spec ->> 'strategy' = ANY($2) THEN s.spec END AS asking
       FROM sweeps s
      CROSS JOIN LATERAL (
        SELECT parameters ->> 'backbone' AS backbone, parameters ->> 'weights' AS weights
          FROM runs WHERE sweep_id = s.sweep_id AND NOT s.planned
         UNION
        SELECT info ->> 'backbone', info ->> 'weights' FROM jsonb_array_elements(s.weights) AS info WHERE s.planned) w
      WHERE s.sweep_id = $1
      ORDER BY 1, 2`,
    [sweepId, ADAPTIVE_STRATEGIES],
  );
  const named = rows.map(({ backbone, weights }) => ({ backbone, weights }));
  const asking = rows[0]?.asking ?? null;
  const isNamed = ({ backbone, weights }: WeightsReference): boolean =>
    named.some((other) => other.backbone === backbone && other.weights === weights);
  return asking === null ? named : [...named, ...weightsOfSpace(asking).filter((reference) => !isNamed(reference))];
}
