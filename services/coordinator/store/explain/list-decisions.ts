import type { DecisionKind } from '../../../core/records/decision.ts';
import type { DecisionRecord } from '../../../core/records/explanation.ts';
import type { Page } from '../page.ts';
import type { Store } from '../store.ts';

interface DecisionRow {
  readonly sweep_id: string;
  /** A bigint, which `pg` returns as a string. */
  readonly decision_id: string;
  readonly kind: DecisionKind;
  readonly run_id: string | null;
  readonly rung: number | null;
  readonly rule: string;
  readonly place: number | null;
  readonly cut: number | null;
  readonly p_value: number | null;
  readonly alpha: number | null;
  /** JSON, unparsed: it is passed on as it is. */
  readonly inputs: string;
  readonly reason: string;
  readonly create_time: Date;
}

export interface DecisionKey {
  readonly decisionId: string;
}

/** Lists the decisions of a sweep, or those about one run, oldest first. */
export async function listDecisions(
  store: Store,
  of: { readonly sweepId: string | null; readonly runId: string | null },
  after: DecisionKey | null,
  limit: number,
): Promise<Page<DecisionRecord, DecisionKey>> {
  const { rows } = await store.pool.query<DecisionRow>(
    `SELECT sweep_id, decision_id, kind, run_id, rung, rule, place, cut, p_value, alpha, inputs::text AS inputs, reason, create_time
       FROM decisions
      WHERE ($1::text IS NULL OR sweep_id = $1) AND ($2::text IS NULL OR run_id = $2) AND decision_id > $3::bigint
      ORDER BY decision_id
      LIMIT $4`,
    [of.sweepId, of.runId, after?.decisionId ?? '0', limit + 1],
  );
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(toDecision),
    next: rows.length > limit && last ? { decisionId: last.decision_id } : null,
  };
}

function toDecision(row: DecisionRow): DecisionRecord {
  return {
    decisionId: BigInt(row.decision_id),
    sweepId: row.sweep_id,
    createTime: row.create_time,
    kind: row.kind,
    runId: row.run_id,
    rung: row.rung,
    rule: row.rule,
    place: row.place,
    cut: row.cut,
    pValue: row.p_value,
    alpha: row.alpha,
    reason: row.reason,
    inputs: row.inputs,
  };
}
