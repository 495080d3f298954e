import { countOf } from '../text/count-of.ts';
import { describeRung } from './ladder.ts';
import type { RungDefinition } from './ladder.ts';
import { ruleOf } from './policy.ts';
import type { SearchPolicy } from './policy.ts';
import { promotionCut } from './rung-table.ts';

/** A run that waits at a rung. */
export interface WaitingRun {
  readonly rung: RungDefinition;
  /** Place among the `count` runs that compete at the rung; the best is 1. */
  readonly place: number;
  readonly count: number;
  /** Runs that can still come to the rung without a promotion. */
  readonly coming: number;
  /** Better paused runs, which an idle slot promotes first. */
  readonly before: number;
}

/** Returns the conditions under which a waiting run trains on, as sentences. */
export function outlookOf(policy: SearchPolicy, waiting: WaitingRun): readonly string[] {
  return [
    policy.synchronous ? onceAllHaveCome(waiting) : byPlace(policy, waiting),
    ...(policy.promoteIdle && !policy.synchronous ? [byIdleSlot(waiting)] : []),
  ];
}

function onceAllHaveCome({ rung, coming }: WaitingRun): string {
  if (coming === 0) return `Every run that can reach ${describeRung(rung)} is there, so it is decided next.`;
  return `${describeRung(rung)} decides when no other run can reach it: ${countOf(coming, 'run')} still can.`;
}

function byPlace(policy: SearchPolicy, { rung, place, count, coming }: WaitingRun): string {
  const at = describeRung(rung);
  if (ruleOf(policy) !== 'promotion') return `It waits for a decision of ${policy.rule} at ${at}.`;
  const { minEntries, reductionFactor } = policy;
  if (count < minEntries && coming > 0) {
    return `Nothing is promoted from ${at} before ${minEntries} runs are there: ${count} are, and ${coming} can still come.`;
  }
  const cut = promotionCut(count, reductionFactor);
  if (place <= cut) {
    return `It is among the best ${cut} of ${count} at ${at}, which are promoted as far as the budget allows.`;
  }
  // The smallest n with ⌊n/η⌋ + 1 ≥ place.
  const missing = reductionFactor * (place - 1) - count;
  const condition = `${countOf(missing, 'more run')} at ${at} that ${missing === 1 ? 'is' : 'are'} worse`;
  return missing > coming
    ? `By its place it can't be promoted: that takes ${condition}, and ${coming === 0 ? 'no other run can' : `only ${coming} can still`} come.`
    : `It is promoted after ${condition}; ${coming} can still come.`;
}

function byIdleSlot({ before }: WaitingRun): string {
  const order = before === 0 ? 'It is the best paused run, so' : `After ${countOf(before, 'better paused run')},`;
  return `${order} a slot that would idle while the sweep still trains promotes it.`;
}
