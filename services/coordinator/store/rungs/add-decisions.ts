import type { DecisionKind } from '../../../core/records/decision.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { LockedSearch } from './search-row.ts';

/** A decision to be stored. */
export interface NewDecision {
  readonly kind: DecisionKind;
  /** Null: it is about the sweep. */
  readonly runId: string | null;
  readonly rung: number | null;
  /** Empty: no rule decided. */
  readonly rule: string;
  readonly place?: number | null;
  readonly cut?: number | null;
  readonly pValue?: number | null;
  readonly alpha?: number | null;
  /** Everything that it depended on and that is in no other row; plain JSON. */
  readonly inputs: object;
  readonly reason: string;
}

/** Stores decisions of a locked search in their order, numbered without gaps. */
export async function addDecisions(
  tx: StoreTransaction,
  search: LockedSearch,
  decisions: readonly NewDecision[],
): Promise<void> {
  if (decisions.length === 0) return;
  const first = search.decisionCount + 1;
  search.decisionCount += decisions.length;
  const batch = tx.batch();
  batch.prepared(
    `INSERT INTO decisions (sweep_id, decision_id, kind, run_id, rung, rule, place, cut, p_value, alpha, inputs, reason)
     SELECT $1, $2::bigint + d.ordinality - 1, d.kind, d.run_id, d.rung, d.rule, d.place, d.cut, d.p_value, d.alpha,
            d.inputs::jsonb, d.reason
       FROM unnest($3::text[], $4::text[], $5::int[], $6::text[], $7::int[], $8::int[], $9::float8[], $10::float8[],
                   $11::text[], $12::text[]) WITH ORDINALITY
              AS d (kind, run_id, rung, rule, place, cut, p_value, alpha, inputs, reason, ordinality)`,
    [
      search.sweepId,
      first,
      decisions.map(({ kind }) => kind),
      decisions.map(({ runId }) => runId),
      decisions.map(({ rung }) => rung),
      decisions.map(({ rule }) => rule),
      decisions.map(({ place }) => place ?? null),
      decisions.map(({ cut }) => cut ?? null),
      decisions.map(({ pValue }) => pValue ?? null),
      decisions.map(({ alpha }) => alpha ?? null),
      decisions.map(({ inputs }) => JSON.stringify(inputs)),
      decisions.map(({ reason }) => reason),
    ],
  );
  batch.prepared('UPDATE searches SET decision_count = $2 WHERE sweep_id = $1', [search.sweepId, search.decisionCount]);
  await batch.send();
}
