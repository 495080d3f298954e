import type { FieldViolation } from '../sweep/sweep-spec.ts';
import { Mistakes } from './mistakes.ts';
import { shown, textMistake } from './text-rules.ts';

/** Progress that an attempt reports. */
export interface ReportedProgress {
  readonly taskId: string;
  readonly stepCount: bigint;
  /** Total number of steps; 0 where unknown. */
  readonly stepLimit: bigint;
  readonly detail: string;
}

const MAX_TASKS = 256;
/** Maximum length of a detail; a trainer truncates its own. */
export const MAX_DETAIL = 2_000;
const MAX_STEPS = 2n ** 53n;

/** Returns the mistakes in a heartbeat's progress of the tasks that a trainer holds. */
export function checkProgress(tasks: readonly ReportedProgress[]): FieldViolation[] {
  if (tasks.length > MAX_TASKS) {
    return [{ field: 'tasks', description: `must be at most ${MAX_TASKS}; received ${tasks.length}.` }];
  }
  const mistakes = new Mistakes();
  const seen = new Set<string>();
  for (const [index, { taskId, stepCount, stepLimit, detail }] of tasks.entries()) {
    const field = `tasks[${index}]`;
    if (taskId === '' || taskId.includes('\0') || seen.has(taskId)) {
      mistakes.add(`${field}.task_id`, `must be each task once; received ${shown(taskId)}.`);
    }
    seen.add(taskId);
    for (const [name, steps] of [['step_count', stepCount] as const, ['step_limit', stepLimit] as const]) {
      if (steps < 0n || steps > MAX_STEPS) {
        mistakes.add(`${field}.${name}`, `must be 0 to 2^53; received ${steps}.`);
      }
    }
    mistakes.add(`${field}.detail`, textMistake(detail, MAX_DETAIL));
  }
  return mistakes.list;
}
