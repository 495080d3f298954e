import { promotesIdle } from '../policy.ts';
import type { RungView } from '../rung-view.ts';
import { isWaiting } from '../rung-view.ts';
import type { SearchRun, SearchState } from '../search-state.ts';
import { promote } from './promotion.ts';
import type { Step } from './step.ts';

/** Promotes a run beyond the cut, for a slot that would idle while regular work of the sweep still trains. */
export const promoteForIdleSlot: Step = ({ policy, state, views }) => {
  const { slots, openTasks, spending } = state;
  if (!promotesIdle(policy, spending.budget) || slots.idle === 0 || openTasks === 0) return null;
  const regular = state.runs.some(
    (run) => run.status === 'TRAINING' && run.repeatOf === undefined && !run.idleFrom.includes(run.rung ?? -1),
  );
  if (!regular) return null;
  const choice = idleChoice(state, views);
  return choice === null || choice.left === 0 ? null : promote(policy, choice.view, choice.run, true);
};

/** The run that the next idle slot promotes. */
export interface IdleChoice {
  /** The lowest rung at which a run waits. */
  readonly view: RungView;
  readonly run: SearchRun;
  /** Runs that idle slots may still promote from there. */
  readonly left: number;
}

/**
 * Returns the best run that waits at the lowest rung, and whether an idle slot may promote it: at most half as many as the cut lets
 * through. null: no run waits.
 *
 * The lowest rung, because its cut errs most (early values say least) and the way to the next rung is the shortest. LCBench curves,
 * 24 runs, 4 slots, 4,800 sweeps, epochs and regret in points: no idle promotion 31 %, 0.17; one from each rung 34 %, 0.13; half a
 * cut from the lowest 35 %, 0.09; no limit 52 %, 0.10, because the tail of a sweep is long.
 */
export function idleChoice(state: SearchState, views: readonly RungView[]): IdleChoice | null {
  for (const view of views) {
    const waiting = view.rivals.find(({ run }) => isWaiting(run, view));
    if (waiting === undefined) continue;
    const beyond = state.runs.filter(({ idleFrom }) => idleFrom.includes(view.table.definition.number)).length;
    const limit = view.open ? Math.max(1, Math.floor(view.cut / 2)) : 0;
    return { view, run: waiting.run, left: Math.max(0, limit - beyond) };
  }
  return null;
}
