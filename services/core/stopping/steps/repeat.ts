import { countOf } from '../../text/count-of.ts';
import { significant } from '../../text/significant.ts';
import type { Repetition } from '../action.ts';
import { freeSeconds } from '../budget.ts';
import { chooseFinalists } from '../finalists.ts';
import type { Finalist } from '../finalists.ts';
import type { SearchPolicy } from '../policy.ts';
import type { SearchState } from '../search-state.ts';
import { endBy } from './bound.ts';
import { LIVE_STATUSES } from './step.ts';
import type { Step } from './step.ts';

/**
 * Repeats the finalists with further seeds when nothing else of the search trains or will: one run for each action. They are compared
 * only if the budget pays for the same seeds of the first two at least. Without a `finalists` section nothing is repeated.
 */
export const repeatFinalists: Step = ({ policy, state, bound }) => {
  const { finalists, paidCount } = finalistsOf(policy, state);
  // A bound that is reached when nothing is left to do ends nothing.
  if (bound !== null) return hasUnrepeated(state, finalists) ? endBy(policy, bound) : null;
  const place = finalists.slice(0, paidCount).findIndex(({ run }) => !isRepeated(state, run.index)) + 1;
  const next = finalists[place - 1];
  return next === undefined ? null : repeat(policy, next, place, paidCount);
};

/** Finalists, and how many of the first ones the budget pays for. */
export interface FinalistsNow {
  readonly finalists: readonly Finalist[];
  readonly paidCount: number;
  /** Forecast slot-seconds of all repetitions that are left. */
  readonly neededSeconds: number;
}

/** Returns the finalists as they are now; none while other runs train, or where none are asked for. */
function finalistsOf(policy: SearchPolicy, state: SearchState): FinalistsNow {
  const { finalists: section, objective } = policy;
  const isLive = state.runs.some(({ status, repeatOf }) => repeatOf === undefined && LIVE_STATUSES.includes(status));
  if (section === undefined || state.finals === undefined || isLive) {
    return { finalists: [], paidCount: 0, neededSeconds: 0 };
  }
  const finalists = chooseFinalists(objective, section.runs, state.finals);
  const free = freeSeconds(state.spending);
  const costs = finalists.map(({ run }) => (isRepeated(state, run.index) ? 0 : (section.seeds - 1) * run.seconds));
  const sums = costs.map((_, last) => costs.slice(0, last + 1).reduce((sum, seconds) => sum + seconds, 0));
  const paid = sums.filter((seconds) => seconds <= free).length;
  const fewest = Math.min(2, finalists.length);
  return { finalists, paidCount: paid < fewest ? 0 : paid, neededSeconds: sums.at(-1) ?? 0 };
}

/** Returns why finalists are not repeated that the budget does not pay for; null: there are none. */
export function unpaidReason(policy: SearchPolicy, state: SearchState): string | null {
  const { finalists, paidCount, neededSeconds } = finalistsOf(policy, state);
  if (finalists.length === paidCount || !hasUnrepeated(state, finalists)) return null;
  const left = Math.round(freeSeconds(state.spending));
  const unpaid = finalists.length - paidCount;
  return (
    `${unpaid} of ${countOf(finalists.length, 'finalist')} ${unpaid === 1 ? 'is' : 'are'} not repeated: ` +
    `it needs ${Math.round(neededSeconds)} slot-seconds and ${left} are left`
  );
}

function hasUnrepeated(state: SearchState, finalists: readonly Finalist[]): boolean {
  return finalists.some(({ run }) => !isRepeated(state, run.index));
}

function isRepeated({ runs }: SearchState, runIndex: number): boolean {
  return runs.some(({ repeatOf }) => repeatOf === runIndex);
}

function repeat(
  { rule, objective, finalists }: SearchPolicy,
  { run, reason }: Finalist,
  place: number,
  count: number,
): Repetition {
  const seeds = finalists?.seeds ?? 1;
  const more = countOf(seeds - 1, 'further seed');
  return {
    kind: 'REPEAT',
    rule,
    runIndex: run.index,
    place,
    cut: count,
    seeds,
    reason: `repeated with ${more}: finalist ${place} of ${count}, ${objective.metric} ${significant(run.value)}, ${reason}`,
  };
}
