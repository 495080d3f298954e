import type { ScreenedTarget } from '../../../core/search-round/screened-space.ts';
import type { Queryable } from './read-evidence.ts';

/** Reads the candidates that the screen of a sweep has decided about; none where it has no screen, or one that has not decided. */
export async function readScreened(db: Queryable, sweepId: string): Promise<ScreenedTarget[]> {
  const { rows } = await db.query<{
    backbone: string;
    weights: string;
    cut: string | null;
    image_size: number;
    pooling: 'avg' | 'max';
    kept: boolean;
  }>(
    `SELECT backbone, weights, cut, image_size, pooling, kept FROM probes
      WHERE sweep_id = $1 AND kept IS NOT NULL ORDER BY position`,
    [sweepId],
  );
  return rows.map(({ image_size: imageSize, kept: isKept, ...target }) => ({ ...target, imageSize, isKept }));
}
