import type { DecisionKind } from '../../../core/records/decision.ts';
import type { DecisionRecord } from '../../../core/records/explanation.ts';
import type { Page } from '../page.ts';
import type { Store } from '../store.ts';
import { DECISION_COLUMNS, toVerdictFields } from './decision-row.ts';
import type { DecisionRow } from './decision-row.ts';

interface ListedRow extends DecisionRow {
  readonly sweep_id: string;
  readonly kind: DecisionKind;
  readonly run_id: string | null;
  /** JSON, unparsed: it is passed on as it is. */
  readonly inputs: string;
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
  const { rows } = await store.pool.query<ListedRow>(
    `SELECT d.sweep_id, d.kind, d.run_id, d.inputs::text AS inputs, d.create_time, ${DECISION_COLUMNS}
       FROM decisions d
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

function toDecision(row: ListedRow): DecisionRecord {
  return {
    decisionId: BigInt(row.decision_id),
    sweepId: row.sweep_id,
    createTime: row.create_time,
    kind: row.kind,
    runId: row.run_id,
    inputs: row.inputs,
    ...toVerdictFields(row),
  };
}
