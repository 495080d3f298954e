import type { DecisionKind } from '../../../core/records/decision.ts';
import type { RungEntryRecord } from '../../../core/records/explanation.ts';
import type { Page } from '../page.ts';
import type { Store } from '../store.ts';

interface EntryRow {
  readonly rung: number;
  readonly run_id: string;
  readonly run_index: number;
  readonly arrival: number;
  readonly value: number;
  readonly standard_error: number | null;
  readonly epoch: number;
  readonly place: number;
  readonly competes: boolean;
  readonly has_evidence: boolean;
  readonly decision: DecisionKind | null;
  readonly reason: string | null;
}

export interface EntryKey {
  readonly rung: number;
  readonly arrival: number;
}

/**
 * Lists the entries of a sweep's rungs, by rung and arrival. Places come from the view that is documented for users, so that both
 * agree.
 */
export async function listRungEntries(
  store: Store,
  sweepId: string,
  after: EntryKey | null,
  limit: number,
): Promise<Page<RungEntryRecord, EntryKey>> {
  // The decisions are read for the listed entries only; the places need all entries of a rung.
  const { rows } = await store.pool.query<EntryRow>(
    `SELECT t.*, d.kind AS decision, d.reason
       FROM (SELECT e.rung, e.run_id, r.run_index, e.arrival, e.value, e.standard_error, e.epoch, p.place, p.competes,
                    e.correct IS NOT NULL AS has_evidence
               FROM rung_places p
               JOIN rung_entries e ON e.sweep_id = p.sweep_id AND e.rung = p.rung AND e.run_id = p.run_id
               JOIN runs r ON r.run_id = p.run_id
              WHERE p.sweep_id = $1 AND p.rung >= $2 AND (e.rung, e.arrival) > ($2, $3)
              ORDER BY e.rung, e.arrival
              LIMIT $4) t
       LEFT JOIN LATERAL (
              SELECT kind, reason FROM decisions
               WHERE sweep_id = $1 AND run_id = t.run_id AND rung = t.rung
               ORDER BY decision_id DESC
               LIMIT 1) d ON true
      ORDER BY t.rung, t.arrival`,
    [sweepId, after?.rung ?? 0, after?.arrival ?? 0, limit + 1],
  );
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(toEntry),
    next: rows.length > limit && last ? { rung: last.rung, arrival: last.arrival } : null,
  };
}

function toEntry(row: EntryRow): RungEntryRecord {
  return {
    rung: row.rung,
    runId: row.run_id,
    runIndex: row.run_index,
    arrival: row.arrival,
    value: row.value,
    standardError: row.standard_error,
    epoch: row.epoch,
    place: row.place,
    competes: row.competes,
    hasEvidence: row.has_evidence,
    decision: row.decision,
    reason: row.reason ?? '',
  };
}
