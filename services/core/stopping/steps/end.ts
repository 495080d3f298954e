import type { SearchEnd } from '../action.ts';
import { freeSeconds } from '../budget.ts';
import { describeRung } from '../ladder.ts';
import type { NoRound } from '../next-round.ts';
import { nextRound } from '../next-round.ts';
import type { SearchPolicy } from '../policy.ts';
import { rankedRivals, rivalCount } from '../rung-table.ts';
import type { RungView } from '../rung-view.ts';
import type { SearchRun, SearchState } from '../search-state.ts';
import { tableAt } from '../search-state.ts';
import { unpaidReason } from './repeat.ts';
import type { Step } from './step.ts';

/** Ends a search in which nothing trains and nothing is left to decide. */
export const endWhenDecided: Step = ({ policy, state, views, isLive }) => (isLive ? null : endOf(policy, state, views));

function endOf(policy: SearchPolicy, state: SearchState, views: readonly RungView[]): SearchEnd {
  const [unpaid] = views.flatMap((view) => view.unpaid);
  if (unpaid !== undefined) {
    const needs = Math.round(unpaid.nextSeconds);
    const left = Math.round(freeSeconds(state.spending));
    const reason = `the next promotion, run ${unpaid.index}, needs ${needs} slot-seconds and ${left} are left`;
    return { kind: 'END', rule: policy.rule, cause: 'BUDGET', reason };
  }
  const unrepeated = unpaidReason(policy, state);
  if (unrepeated !== null) return { kind: 'END', rule: policy.rule, cause: 'BUDGET', reason: unrepeated };
  const runs = state.runs.filter(({ repeatOf }) => repeatOf === undefined);
  const done = runs.filter(({ status }) => status === 'DONE').length;
  const reason = `all runs are decided: ${done} of ${runs.length} trained to their end`;
  const last = lastRound(policy, state);
  if (last === null || last.cause === 'ALL_DECIDED')
    return { kind: 'END', rule: policy.rule, cause: 'ALL_DECIDED', reason };
  return { kind: 'END', rule: policy.rule, cause: last.cause, reason: `${reason}; no further round: ${last.reason}` };
}

/** Returns why no round follows; null: the sweep has none, or one follows. */
function lastRound(policy: SearchPolicy, state: SearchState): NoRound | null {
  if (policy.rounds === undefined || state.rounds === undefined) return null;
  const next = nextRound(policy, policy.rounds, state, state.rounds);
  return 'cause' in next ? next : null;
}

/** Returns why a run that waits when the search ends is stopped. */
export function notPromotedReason(policy: SearchPolicy, state: SearchState, run: SearchRun): string {
  const table = tableAt(policy, state, run.rung ?? 0);
  const place = rankedRivals(policy.objective, table).findIndex(({ runIndex }) => runIndex === run.index) + 1;
  return `not promoted; place ${place} of ${rivalCount(table)} at ${describeRung(table.definition)}`;
}
