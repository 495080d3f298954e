import { describeFaults, FAULTS_TO_BENCH } from '../../../core/machine-fault.ts';
import type { TaskError } from '../../../core/task.ts';
import type { FencedTask } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { isFaultOf, otherSlots } from './other-slots.ts';

export interface RecordedFault {
  /** Whether a slot that has not failed the task so may take it. */
  readonly hasOtherSlot: boolean;
  /** Times that there was none, this one included. */
  readonly machineRounds: number;
  /** The error's, with what the other slots said where all have failed the task, and whether the slot is benched now. */
  readonly message: string;
}

/**
 * Notes that a task failed by a fault of the machine that holds its lease. Where no other slot is left to try, the faults of
 * this task say nothing of the machines, and go. `reviewBenches` draws the conclusions after the commit.
 *
 * @param taskId the task that avoids the machine from now on, where that is not the leased one: a member that goes on alone
 */
export async function recordFault(
  tx: StoreTransaction,
  lease: Pick<FencedTask, 'taskId' | 'leaseEpoch'>,
  error: TaskError,
  taskId: string = lease.taskId,
): Promise<RecordedFault> {
  const { rows: noted } = await tx.query<{ trainer_id: string; slot_index: number }>(
    `INSERT INTO machine_faults (task_id, trainer_id, slot_index, code, message)
     SELECT $3, trainer_id, slot_index, $4, $5 FROM attempts WHERE task_id = $1 AND lease_epoch = $2
     ON CONFLICT (task_id, trainer_id, slot_index) DO UPDATE
        SET code = excluded.code, message = excluded.message, create_time = now()
     RETURNING trainer_id, slot_index`,
    [lease.taskId, lease.leaseEpoch, taskId, error.code, error.message],
  );
  // What was long ago says nothing of the machine now.
  await tx.query(`DELETE FROM machine_faults WHERE create_time < now() - interval '1 hour'`);
  for (const { trainer_id: trainerId } of noted) tx.suspects.add(trainerId);
  const { rows: others } = await tx.query(
    `SELECT 1 FROM tasks t WHERE t.task_id = $1 AND EXISTS (${otherSlots('t')})`,
    [taskId],
  );
  if (others.length === 0) return withoutOthers(tx, taskId, error);
  const [slot] = noted;
  const isBenched = slot !== undefined && (await countFaults(tx, slot)) >= FAULTS_TO_BENCH;
  const benched = `${FAULTS_TO_BENCH} tasks have failed so there: trainer ${slot?.trainer_id ?? ''} gets no more until it works again.`;
  return { hasOtherSlot: true, machineRounds: 0, message: isBenched ? `${error.message} ${benched}` : error.message };
}

async function withoutOthers(tx: StoreTransaction, taskId: string, error: TaskError): Promise<RecordedFault> {
  const { rows: faults } = await tx.query<{ trainer_id: string; hostname: string; message: string }>(
    `WITH gone AS (DELETE FROM machine_faults WHERE task_id = $1 RETURNING trainer_id, message, create_time)
     SELECT g.trainer_id, t.hostname, g.message FROM gone g JOIN trainers t USING (trainer_id) ORDER BY g.create_time`,
    [taskId],
  );
  for (const { trainer_id: trainerId } of faults) tx.suspects.add(trainerId);
  const { rows: rounds } = await tx.query<{ machine_round_count: number }>(
    'UPDATE tasks SET machine_round_count = machine_round_count + 1 WHERE task_id = $1 RETURNING machine_round_count',
    [taskId],
  );
  const told = faults.map(({ trainer_id: trainerId, hostname, message }) => ({ trainerId, hostname, message }));
  return {
    hasOtherSlot: false,
    machineRounds: rounds[0]?.machine_round_count ?? 1,
    message: describeFaults(told, error.message),
  };
}

async function countFaults(
  tx: StoreTransaction,
  slot: { readonly trainer_id: string; readonly slot_index: number },
): Promise<number> {
  const { rows } = await tx.query<{ count: number }>(
    `SELECT count(DISTINCT f.task_id)::int AS count FROM machine_faults f WHERE ${isFaultOf('f', '$1', '$2')}`,
    [slot.trainer_id, slot.slot_index],
  );
  return rows[0]?.count ?? 0;
}

/** After a pause for a machine's fault the rounds begin anew. */
export async function forgetRounds(tx: StoreTransaction, taskId: string): Promise<void> {
  await tx.query('UPDATE tasks SET machine_round_count = 0 WHERE task_id = $1', [taskId]);
}
