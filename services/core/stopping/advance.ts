import type { SearchAction } from './action.ts';
import type { SearchPolicy } from './policy.ts';
import type { SearchState } from './search-state.ts';
import { endAtBound, endBeforePromotions } from './steps/bound.ts';
import { endWhenDecided } from './steps/end.ts';
import { promoteForIdleSlot } from './steps/idle-promotion.ts';
import { promoteAboveHeads, promoteFromHeads } from './steps/promotion.ts';
import { repeatFinalists } from './steps/repeat.ts';
import { screenCandidates } from './steps/screen.ts';
import { Moment } from './steps/step.ts';
import type { Step } from './steps/step.ts';
import { promoteBeforeRound, suggestRound } from './steps/suggest-round.ts';
import { waitForSlot } from './steps/wait-for-slot.ts';

/** The steps of a search. The first one that is due acts. */
const STEPS: readonly Step[] = [
  endAtBound,
  screenCandidates,
  waitForSlot,
  endBeforePromotions,
  promoteAboveHeads,
  promoteBeforeRound,
  suggestRound,
  promoteFromHeads,
  promoteForIdleSlot,
  repeatFinalists,
  endWhenDecided,
];

/** Returns what to do next in a search; null: wait. The caller applies it and asks again until there is nothing to do. */
export function nextAction(policy: SearchPolicy, state: SearchState): SearchAction | null {
  const moment = new Moment(policy, state);
  for (const step of STEPS) {
    const action = step(moment);
    if (action !== null) return action === 'WAIT' ? null : action;
  }
  return null;
}
