import type { ReleaseReason } from '../lease/coordinator-port.ts';

/**
 * The mode of an attempt.
 *
 * States:
 * - `working`: the worker computes, and nothing was asked of it.
 * - `pausing`: the worker was asked to save. When it has stopped, the task is handed back with `releaseReason`.
 * - `stopping`: the worker was asked to save. When it has stopped, the epochs reported so far are the result. A worker that
 *   had already answered an earlier pause hands the task back instead, with `releaseReason`.
 * - `reporting`: the outcome is decided. Its call is queued behind all earlier reports; handing back uses `releaseReason`.
 * - `ended`: the last call is answered, or the lease is lost.
 *
 * Transitions:
 * - `working` → `pausing`: a PAUSE directive, a drain of the trainer, or silence of the coordinator.
 * - `working`, `pausing` → `stopping`: a STOP directive.
 * - `working`, `pausing`, `stopping` → `reporting`: the worker completed, failed, stopped or died; a deadline passed; a KILL
 *   directive; a drain that took too long; a report that the coordinator refused.
 * - any → `ended`: the last call was answered, the lease was lost, or the trainer ends.
 * - `pausing`, `stopping`, `reporting` → the same: a drain replaces the reason.
 *
 * Guarantees:
 * - A mode is never left for an earlier one, so an attempt has one outcome.
 * - From `reporting` on, events of the worker, directives and deadlines don't change the outcome.
 * - In `ended`, no timer, call or listener of the attempt is left, and nothing more is written under its lease.
 */
export type AttemptMode =
  | { readonly name: 'working' }
  | { readonly name: 'pausing' | 'stopping' | 'reporting'; readonly releaseReason: ReleaseReason }
  | { readonly name: 'ended' };

const NEXT: Readonly<Record<AttemptMode['name'], readonly AttemptMode['name'][]>> = {
  working: ['pausing', 'stopping', 'reporting', 'ended'],
  pausing: ['pausing', 'stopping', 'reporting', 'ended'],
  stopping: ['stopping', 'reporting', 'ended'],
  reporting: ['reporting', 'ended'],
  ended: [],
};

/** Returns whether an attempt in mode `current` may enter `next`. */
export function mayEnter(current: AttemptMode, next: AttemptMode): boolean {
  return NEXT[current.name].includes(next.name);
}

/** Returns whether the outcome is still open: the worker is heard and may be given commands. */
export function isOpen({ name }: AttemptMode): boolean {
  return name !== 'reporting' && name !== 'ended';
}
