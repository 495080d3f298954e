import type { SearchAction } from '../action.ts';
import type { BoundReached } from '../budget.ts';
import { boundReached } from '../budget.ts';
import type { SearchPolicy } from '../policy.ts';
import { pausesAtRungs } from '../policy.ts';
import type { RungView } from '../rung-view.ts';
import { viewRungs } from '../rung-view.ts';
import type { SearchRunStatus, SearchState } from '../search-state.ts';

/**
 * A step of a search: returns its action if it is due, WAIT if neither it nor a later step may act now, and null to leave the matter to the
 * later steps. A pure function, so that a stored decision can be recomputed.
 */
export type Step = (moment: Moment) => SearchAction | 'WAIT' | null;

/** Statuses of runs that train, or will without a promotion. */
export const LIVE_STATUSES: readonly SearchRunStatus[] = ['BELOW', 'TRAINING', 'PAUSING'];

/** A policy and a state, with what several steps derive from them. */
export class Moment {
  readonly policy: SearchPolicy;
  readonly state: SearchState;
  /** Bound that is reached; null: none is. */
  readonly bound: BoundReached | null;
  /** True: runs train, or will without a promotion. */
  readonly isLive: boolean;
  #views: readonly RungView[] | null = null;

  constructor(policy: SearchPolicy, state: SearchState) {
    this.policy = policy;
    this.state = state;
    this.bound = boundReached(policy.objective, state.spending);
    this.isLive = state.openTasks > 0 || state.runs.some(({ status }) => LIVE_STATUSES.includes(status));
  }

  /** The rungs at which runs wait; empty where none do. */
  get views(): readonly RungView[] {
    return (this.#views ??= pausesAtRungs(this.policy) ? viewRungs(this.policy, this.state) : []);
  }
}
