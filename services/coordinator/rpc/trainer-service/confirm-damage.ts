import { findDamage } from '../../../platform/artifacts/find-damage.ts';
import { findCheckpointFiles } from '../../store/checkpoints/find-checkpoint-files.ts';
import type { TaskEnd } from '../../store/complete/complete-task.ts';
import type { RpcContext } from '../rpc-context.ts';

/**
 * Checks the checkpoints that a failed attempt reports as damaged. Their files are removed afterwards, so the report of a trainer
 * whose own memory or mount may be faulty is not enough. Checkpoints that are intact here are kept.
 */
export async function confirmDamage({ store, artifacts, log }: RpcContext, end: TaskEnd): Promise<TaskEnd> {
  if (end.kind !== 'error' || end.error.damagedCheckpointIds === undefined) return end;
  const damage = new Map<string, string>();
  for (const { checkpointId, ...file } of await findCheckpointFiles(store, end.error.damagedCheckpointIds)) {
    try {
      const found = await findDamage(artifacts, file);
      if (found !== null) damage.set(checkpointId, `checkpoint ${checkpointId}: ${file.uri} ${found}`);
    } catch (error) {
      log.warn({ err: error, checkpoint_id: checkpointId }, 'checkpoint reported as damaged could not be read');
    }
  }
  return { ...end, damage };
}
