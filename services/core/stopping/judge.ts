import { describeRung } from './ladder.ts';
import type { SearchPolicy } from './policy.ts';
import { pausesAt, pausesAtRungs, ruleOf, versionOf } from './policy.ts';
import type { StoppingRule } from '../sweep/search-spec.ts';
import type { Arrival, Rule, Verdict } from './rule.ts';
import { verdict } from './rule.ts';
import { rivalCount } from './rung-table.ts';
import { asha } from './rules/asha.ts';
import { none } from './rules/none.ts';
import { paired } from './rules/paired.ts';
import { patience } from './rules/patience.ts';
import { percentile } from './rules/percentile.ts';
import { promotion } from './rules/promotion.ts';
import { threshold } from './rules/threshold.ts';

const RULES: Readonly<Record<StoppingRule, Rule>> = {
  none,
  promotion,
  asha,
  median: percentile,
  percentile,
  paired,
  // Their limits hold beside any rule, and nothing else does here.
  threshold: none,
  patience: none,
};

/** Returns what happens to a run that has come to a rung: a pure function, so that a stored verdict can be recomputed. */
export function judge(policy: SearchPolicy, arrival: Arrival): Verdict {
  const { definition } = arrival.table;
  const count = rivalCount(arrival.table);
  const step = arrival.path.find(({ rung }) => rung === definition.number);
  if (step === undefined || step.rung === arrival.path.at(-1)?.rung) {
    return verdict('CONTINUE', policy.rule, 'the last rung of the run: trained to its end', { count });
  }
  if (arrival.reused === true) {
    return verdict('CONTINUE', policy.rule, 'its result was taken from another sweep', { count });
  }
  if (arrival.trainedOn === true) {
    return verdict('CONTINUE', policy.rule, "trained on: the trainer's version can't pause", { count });
  }
  if (arrival.unreported === true) {
    return verdict('CONTINUE', policy.rule, 'trained on: no report came when it passed the rung', { count });
  }
  const limited = threshold(policy, arrival) ?? patience(policy, arrival);
  if (limited !== null) return limited;
  if (!pausesAtRungs(policy)) return decide(policy, arrival);
  if (!pausesAt(policy, arrival.path, step)) {
    return verdict('CONTINUE', policy.rule, 'runs are not paused inside the head', { count });
  }
  const ranks = !policy.synchronous || versionOf(policy) === 1;
  if (ruleOf(policy) === 'promotion' && ranks) return decide(policy, arrival);
  // Neither place nor cut: both would depend on the order in which runs come.
  const reason = `waits until every run that can come to ${describeRung(definition)} has come`;
  return verdict('PAUSE', policy.rule, reason);
}

/** Applies the rule to a table, whether or not the sweep waits for other runs. */
export function decide(policy: SearchPolicy, arrival: Arrival): Verdict {
  return RULES[ruleOf(policy)](policy, arrival);
}
