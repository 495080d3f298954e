import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DecisionKind } from '../../../core/records/decision.ts';
import { gapsOf } from '../../../core/stopping/decision-log.ts';
import type { LoggedDecision } from '../../../core/stopping/decision-log.ts';
import type { ActionInputs, StoredSearch } from '../../../core/stopping/decision-inputs.ts';
import type { Evidence } from '../../../core/statistics/evidence.ts';
import { readFinalEvidence } from '../rungs/read-final-evidence.ts';
import { arrivalOf, stateOf } from '../../../core/stopping/decision-inputs.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import { ruleOf } from '../../../core/stopping/policy.ts';
import { isAction, isActionKind, replay } from '../../../core/stopping/replay.ts';
import type { Mismatch, StoredDecision } from '../../../core/stopping/replay.ts';
import type { ReplayDifference, ReplayRecord } from '../../../core/records/explanation.ts';
import { LoadedEvidence } from '../rungs/loaded-evidence.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import { DECISION_COLUMNS, toVerdictFields } from './decision-row.ts';
import type { DecisionRow } from './decision-row.ts';
import { readStoredRounds } from './read-stored-rounds.ts';
import { readStoredSearch } from './read-stored-search.ts';
import type { ReadSearch } from './read-stored-search.ts';

/** Differences of one answer. */
const SHOWN = 100;
const REPLAYED: readonly DecisionKind[] = [
  'CONTINUE',
  'STOP',
  'PAUSE',
  'PROMOTE',
  'SCREEN',
  'SUGGEST',
  'REPEAT',
  'END',
];
/** Decisions that are recomputed before the event loop may turn. */
const SLICE = 20;

interface ReplayedRow extends DecisionRow {
  readonly kind: DecisionKind;
  readonly run_index: number | null;
  readonly inputs: unknown;
}

type StoredLog = LoggedDecision & Omit<StoredDecision, 'kind' | 'inputs'>;

/**
 * Recomputes all verdicts, promotions and ends of a sweep from its rows, and returns those that differ or are missing. Results by image, which never change,
 * are read when a decision compares them.
 *
 * @param maxBytes bytes of such results after which they are dropped
 */
export async function replaySweep(
  store: Store,
  sweepId: string,
  policy: SearchPolicy,
  maxBytes?: number,
): Promise<ReplayRecord> {
  const { search, log, hasEnded } = await inTransaction(store, (tx) => readSearch(tx, sweepId, policy));
  const decisions = log.filter(isDecided);
  const results = new LoadedEvidence(store.pool, sweepId, policy, search.rungs, maxBytes);
  const mismatches = gapsOf(search, log, hasEnded);
  // A decision that compares results is recomputed before those of the next one are loaded.
  const slice = ruleOf(policy) === 'paired' ? 1 : SLICE;
  for (let first = 0; first < decisions.length; first += slice) {
    const shown = decisions.slice(first, first + slice);
    for (const decision of shown) await loadFor(results, search, decision);
    mismatches.push(...replay(search, shown));
    await nextTurn();
  }
  const rounds = decisions.filter(({ kind }) => kind === 'SUGGEST');
  for (const decision of rounds) await loadFor(results, search, decision);
  mismatches.push(...(await replayRounds(store, sweepId, search, rounds)));
  return {
    decisionCount: decisions.length,
    differenceCount: mismatches.length,
    differences: mismatches.slice(0, SHOWN).map(toDifference),
  };
}

/** Recomputes the runs of each round in a thread, because that takes as long as computing them did. */
async function replayRounds(
  store: Store,
  sweepId: string,
  search: StoredSearch,
  rounds: readonly StoredDecision[],
): Promise<Mismatch[]> {
  if (search.policy.rounds === undefined) return [];
  const stored = await readStoredRounds(store, sweepId, search);
  return store.planner.replay({ stored, decisions: rounds });
}

/** Reads the decisions before the entries: a decision refers to entries that are older. */
async function readSearch(
  tx: StoreTransaction,
  sweepId: string,
  policy: SearchPolicy,
): Promise<Pick<ReadSearch, 'search'> & { readonly log: readonly StoredLog[]; readonly hasEnded: boolean }> {
  const decisions = await tx.prepared<ReplayedRow>(
    `SELECT d.kind, r.run_index, d.inputs, ${DECISION_COLUMNS}
       FROM decisions d LEFT JOIN runs r ON r.run_id = d.run_id
      WHERE d.sweep_id = $1
      ORDER BY d.decision_id`,
    [sweepId],
  );
  const log = decisions.rows.map(toDecision);
  const { search, runIds } = await readStoredSearch(tx, sweepId, policy);
  const finalEvidence = await readEvidenceOf(tx, sweepId, policy, log, runIds);
  // The end by a person is none of the search's decisions.
  const { rowCount } = await tx.prepared(`SELECT 1 FROM searches WHERE sweep_id = $1 AND end_reason <> 'USER'`, [
    sweepId,
  ]);
  return { search: { ...search, finalEvidence }, log, hasEnded: rowCount !== 0 };
}

/** Reads the results by image of the runs among which finalists were chosen, by run number. */
async function readEvidenceOf(
  tx: StoreTransaction,
  sweepId: string,
  { objective }: SearchPolicy,
  log: readonly StoredLog[],
  runIds: readonly string[],
): Promise<ReadonlyMap<number, Evidence>> {
  const finals = log.flatMap(({ kind, inputs }) => (isActionKind(kind) ? ((inputs as ActionInputs).finals ?? []) : []));
  const indexes = [...new Set(finals.map(({ index }) => index))];
  const named = indexes.flatMap((index) => runIds[index] ?? []);
  const evidence = await readFinalEvidence(tx, sweepId, named, objective.metric === 'val_loss');
  return new Map(
    indexes.flatMap((index) => {
      const own = evidence.get(runIds[index] ?? '');
      return own === undefined ? [] : [[index, own] as const];
    }),
  );
}

async function loadFor(results: LoadedEvidence, search: StoredSearch, decision: StoredDecision): Promise<void> {
  if (isAction(decision)) await results.loadForState(stateOf(search, decision.inputs));
  else {
    const { runIndex, rung, inputs } = decision;
    await results.complete(() => arrivalOf(search, runIndex ?? -1, rung ?? -1, inputs));
  }
}

function toDecision(row: ReplayedRow): StoredLog {
  return {
    decisionId: Number(row.decision_id),
    kind: row.kind,
    runIndex: row.run_index,
    inputs: row.inputs,
    ...toVerdictFields(row),
  };
}

/** Returns whether a rule made a decision. The kind decides which inputs it has: `addDecisions` writes them together. */
function isDecided(decision: StoredLog): decision is StoredLog & StoredDecision {
  return REPLAYED.includes(decision.kind);
}

function toDifference({ decisionId, field, stored, recomputed }: Mismatch): ReplayDifference {
  const shown = (value: unknown): string =>
    `${field} ${value === null ? 'absent' : typeof value === 'string' ? value : JSON.stringify(value)}`;
  return { decisionId: BigInt(decisionId), stored: shown(stored), recomputed: shown(recomputed) };
}
