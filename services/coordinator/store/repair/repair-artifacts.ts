import type { Repair } from '../../../core/repair.ts';
import type { TaskError } from '../../../core/task.ts';
import { recomputeFeatures } from './recompute-features.ts';
import type { TaskScope } from '../tasks/fence.ts';
import { reindex } from './reindex.ts';
import { replaceCheckpoints } from './replace-checkpoints.ts';
import type { ConfirmedDamage } from './damaged-checkpoint.ts';

/**
 * Schedules the repair of stored files that an attempt found missing or damaged, and makes the task depend on it. Such an attempt is not
 * counted against its task; each artifact is repaired at most `MAX_REPAIRS` times in a sweep.
 *
 * @returns null when the error names no artifact of the task: it is an ordinary error then.
 */
export async function repairArtifacts(
  scope: TaskScope,
  error: TaskError,
  damage: ConfirmedDamage,
): Promise<Repair | null> {
  const found = [
    error.manifestDamaged === true ? await reindex(scope, error.message) : null,
    await recomputeFeatures(scope, error.missingFeatureKeys ?? []),
    await replaceCheckpoints(scope, damage),
  ].filter((repair) => repair !== null);
  if (found.length === 0) return null;
  const failures = found.flatMap(({ failure }) => failure ?? []);
  const runIds = failures.some((failure) => failure.runIds === null) ? null : failures.flatMap((f) => f.runIds ?? []);
  const reason = failures.map((failure) => failure.reason).join('\n');
  return { waits: found.some(({ waits }) => waits), failure: failures.length === 0 ? null : { reason, runIds } };
}
