import { describeRung } from './ladder.ts';
import type { RuleVersion, SearchPolicy } from './policy.ts';
import { pausesAt, pausesAtRungs, ruleOf } from './policy.ts';
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

const RULES: Readonly<Record<RuleVersion, Rule>> = {
  'none@1': none,
  'promotion@1': promotion,
  'asha@1': asha,
  'median@1': percentile,
  'percentile@1': percentile,
  'paired@1': paired,
  // Their limits hold beside any rule, and nothing else does here.
  'threshold@1': none,
  'patience@1': none,
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
  const limited = threshold(policy, arrival) ?? patience(policy, arrival);
  if (limited !== null) return limited;
  if (!pausesAtRungs(policy)) return decide(policy, arrival);
  if (!pausesAt(policy, arrival.path, step)) {
    return verdict('CONTINUE', policy.rule, 'runs are not paused inside the head', { count });
  }
  if (ruleOf(policy) === 'promotion') return decide(policy, arrival);
  const reason = `waits until every run that can come to ${describeRung(definition)} has come`;
  return verdict('PAUSE', policy.rule, reason, { count });
}

/** Applies the rule to a table, whether or not the sweep waits for other runs. */
export function decide(policy: SearchPolicy, arrival: Arrival): Verdict {
  return RULES[policy.rule](policy, arrival);
}
