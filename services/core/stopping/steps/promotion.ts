import type { Promotion } from '../action.ts';
import { describeRung, stepAfter } from '../ladder.ts';
import type { SearchPolicy } from '../policy.ts';
import { countOf } from '../../text/count-of.ts';
import { rivalCount } from '../rung-table.ts';
import type { RungView } from '../rung-view.ts';
import { placeOf } from '../rung-view.ts';
import type { SearchRun } from '../search-state.ts';
import type { Step } from './step.ts';

/** Promotes the best run that waits within the cut of a rung of fine-tuning. Higher rungs come first. */
export const promoteAboveHeads: Step = ({ policy, views }) => {
  return nextPromotion(
    policy,
    views.filter((view) => !isOfHeads(view)),
  );
};

/** Promotes the best run that waits within the cut of a rung of the heads. */
export const promoteFromHeads: Step = ({ policy, views }) => nextPromotion(policy, views.filter(isOfHeads));

function isOfHeads({ table }: RungView): boolean {
  return table.definition.stage === 'HEAD';
}

function nextPromotion(policy: SearchPolicy, views: readonly RungView[]): Promotion | null {
  for (const view of views.toReversed()) {
    const [run] = view.candidates;
    if (run !== undefined) return promote(policy, view, run, false);
  }
  return null;
}

/** Returns the promotion of a run. @param idle only because a slot is idle */
export function promote(policy: SearchPolicy, view: RungView, run: SearchRun, idle: boolean): Promotion {
  const { table, cut } = view;
  const place = placeOf(view, run.index);
  const count = rivalCount(table);
  const rung = table.definition.number;
  const next = stepAfter(run.path, rung);
  const way = `from ${describeRung(table.definition)} to epoch ${next?.epoch ?? '?'}`;
  const ended = place - 1 - view.holders.findIndex((holder) => holder.run === run);
  const without = ended > 0 ? ` without ${countOf(ended, 'better run')} that ended there` : '';
  const why = idle ? `beyond the cut of ${cut}, for a slot that was idle` : `within the cut of ${cut}${without}`;
  const reason = `promoted ${way}: place ${place} of ${count}, ${why}`;
  return { kind: 'PROMOTE', rule: policy.rule, runIndex: run.index, rung, place, cut, count, idle, reason };
}
