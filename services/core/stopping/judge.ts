import { describeRung } from './ladder.ts';
import type { RuleVersion, SearchPolicy } from './policy.ts';
import { pausesAt, pausesAtRungs, ruleOf } from './policy.ts';
import type { Arrival, Rule, Verdict } from './rule.ts';
import { verdict } from './rule.ts';
import { rivalCount } from './rung-table.ts';
import { none } from './rules/none.ts';
import { promotion } from './rules/promotion.ts';

const RULES: Partial<Readonly<Record<RuleVersion, Rule>>> = {
  'none@1': none,
  'promotion@1': promotion,
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
  if (arrival.trainedOn === true) {
    return verdict('CONTINUE', policy.rule, "trained on: the trainer's version can't pause", { count });
  }
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
  const rule = RULES[policy.rule];
  if (rule === undefined) throw new Error(`There is no rule '${policy.rule}'.`);
  return rule(policy, arrival);
}
