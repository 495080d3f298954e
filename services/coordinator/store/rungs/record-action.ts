import type { DecisionKind } from '../../../core/records/decision.ts';
import type { StoreTransaction } from '../transaction.ts';
import { addDecisions } from './add-decisions.ts';
import { lockSearch } from './search-row.ts';

/** An action of a person that concerns a sweep's search. */
export interface Action {
  readonly kind: Extract<DecisionKind, 'STOP_RUN' | 'RETRY_RUN' | 'EXTEND' | 'CHANGE_BUDGET'>;
  /** Null: it is about the sweep. */
  readonly runId: string | null;
  /** Reason for people, with the person's name. */
  readonly reason: string;
  readonly inputs?: object;
}

/** Records actions of people as decisions of the search. A sweep that is not planned has none: its events have the action. */
export async function recordActions(tx: StoreTransaction, sweepId: string, actions: readonly Action[]): Promise<void> {
  if (actions.length === 0) return;
  const search = await lockSearch(tx, sweepId);
  if (search === null) return;
  await addDecisions(
    tx,
    search,
    actions.map(({ kind, runId, reason, inputs = {} }) => ({ kind, runId, rung: null, rule: '', inputs, reason })),
  );
}
