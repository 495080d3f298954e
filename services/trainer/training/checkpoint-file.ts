import { ArtifactMissingError } from '../../core/errors.ts';
import type { CheckpointRef } from '../../core/task.ts';
import { ArtifactDigestError } from '../../platform/artifacts/artifact-cache.ts';
import { readTrainingCheckpoint } from '../checkpoints/training-checkpoint.ts';
import type { TrainingCheckpoint } from '../checkpoints/training-checkpoint.ts';
import type { TaskContext } from './task-context.ts';
import { damageError } from './task-error.ts';
import type { TaskFailureError } from './task-error.ts';

/**
 * Checks all checkpoints that a task starts from before it begins, so that one attempt finds all damaged ones.
 *
 * @throws {TaskFailureError} with all checkpoints whose files are missing or damaged.
 */
export async function requireIntact(
  { cache }: Pick<TaskContext, 'cache'>,
  references: readonly CheckpointRef[],
): Promise<void> {
  const damaged: CheckpointRef[] = [];
  const messages: string[] = [];
  for (const reference of references) {
    try {
      (await cache.open(reference))[Symbol.dispose]();
    } catch (error) {
      if (!isDamage(error)) throw error;
      damaged.push(reference);
      messages.push(error.message);
    }
  }
  if (damaged.length > 0) throw damagedCheckpoints(damaged, messages);
}

/**
 * Reads a checkpoint.
 *
 * @throws {TaskFailureError} when its bytes are not those that were registered.
 */
export async function openCheckpoint(
  { cache }: Pick<TaskContext, 'cache'>,
  reference: CheckpointRef,
): Promise<{ readonly path: string; readonly checkpoint: TrainingCheckpoint }> {
  try {
    using file = await cache.open(reference);
    return { path: reference.uri, checkpoint: await readTrainingCheckpoint(file.path) };
  } catch (error) {
    throw isDamage(error) ? damagedCheckpoints([reference], [error.message]) : error;
  }
}

function isDamage(error: unknown): error is ArtifactMissingError | ArtifactDigestError {
  return error instanceof ArtifactMissingError || error instanceof ArtifactDigestError;
}

function damagedCheckpoints(references: readonly CheckpointRef[], messages: readonly string[]): TaskFailureError {
  const ids = references.map(({ checkpointId }) => checkpointId);
  const message = `The checkpoint${ids.length === 1 ? '' : 's'} ${ids.join(', ')} can't be used: ${messages.join(' ')}`;
  return damageError('CHECKPOINT_DAMAGED', message, { damagedCheckpointIds: ids });
}
