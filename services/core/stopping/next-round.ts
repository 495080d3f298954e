import type { SearchEndCause } from './budget.ts';
import { freeSeconds, isBounded } from './budget.ts';
import { countOf } from '../text/count-of.ts';
import { headEndOf } from './ladder.ts';
import { roundsSince } from './patience-of-rounds.ts';
import type { SearchPolicy } from './policy.ts';
import type { RoundsPolicy } from './rounds-policy.ts';
import { roundSize } from './rounds-policy.ts';
import type { RoundsState, SearchRun, SearchState } from './search-state.ts';

/**
 * Part of a budget for the work before fine-tuning, where runs are fine-tuned: features and screen 15 %, heads 20 %. What they don't use is
 * for fine-tuning.
 */
const SHARE_OF_HEADS = 0.35;

/** A further round, or the reason for which none follows. */
export type NextRound = { readonly count: number } | NoRound;

export interface NoRound {
  readonly count: 0;
  /** Cause of the end, once nothing else is left to do. */
  readonly cause: SearchEndCause;
  readonly reason: string;
}

/** Returns how many runs a further round has, whether or not it is due already. */
export function nextRound(policy: SearchPolicy, rounds: RoundsPolicy, state: SearchState, now: RoundsState): NextRound {
  const runs = state.runs.filter(({ repeatOf }) => repeatOf === undefined).length;
  const left = (now.maxRuns ?? Infinity) - runs;
  if (left <= 0) return none('ALL_DECIDED', `all ${countOf(runs, 'run')} have been asked for`);
  if (now.isExhausted) {
    return none('SPACE_EXHAUSTED', `the search space has no other point than those of its ${countOf(runs, 'run')}`);
  }
  if (now.patienceRounds !== null) {
    const since = roundsSince(policy, rounds, state);
    if (since >= now.patienceRounds) {
      return none('PATIENCE', `${countOf(since, 'round')} brought no run that is distinguishably better`);
    }
  }
  const affordable = affordableRuns(rounds, state, now);
  if (typeof affordable !== 'number') return affordable;
  return { count: Math.min(roundSize(rounds, now.maxRuns), left, affordable) };
}

/** Returns how many further heads a budget pays for. */
function affordableRuns({ fineTunes }: RoundsPolicy, state: SearchState, now: RoundsState): number | NoRound {
  const { budget, wallSeconds } = state.spending;
  const share = fineTunes ? SHARE_OF_HEADS : 1;
  const part = fineTunes ? "the heads' share" : 'all';
  const wallBound = budget?.wallSeconds ?? Infinity;
  if (wallSeconds !== null && wallSeconds >= share * wallBound) {
    return none('WALL_TIME', `${part} of the wall time has passed`);
  }
  if (!isBounded(budget)) return Infinity;
  const used = now.headSeconds + now.featureSeconds;
  const free = freeSeconds(state.spending);
  const left = fineTunes ? Math.min(free, share * budget.slotSeconds - used) : free;
  const secondsOfOne = state.runs.length === 0 ? 0 : now.headSeconds / state.runs.length;
  const count = left <= 0 ? 0 : Math.floor(left / Math.max(secondsOfOne, Number.MIN_VALUE));
  return count > 0 ? count : none('BUDGET', `${part} of the slot-seconds is spent`);
}

/** Returns whether a run has ended its head, or has none and has come to its first rung: a model knows what it is worth. */
export function hasEndedHead({ status, rung, path }: SearchRun): boolean {
  if (status !== 'BELOW' && status !== 'TRAINING' && status !== 'PAUSING') return true;
  const end = headEndOf(path) ?? path[0];
  if (end === undefined || rung === null) return false;
  // A head is in a group, which ends as one. A run that pauses, or that ends with its head, has not left the group yet.
  const leaves = status === 'TRAINING' && end.rung !== path.at(-1)?.rung;
  return leaves ? rung >= end.rung : rung > end.rung;
}

function none(cause: SearchEndCause, reason: string): NoRound {
  return { count: 0, cause, reason };
}
