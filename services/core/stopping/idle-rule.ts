import { countOf } from '../text/count-of.ts';
import { describeRung } from './ladder.ts';
import { judgesRuns } from './policy.ts';
import type { SearchPolicy } from './policy.ts';

/** Numbers of one rung of a sweep, in the order of the ladder. */
export interface RungNumbers {
  readonly entryCount: number;
  /** Entries at which a run is judged: those with a further rung on their way. */
  readonly judgedCount: number;
}

/**
 * Returns why the rule of a sweep has stopped and promoted nothing; null: it has, or there is no rule.
 *
 * @param rungs one element for each rung of the ladder.
 * @param hasActed whether any run was stopped or promoted.
 */
export function whyRuleIsIdle(policy: SearchPolicy, rungs: readonly RungNumbers[], hasActed: boolean): string | null {
  const { rule, ladder, minEntries } = policy;
  if (hasActed || !judgesRuns(policy)) return null;
  const [first] = ladder;
  if (first === undefined) return `${rule} has judged no run: the sweep has no rungs.`;
  const reached = ladder.filter(({ number }) => (rungs[number]?.entryCount ?? 0) > 0);
  if (reached.length === 0) return `${rule} has judged no run: no run has reached ${describeRung(first)}.`;
  const judged = Math.max(...rungs.map(({ judgedCount }) => judgedCount));
  if (judged === 0) {
    const last = reached.at(-1) ?? first;
    return `${rule} has judged no run: ${describeRung(last)} is the last rung of each run that has reached it, and a run is not stopped at its end.`;
  }
  if (judged < minEntries) {
    return `${rule} has stopped and promoted no run: it decides from ${minEntries} runs at a rung, and at most ${countOf(judged, 'run')} came to one.`;
  }
  return `${rule} has judged runs at ${countOf(reached.length, 'rung')}, and stopped and promoted none.`;
}
