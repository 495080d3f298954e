import { MAX_REPAIRS } from '../../../core/repair.ts';
import type { Repair, RepairFailure } from '../../../core/repair.ts';
import type { FencedTask, TaskScope } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { ConfirmedDamage, DamagedCheckpoint } from './damaged-checkpoint.ts';
import { waitForMakers } from '../tasks/insert-first.ts';
import { retrain } from './retrain.ts';
import { PENDING_TASKS } from '../state-sql.ts';

/**
 * Takes damaged checkpoints out of use. A task that was to resume from one resumes from its predecessor, or restarts its stage. A stage
 * whose damaged result is the source of another stage is retrained, to the same numbers, and all tasks of the sweep that need the
 * result depend on it.
 *
 * @param damage confirmed damage; checkpoints without an entry are not touched
 */
export async function replaceCheckpoints(scope: TaskScope, damage: ConfirmedDamage): Promise<Repair | null> {
  const { tx, task } = scope;
  const found = await readDamaged(tx, task, [...damage.keys()]);
  if (found.length === 0) return null;
  const worn = found.filter(({ damaged_before }) => damaged_before >= MAX_REPAIRS);
  const untrainable = found.filter((row) => row.is_source && !row.has_twin && !canBeRetrained(task, row));
  let waits = false;
  for (const row of found) {
    if (!row.is_source || worn.includes(row) || untrainable.includes(row)) continue;
    const dependents = await dependentsOf(tx, task, row);
    if (!row.has_twin) {
      await waitForMakers(tx, dependents, [await retrain(scope, row)]);
      waits = true;
    }
    await tx.query(
      'UPDATE task_runs SET source_checkpoint_id = NULL WHERE source_checkpoint_id = $1 AND task_id = ANY($2)',
      [row.checkpoint_id, dependents],
    );
  }
  await markDamaged(tx, damage);
  return { waits, failure: failureOf(worn, untrainable, damage) };
}

/** Returns false for a stopped run that is evaluated as it was: retraining would train it further. */
function canBeRetrained(task: FencedTask, row: DamagedCheckpoint): boolean {
  return task.stage !== 'EVALUATE' || row.run_state === 'SUCCEEDED' || !row.member_ids.includes(row.run_id);
}

function failureOf(
  worn: readonly DamagedCheckpoint[],
  untrainable: readonly DamagedCheckpoint[],
  damage: ConfirmedDamage,
): RepairFailure | null {
  const whyOf = ({ checkpoint_id: id, uri }: DamagedCheckpoint): string => damage.get(id) ?? `${uri} is damaged`;
  const reasons = [
    ...worn.map((row) => `${whyOf(row)}, as ${MAX_REPAIRS} before it were; check the disk of the artifact store`),
    ...untrainable.map((row) => `${whyOf(row)}, and run ${row.run_id} is ${row.run_state}, so it can't be retrained`),
  ];
  if (reasons.length === 0) return null;
  const runIds = [...worn, ...untrainable].flatMap(({ member_ids: memberIds }) => memberIds);
  return { reason: reasons.join('\n'), runIds: [...new Set(runIds)].sort() };
}

async function readDamaged(
  tx: StoreTransaction,
  task: FencedTask,
  checkpointIds: readonly string[],
): Promise<DamagedCheckpoint[]> {
  if (checkpointIds.length === 0) return [];
  const { rows } = await tx.query<DamagedCheckpoint>(
    `SELECT c.checkpoint_id, c.run_id, r.state AS run_state, c.task_id, c.stage, c.epoch, c.uri,
            EXISTS (SELECT 1 FROM task_runs tr WHERE tr.task_id = $1 AND tr.source_checkpoint_id = c.checkpoint_id) AS is_source,
            ARRAY(SELECT tr.run_id FROM task_runs tr
                   WHERE tr.task_id = $1 AND (tr.source_checkpoint_id = c.checkpoint_id OR c.stage = $2 AND tr.run_id = c.run_id)
                   ORDER BY tr.run_id) AS member_ids,
            (SELECT count(*)::int FROM checkpoints o
              WHERE o.run_id = c.run_id AND o.stage = c.stage AND o.kind = c.kind AND o.damage IS NOT NULL
                AND o.checkpoint_id <> c.checkpoint_id) AS damaged_before,
            EXISTS (SELECT 1 FROM checkpoints o
                     WHERE o.run_id = c.run_id AND o.stage = c.stage AND o.epoch = c.epoch AND o.kind = 'BEST'
                       AND o.state = 'STORED' AND o.checkpoint_id <> ALL($3)) AS has_twin
       FROM checkpoints c JOIN runs r ON r.run_id = c.run_id
      WHERE c.checkpoint_id = ANY($3)
        AND (EXISTS (SELECT 1 FROM task_runs tr WHERE tr.task_id = $1 AND tr.source_checkpoint_id = c.checkpoint_id)
             OR c.stage = $2 AND EXISTS (SELECT 1 FROM task_runs tr WHERE tr.task_id = $1 AND tr.run_id = c.run_id))
      ORDER BY c.checkpoint_id`,
    [task.taskId, task.stage, checkpointIds],
  );
  return rows;
}

/** Returns the task and the pending tasks of its sweep that start from the checkpoint or would choose it when they are leased. */
async function dependentsOf(tx: StoreTransaction, task: FencedTask, row: DamagedCheckpoint): Promise<string[]> {
  const { rows } = await tx.query<{ task_id: string }>(
    `SELECT DISTINCT t.task_id
       FROM tasks t JOIN task_runs tr ON tr.task_id = t.task_id JOIN runs r ON r.run_id = tr.run_id
      WHERE t.sweep_id = $1 AND (t.task_id = $2 OR t.state IN ${PENDING_TASKS})
        AND (tr.source_checkpoint_id = $3
             OR tr.source_checkpoint_id IS NULL AND t.stage = 'EVALUATE' AND coalesce(r.reused_run_id, r.run_id) = $4
             OR tr.source_checkpoint_id IS NULL AND t.stage IN ('FINE_TUNE', 'EVALUATE') AND $5 = 'HEAD'
                AND coalesce(r.head_run_id, r.run_id) = $4)
      ORDER BY t.task_id`,
    [task.sweepId, task.taskId, row.checkpoint_id, row.run_id, row.stage],
  );
  return rows.map(({ task_id }) => task_id);
}

/** Marks checkpoints as damaged, so that they are no longer used and retention removes their files. */
async function markDamaged(tx: StoreTransaction, damage: ConfirmedDamage): Promise<void> {
  await tx.query(
    `UPDATE checkpoints c
        SET damage = d.damage, state = 'DELETING'
       FROM unnest($1::text[], $2::text[]) AS d (checkpoint_id, damage)
      WHERE c.checkpoint_id = d.checkpoint_id AND c.state = 'STORED'`,
    [[...damage.keys()], [...damage.values()]],
  );
}
