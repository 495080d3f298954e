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
import { DECISION_COLUMNS, toVerdictFields } from './decision-row.ts';
import type { DecisionRow } from './decision-row.ts';

/** Differences of one answer. */
const SHOWN = 100;
/** Decisions that are recomputed before the event loop may turn. */
const SLICE = 20;

interface ReplayedRow extends DecisionRow {
  readonly kind: Verdict['kind'] | SearchAction['kind'];
  readonly run_index: number | null;
  readonly inputs: VerdictInputs | ActionInputs;
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
  const decisions = await tx.prepared<ReplayedRow>(
    `SELECT d.kind, r.run_index, d.inputs, ${DECISION_COLUMNS}
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

function toDecision(row: ReplayedRow): StoredDecision {
  return {
    decisionId: Number(row.decision_id),
    kind: row.kind,
    runIndex: row.run_index,
    inputs: row.inputs,
    ...toVerdictFields(row),
    // The kind decides which inputs it has: `addDecisions` writes them together.
  } as StoredDecision;
}

function toDifference({ decisionId, field, stored, recomputed }: Mismatch): ReplayDifference {
  const shown = (value: unknown): string =>
    `${field} ${value === null ? 'absent' : typeof value === 'string' ? value : JSON.stringify(value)}`;
  return { decisionId: BigInt(decisionId), stored: shown(stored), recomputed: shown(recomputed) };
}
