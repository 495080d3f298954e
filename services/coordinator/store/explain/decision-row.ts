import type { StoredDecision } from '../../../core/stopping/replay.ts';

/** Columns of a decision that are read as they are. */
export interface DecisionRow {
  /** A bigint, which `pg` returns as a string. */
  readonly decision_id: string;
  readonly rung: number | null;
  readonly rule: string;
  readonly place: number | null;
  readonly cut: number | null;
  readonly p_value: number | null;
  readonly alpha: number | null;
  readonly reason: string;
}

/** Columns of a {@link DecisionRow} in `FROM decisions d`. */
export const DECISION_COLUMNS = 'd.decision_id, d.rung, d.rule, d.place, d.cut, d.p_value, d.alpha, d.reason';

export function toVerdictFields(
  row: DecisionRow,
): Pick<StoredDecision, 'rung' | 'rule' | 'place' | 'cut' | 'pValue' | 'alpha' | 'reason'> {
  const { rung, rule, place, cut, p_value: pValue, alpha, reason } = row;
  return { rung, rule, place, cut, pValue, alpha, reason };
}
