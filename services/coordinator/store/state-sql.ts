import { SEARCH_BOUNDS } from '../../core/records/decision.ts';
import { ENDED_WITH_SEARCH } from '../../core/records/run.ts';
import {
  CONCLUDED_RUN_STATES,
  CUT_SHORT_RUN_STATES,
  IDLE_RUN_STATES,
  LEFT_OUT_RUN_STATES,
  RUN_STATES,
  TRAINING_RUN_STATES,
  USABLE_RUN_STATES,
} from '../../core/states/run-state.ts';
import { SWEEP_STATES } from '../../core/states/sweep-state.ts';
import {
  LEASED_TASK_STATES,
  PENDING_TASK_STATES,
  TASK_STATES,
  UNSUCCESSFUL_TASK_STATES,
} from '../../core/states/task-state.ts';
import { STAGES, TRAINED_STAGES } from '../../core/task.ts';
import { SLOT_FAULT_CODES } from '../../core/machine-fault.ts';

/** Renders a closed list as the right side of `IN`. */
function listOf(words: Iterable<string>): string {
  return `(${Array.from(words, (word) => `'${word}'`).join(', ')})`;
}

// Constants, because statements are prepared by their text, and a partial index is used only where its predicate is in the text.

export const LIVE_SWEEPS = listOf(SWEEP_STATES.live);
export const ENDED_SWEEPS = listOf(SWEEP_STATES.terminal);

export const LIVE_TASKS = listOf(TASK_STATES.live);
export const PENDING_TASKS = listOf(PENDING_TASK_STATES);
export const LEASED_TASKS = listOf(LEASED_TASK_STATES);
export const UNSUCCESSFUL_TASKS = listOf(UNSUCCESSFUL_TASK_STATES);

export const LIVE_RUNS = listOf(RUN_STATES.live);
export const ENDED_RUNS = listOf(RUN_STATES.terminal);
export const IDLE_RUNS = listOf(IDLE_RUN_STATES);
export const TRAINING_RUNS = listOf(TRAINING_RUN_STATES);
export const USABLE_RUNS = listOf(USABLE_RUN_STATES);
export const CONCLUDED_RUNS = listOf(CONCLUDED_RUN_STATES);
export const CUT_SHORT_RUNS = listOf(CUT_SHORT_RUN_STATES);
export const LEFT_OUT_RUNS = listOf(LEFT_OUT_RUN_STATES);

/** Ends of a search that also stop the runs that train. */
export const BOUNDS = listOf(SEARCH_BOUNDS);

/** Causes of runs that only the end of their search has stopped. */
export const SEARCH_END_CAUSES = listOf(ENDED_WITH_SEARCH);

/** Stages in the order in which a run goes through them. */
export const STAGE_ARRAY = `ARRAY[${listOf(STAGES).slice(1, -1)}]`;
export const TRAINED_STAGE_LIST = listOf(TRAINED_STAGES);
export const SLOT_FAULTS = listOf(SLOT_FAULT_CODES);
