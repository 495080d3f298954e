import type { Healing } from '../../../core/repair.ts';
import type { TaskError } from '../../../core/task.ts';
import { remakeFeatures } from './recompute-features.ts';
import type { LockedSweep } from '../move-sweep.ts';
import type { FencedTask } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { indexAgain } from './reindex.ts';
import { replaceCheckpoints } from './replace-checkpoints.ts';
import type { ConfirmedDamage } from './damaged-checkpoint.ts';

/**
 * Has stored files that an attempt found missing or damaged made again, and the task wait for them. Such an attempt is not
 * counted against its task; each thing is made again at most `MAX_REMAKES` times in a sweep.
 *
 * @returns null where nothing of what the error names concerns the task: it is an error like any other then.
 */
export async function heal(
  tx: StoreTransaction,
  sweep: LockedSweep,
  task: FencedTask,
  error: TaskError,
  damage: ConfirmedDamage,
): Promise<Healing | null> {
  const found = [
    error.manifestDamaged === true ? await indexAgain(tx, sweep, task, error.message) : null,
    await remakeFeatures(tx, sweep, task, error.missingFeatureKeys ?? []),
    await replaceCheckpoints(tx, sweep, task, damage),
  ].filter((healing) => healing !== null);
  if (found.length === 0) return null;
  const failures = found.flatMap(({ failure }) => failure ?? []);
  const runIds = failures.some((failure) => failure.runIds === null) ? null : failures.flatMap((f) => f.runIds ?? []);
  const reason = failures.map((failure) => failure.reason).join('\n');
  return { waits: found.some(({ waits }) => waits), failure: failures.length === 0 ? null : { reason, runIds } };
}
