import type { Step } from './step.ts';

/**
 * Waits while as many tasks are open as there are slots, so that a cut is decided with all that is known when a slot would run out of
 * work. A synchronous sweep decides a rung as soon as it is complete.
 */
export const waitForSlot: Step = ({ policy, state }) =>
  !policy.synchronous && state.openTasks >= Math.max(1, state.slots.count) ? 'WAIT' : null;
