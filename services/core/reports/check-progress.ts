import type { FieldViolation } from '../sweep/sweep-spec.ts';
import { Mistakes } from './mistakes.ts';
import { shown, textMistake } from './text-rules.ts';

/** How far an attempt says that it is. */
export interface ReportedProgress {
  readonly taskId: string;
  readonly stepCount: bigint;
  /** 0 where unknown. */
  readonly stepLimit: bigint;
  readonly detail: string;
}

const MAX_TASKS = 256;
/** Characters; a trainer cuts its own. */
export const MAX_DETAIL = 2_000;
const MAX_STEPS = 2n ** 53n;

/** Mistakes in what a heartbeat says of the tasks that a trainer holds. */
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
