import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SearchAction } from '../../../core/stopping/advance.ts';
import type { ActionInputs, StoredSearch, VerdictInputs } from '../../../core/stopping/decision-inputs.ts';
import { pathOf } from '../../../core/stopping/ladder.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import { replay } from '../../../core/stopping/replay.ts';
import type { Mismatch, StoredDecision } from '../../../core/stopping/replay.ts';
import type { Verdict } from '../../../core/stopping/rule.ts';
import type { ReplayDifference, ReplayRecord } from '../../../core/records/explanation.ts';
import { ladderColumns, toLadderRun } from '../rungs/ladder-sql.ts';
import type { LadderRow } from '../rungs/ladder-sql.ts';
import { readEntries } from '../rungs/read-entries.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';

/** Differences of one answer. */
const SHOWN = 100;
/** Decisions that are recomputed before the event loop may turn. */
const SLICE = 20;

interface DecisionRow {
  /** A bigint, which `pg` returns as a string. */
  readonly decision_id: string;
  readonly kind: Verdict['kind'] | SearchAction['kind'];
  readonly run_index: number | null;
  readonly rung: number | null;
  readonly rule: string;
  readonly place: number | null;
  readonly cut: number | null;
  readonly p_value: number | null;
  readonly alpha: number | null;
  readonly inputs: VerdictInputs | ActionInputs;
  readonly reason: string;
}

/** Recomputes all verdicts, promotions and ends of a sweep from its rows, and returns those that differ. */
export async function replaySweep(store: Store, sweepId: string, policy: SearchPolicy): Promise<ReplayRecord> {
  const { search, decisions } = await inTransaction(store, (tx) => readSearch(tx, sweepId, policy));
  const mismatches: Mismatch[] = [];
  for (let first = 0; first < decisions.length; first += SLICE) {
    mismatches.push(...replay(search, decisions.slice(first, first + SLICE)));
    await nextTurn();
  }
  return {
    decisionCount: decisions.length,
    differenceCount: mismatches.length,
    differences: mismatches.slice(0, SHOWN).map(toDifference),
  };
}

/** Reads the decisions before the entries: a decision refers to entries that are older. */
async function readSearch(
  tx: StoreTransaction,
  sweepId: string,
  policy: SearchPolicy,
): Promise<{ readonly search: StoredSearch; readonly decisions: readonly StoredDecision[] }> {
  const decisions = await tx.prepared<DecisionRow>(
    `SELECT d.decision_id, d.kind, r.run_index, d.rung, d.rule, d.place, d.cut, d.p_value, d.alpha, d.inputs, d.reason
       FROM decisions d LEFT JOIN runs r ON r.run_id = d.run_id
      WHERE d.sweep_id = $1 AND d.kind IN ('CONTINUE', 'STOP', 'PAUSE', 'PROMOTE', 'END')
      ORDER BY d.decision_id`,
    [sweepId],
  );
  const { rungs } = await readEntries(
    tx,
    sweepId,
    policy,
    policy.ladder.map(({ number }) => number),
  );
  const runs = await tx.prepared<LadderRow>(`SELECT ${ladderColumns('r')} FROM runs r WHERE r.sweep_id = $1`, [
    sweepId,
  ]);
  const paths: StoredSearch['paths'][number][] = [];
  for (const row of runs.rows) paths[row.run_index] = pathOf(policy.ladder, toLadderRun(row));
  return { search: { policy, rungs, paths }, decisions: decisions.rows.map(toDecision) };
}

function toDecision(row: DecisionRow): StoredDecision {
  return {
    decisionId: Number(row.decision_id),
    kind: row.kind,
    runIndex: row.run_index,
    rung: row.rung,
    rule: row.rule,
    place: row.place,
    cut: row.cut,
    pValue: row.p_value,
    alpha: row.alpha,
    reason: row.reason,
    inputs: row.inputs,
    // The kind decides which inputs it has: `addDecisions` writes them together.
  } as StoredDecision;
}

function toDifference({ decisionId, field, stored, recomputed }: Mismatch): ReplayDifference {
  const shown = (value: unknown): string =>
    `${field} ${value === null ? 'absent' : typeof value === 'string' ? value : JSON.stringify(value)}`;
  return { decisionId: BigInt(decisionId), stored: shown(stored), recomputed: shown(recomputed) };
}
