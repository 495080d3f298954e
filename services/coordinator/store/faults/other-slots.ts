import { SLOT_FAULTS } from '../state-sql.ts';

/**
 * Returns SQL of whether a slot caused a fault: the fault is of its device, or of its whole machine.
 *
 * @param fault alias of a row of machine_faults
 * @param trainer SQL of the slot's trainer_id
 * @param index SQL of its slot_index
 */
export function isFaultOf(fault: string, trainer: string, index: string): string {
  return `${fault}.trainer_id = ${trainer} AND (${fault}.code NOT IN ${SLOT_FAULTS} OR ${fault}.slot_index = ${index})`;
}

/** Returns SQL of the slots of live trainers that may lease a task and have not failed it by a machine fault. @param task alias of its row */
export function otherSlots(task: string): string {
  return `
    SELECT 1 FROM slots os JOIN trainers ot USING (trainer_id)
     WHERE ot.state = 'READY' AND os.bench_reason = ''
       AND (os.memory_bytes = 0 OR coalesce(${task}.required_memory_bytes, 0) <= os.memory_bytes)
       AND NOT EXISTS (SELECT 1 FROM machine_faults other_fault WHERE other_fault.task_id = ${task}.task_id
                         AND ${isFaultOf('other_fault', 'os.trainer_id', 'os.slot_index')})`;
}
