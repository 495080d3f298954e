import { verdictInputs } from '../../../core/stopping/decision-inputs.ts';
import { judge } from '../../../core/stopping/judge.ts';
import { pathOf } from '../../../core/stopping/ladder.ts';
import type { RungDefinition, RungStep } from '../../../core/stopping/ladder.ts';
import type { Verdict } from '../../../core/stopping/rule.ts';
import type { Evidence } from '../../../core/statistics/evidence.ts';
import type { RungEntry } from '../../../core/stopping/rung-table.ts';
import { earlierEntries, failedBefore } from '../../../core/stopping/search-state.ts';
import { float8Array, int4Array, textArray } from '../../../platform/db/binary-array.ts';
import type { StoreTransaction } from '../transaction.ts';
import { addDecisions } from './add-decisions.ts';
import type { NewDecision } from './add-decisions.ts';
import { ladderColumns, toLadderRun } from './ladder-sql.ts';
import type { LadderRow } from './ladder-sql.ts';
import { readEntries } from './read-entries.ts';
import type { LockedSearch } from './search-row.ts';

/** A run that comes to a rung. */
export interface RungArrival {
  readonly runId: string;
  readonly rung: number;
  readonly value: number;
  readonly standardError: number | null;
  /** Epoch that was measured. */
  readonly epoch: number;
  readonly taskId: string;
  readonly leaseEpoch: number;
  /** Null: the trainer sent none. */
  readonly evidence: Evidence | null;
  /** True: its trainer can't pause a run, and has trained it further already. */
  readonly trainedOn?: true;
  /** True: another sweep has trained it further already. */
  readonly reused?: true;
}

export interface RungVerdict {
  readonly runId: string;
  readonly rung: number;
  readonly verdict: Verdict;
}

interface RunFacts {
  readonly index: number;
  readonly path: readonly RungStep[];
}

/**
 * Enters runs at rungs of a locked search in the given order, and judges each. A run that has an entry at the rung already is left alone,
 * because the first one counts, and so is one that does not pass the rung. After the end of the search entries are stored without
 * verdicts.
 */
export async function enterRungs(
  tx: StoreTransaction,
  search: LockedSearch,
  arrivals: readonly RungArrival[],
): Promise<RungVerdict[]> {
  const unknown = await withoutKnown(tx, search, arrivals);
  if (unknown.length === 0) return [];
  const { policy, sweepId } = search;
  const runIds = unknown.map(({ runId }) => runId);
  const runs = await readRuns(tx, policy.ladder, runIds);
  const coming = unknown.filter(({ runId, rung }) => runs.get(runId)?.path.some((step) => step.rung === rung));
  const { rungs, infeasible } = await readEntries(
    tx,
    sweepId,
    policy,
    [...new Set(coming.map(({ rung }) => rung))],
    runIds,
  );
  const failed = await readFailed(tx, search);
  const numbers: number[] = [];
  const verdicts: RungVerdict[] = [];
  const decisions: NewDecision[] = [];
  for (const { runId, rung, value, standardError, epoch, evidence, trainedOn, reused } of coming) {
    const run = runs.get(runId);
    const entries = rungs[rung];
    const definition = policy.ladder[rung];
    if (run === undefined || entries === undefined || definition === undefined)
      throw new Error(`Run ${runId} has no rung ${rung}.`);
    const continues = run.path.some((step) => step.rung > rung);
    const arrival = entries.length + 1;
    const runIndex = run.index;
    const entry: RungEntry = { runIndex, arrival, value, standardError, epoch, evidence, continues };
    entries.push(entry);
    numbers.push(arrival);
    if (search.endReason !== null) continue;
    const there = {
      table: {
        definition,
        entries: entries.filter(({ runIndex }) => !infeasible.has(runIndex)),
        failedCount: failedBefore(failed, rung),
      },
      entry,
      earlier: earlierEntries(policy, rungs, run.index, rung),
      path: run.path,
      ...(trainedOn && { trainedOn }),
      ...(reused && { reused }),
    };
    const verdict = judge(policy, there);
    verdicts.push({ runId, rung, verdict });
    const { kind, rule, place, cut, pValue, alpha, reason } = verdict;
    decisions.push({ kind, runId, rung, rule, place, cut, pValue, alpha, inputs: verdictInputs(there), reason });
  }
  await insertEntries(tx, search, coming, numbers);
  await addDecisions(tx, search, decisions);
  return verdicts;
}

/** Returns the arrivals that are new, each once. */
async function withoutKnown(
  tx: StoreTransaction,
  { sweepId }: LockedSearch,
  arrivals: readonly RungArrival[],
): Promise<RungArrival[]> {
  if (arrivals.length === 0) return [];
  const { rows } = await tx.prepared<{ run_id: string; rung: number }>(
    `SELECT e.run_id, e.rung FROM rung_entries e
       JOIN unnest($2::text[], $3::int[]) AS a (run_id, rung) ON a.run_id = e.run_id AND a.rung = e.rung
      WHERE e.sweep_id = $1`,
    [sweepId, textArray(arrivals.map(({ runId }) => runId)), int4Array(arrivals.map(({ rung }) => rung))],
  );
  const known = new Set(rows.map(({ run_id, rung }) => `${run_id} ${rung}`));
  return arrivals.filter(({ runId, rung }) => {
    const key = `${runId} ${rung}`;
    if (known.has(key)) return false;
    known.add(key);
    return true;
  });
}

async function readRuns(
  tx: StoreTransaction,
  ladder: readonly RungDefinition[],
  runIds: readonly string[],
): Promise<ReadonlyMap<string, RunFacts>> {
  const { rows } = await tx.prepared<LadderRow & { readonly run_id: string }>(
    `SELECT r.run_id, ${ladderColumns('r')} FROM runs r WHERE r.run_id = ANY($1::text[])`,
    [textArray(runIds)],
  );
  return new Map(
    rows.map((row) => [row.run_id, { index: row.run_index, path: pathOf(ladder, toLadderRun(row)) }] as const),
  );
}

interface FailedRun {
  readonly status: 'FAILED';
  readonly rung: number | null;
  readonly path: readonly RungStep[];
}

/** Reads the runs that failed: each counts as the worst entry of the rung that it was on its way to. */
async function readFailed(tx: StoreTransaction, { sweepId, policy }: LockedSearch): Promise<FailedRun[]> {
  const { rows } = await tx.prepared<LadderRow & { readonly rung: number | null }>(
    `SELECT r.rung, ${ladderColumns('r')} FROM runs r WHERE r.sweep_id = $1 AND r.state = 'FAILED'`,
    [sweepId],
  );
  return rows.map((row) => ({ status: 'FAILED', rung: row.rung, path: pathOf(policy.ladder, toLadderRun(row)) }));
}

/** @param numbers arrivals, in the order of the entries */
async function insertEntries(
  tx: StoreTransaction,
  { sweepId }: LockedSearch,
  entries: readonly RungArrival[],
  numbers: readonly number[],
): Promise<void> {
  const runIds = textArray(entries.map(({ runId }) => runId));
  const rungs = int4Array(entries.map(({ rung }) => rung));
  const batch = tx.batch();
  batch.prepared(
    `INSERT INTO rung_entries (sweep_id, rung, run_id, arrival, value, standard_error, epoch, task_id, lease_epoch, correct, losses)
     SELECT $1, * FROM unnest($2::int[], $3::text[], $4::int[], $5::float8[], $6::float8[], $7::int[], $8::text[], $9::int[],
                              $10::bytea[], $11::bytea[])`,
    [
      sweepId,
      rungs,
      runIds,
      int4Array(numbers),
      float8Array(entries.map(({ value }) => value)),
      float8Array(entries.map(({ standardError }) => standardError)),
      int4Array(entries.map(({ epoch }) => epoch)),
      textArray(entries.map(({ taskId }) => taskId)),
      int4Array(entries.map(({ leaseEpoch }) => leaseEpoch)),
      entries.map(({ evidence }) => evidence && Buffer.from(evidence.correct)),
      entries.map(({ evidence }) => evidence?.losses && bytesOf(evidence.losses)),
    ],
  );
  batch.prepared(
    `UPDATE rungs g SET entry_count = g.entry_count + n.count
       FROM (SELECT rung, count(*)::int AS count FROM unnest($2::int[]) AS e (rung) GROUP BY rung) n
      WHERE g.sweep_id = $1 AND g.rung = n.rung`,
    [sweepId, rungs],
  );
  batch.prepared(
    `UPDATE runs r SET rung = greatest(r.rung, e.rung)
       FROM (SELECT run_id, max(rung) AS rung FROM unnest($1::text[], $2::int[]) AS a (run_id, rung) GROUP BY run_id) e
      WHERE r.run_id = e.run_id`,
    [runIds, rungs],
  );
  await batch.send();
}

/** Little-endian, as every machine that runs Node.js is. */
function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
