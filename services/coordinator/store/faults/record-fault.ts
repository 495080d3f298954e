import { describeFaults, FAULTS_TO_BENCH } from '../../../core/machine-fault.ts';
import type { TaskError } from '../../../core/task.ts';
import type { FencedTask } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { isFaultOf, otherSlots } from './other-slots.ts';

export interface RecordedFault {
  /** True if a slot without a fault in this task may lease it. */
  readonly hasOtherSlot: boolean;
  /** Number of times that every slot had failed the task, this one included. */
  readonly machineRounds: number;
  /** The error's message, with the faults of the other slots when all have failed the task, and whether the slot is benched now. */
  readonly message: string;
}

/**
 * Records that a task failed by a fault of the machine that holds its lease. When every slot has failed the task, its faults are no
 * evidence against the machines and are deleted. `reviewBenches` benches slots after the commit.
 *
 * @param taskId the task that avoids the machine from now on, if not the leased one: that of a member that continues alone
 */
export async function recordFault(
  tx: StoreTransaction,
  lease: Pick<FencedTask, 'taskId' | 'leaseEpoch'>,
  error: TaskError,
  taskId: string = lease.taskId,
): Promise<RecordedFault> {
  const { rows: recorded } = await tx.query<{ trainer_id: string; slot_index: number }>(
    `INSERT INTO machine_faults (task_id, trainer_id, slot_index, code, message)
     SELECT $3, trainer_id, slot_index, $4, $5 FROM attempts WHERE task_id = $1 AND lease_epoch = $2
     ON CONFLICT (task_id, trainer_id, slot_index) DO UPDATE
        SET code = excluded.code, message = excluded.message, create_time = now()
     RETURNING trainer_id, slot_index`,
    [lease.taskId, lease.leaseEpoch, taskId, error.code, error.message],
  );
  // Old faults are no evidence about the machine's present condition.
  await tx.query(`DELETE FROM machine_faults WHERE create_time < now() - interval '1 hour'`);
  for (const { trainer_id: trainerId } of recorded) tx.suspects.add(trainerId);
  const { rows: others } = await tx.query(
    `SELECT 1 FROM tasks t WHERE t.task_id = $1 AND EXISTS (${otherSlots('t')})`,
    [taskId],
  );
  if (others.length === 0) return withoutOthers(tx, taskId, error);
  const [slot] = recorded;
  const isBenched = slot !== undefined && (await countFaults(tx, slot)) >= FAULTS_TO_BENCH;
  const benched = `${FAULTS_TO_BENCH} tasks have failed there by such faults: trainer ${slot?.trainer_id ?? ''} gets no tasks until it registers with a good report, or every other slot has failed one of these tasks as well.`;
  return { hasOtherSlot: true, machineRounds: 0, message: isBenched ? `${error.message} ${benched}` : error.message };
}

interface FaultRow {
  readonly trainer_id: string;
  readonly hostname: string;
  readonly message: string;
}

/**
 * Deletes the faults of a task that no slot can do, which are no evidence against the machines.
 *
 * @param codes of the faults; null: all
 */
export async function forgetFaults(
  tx: StoreTransaction,
  taskId: string,
  codes: readonly string[] | null = null,
): Promise<readonly FaultRow[]> {
  const { rows } = await tx.query<FaultRow>(
    `WITH deleted AS (DELETE FROM machine_faults WHERE task_id = $1 AND ($2::text[] IS NULL OR code = ANY($2))
                       RETURNING trainer_id, message, create_time)
     SELECT g.trainer_id, t.hostname, g.message FROM deleted g JOIN trainers t USING (trainer_id) ORDER BY g.create_time`,
    [taskId, codes],
  );
  for (const { trainer_id: trainerId } of rows) tx.suspects.add(trainerId);
  return rows;
}

async function withoutOthers(tx: StoreTransaction, taskId: string, error: TaskError): Promise<RecordedFault> {
  const faults = await forgetFaults(tx, taskId);
  const { rows: rounds } = await tx.query<{ machine_round_count: number }>(
    'UPDATE tasks SET machine_round_count = machine_round_count + 1 WHERE task_id = $1 RETURNING machine_round_count',
    [taskId],
  );
  const reported = faults.map(({ trainer_id: trainerId, hostname, message }) => ({ trainerId, hostname, message }));
  return {
    hasOtherSlot: false,
    machineRounds: rounds[0]?.machine_round_count ?? 1,
    message: describeFaults(reported, error.message),
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

/** Resets the count of rounds in which every slot failed the task, after its sweep was paused for that. */
export async function resetRounds(tx: StoreTransaction, taskId: string): Promise<void> {
  await tx.query('UPDATE tasks SET machine_round_count = 0 WHERE task_id = $1', [taskId]);
}
