import { verdictInputs } from '../../../core/stopping/decision-inputs.ts';
import { enterRung } from '../../../core/stopping/enter-rung.ts';
import type { Measurement, RungsSoFar } from '../../../core/stopping/enter-rung.ts';
import { judge } from '../../../core/stopping/judge.ts';
import { pathOf } from '../../../core/stopping/ladder.ts';
import type { RungStep } from '../../../core/stopping/ladder.ts';
import type { Verdict } from '../../../core/stopping/rule.ts';
import type { RungEntry } from '../../../core/stopping/rung-table.ts';
import { float8Array, int4Array, textArray } from '../../../platform/db/binary-array.ts';
import { CUT_SHORT_RUNS, IDLE_RUNS } from '../state-sql.ts';
import type { StoreTransaction } from '../transaction.ts';
import { addDecisions } from './add-decisions.ts';
import type { NewDecision } from './add-decisions.ts';
import { ladderColumns, toLadderRun } from './ladder-sql.ts';
import type { LadderRow } from './ladder-sql.ts';
import { LoadedEvidence } from './loaded-evidence.ts';
import { readEntries } from './read-entries.ts';
import type { LockedSearch } from './search-row.ts';

/** A run that comes to a rung. */
export interface RungArrival extends Measurement {
  readonly runId: string;
  readonly rung: number;
  readonly taskId: string;
  readonly leaseEpoch: number;
  /** True: its trainer can't pause a run, and has trained it further already. */
  readonly trainedOn?: true;
  /** True: its trainer reported nothing when it passed the rung, and has trained it further already. */
  readonly unreported?: true;
  /** True: another sweep has trained it further already. */
  readonly reused?: true;
}

export interface RungVerdict {
  readonly runId: string;
  readonly rung: number;
  readonly verdict: Verdict;
}

interface RunFacts {
  readonly runId: string;
  readonly index: number;
  readonly path: readonly RungStep[];
  readonly headRunId: string | null;
  readonly isCutShort: boolean;
}

/**
 * Enters runs at rungs of a locked search in the given order, and judges each. A run that comes to a rung of its head brings those with it
 * that share the head and that no slot works on: it was measured for all of them, and they are judged together. Their rows are not
 * locked; `applyVerdicts` moves them.
 *
 * A run that has an entry at the rung already is left alone, because the first one counts, and so is one that does not pass the rung, was
 * cut short, or is of another sweep. After the end of the search entries are stored without verdicts.
 *
 * @param arrivals of runs whose rows the caller has locked
 */
export async function enterRungs(
  tx: StoreTransaction,
  search: LockedSearch,
  arrivals: readonly RungArrival[],
): Promise<RungVerdict[]> {
  if (arrivals.length === 0) return [];
  const { policy, sweepId } = search;
  const runs = await readRuns(tx, search, arrivals);
  const numbers = [...new Set(arrivals.map(({ rung }) => rung))];
  const runIds = runs.map(({ runId }) => runId);
  const rungs = await readEntries(tx, sweepId, policy, numbers, runIds);
  const ended = await readEnded(tx, search);
  const results = new LoadedEvidence(tx, sweepId, policy, rungs);
  const entries: NewEntry[] = [];
  const verdicts: RungVerdict[] = [];
  const decisions: NewDecision[] = [];
  for (const { runId: leadId, rung, taskId, leaseEpoch, ...measured } of arrivals) {
    const cohort = cohortOf(search, runs, leadId, rung)
      .filter(({ index }) => rungs[rung]?.some(({ runIndex }) => runIndex === index) !== true)
      .map((run) => ({ ...run, ...enterRung(policy, { rungs, runs: ended }, run, rung, measured) }));
    entries.push(...cohort.map(({ entry, runId }) => ({ ...entry, runId, rung, taskId, leaseEpoch })));
    if (search.endReason !== null) continue;
    for (const { runId, arrival } of cohort) {
      const judged = await results.complete(arrival);
      const verdict = judge(policy, judged);
      verdicts.push({ runId, rung, verdict });
      const { kind, rule, place, cut, pValue, alpha, reason } = verdict;
      decisions.push({ kind, runId, rung, rule, place, cut, pValue, alpha, inputs: verdictInputs(judged), reason });
    }
  }
  if (entries.length === 0) return [];
  tx.addStep('rung');
  if (verdicts.some(({ verdict }) => verdict.kind === 'STOP')) tx.addStep('stop');
  const locked = new Set(arrivals.map(({ runId }) => runId));
  const highest = entries.filter(({ runId }) => locked.has(runId));
  await insertEntries(tx, search, entries, highest);
  // A run that continues changes no state, which would mirror it.
  for (const { runId } of entries) tx.mirror(sweepId, { kind: 'RUN', runId });
  await addDecisions(tx, search, decisions);
  return verdicts;
}

/** Returns the runs that come to a rung together: the one that was measured, then those that share its head, by number. */
function cohortOf(
  { policy: { ladder } }: LockedSearch,
  runs: readonly RunFacts[],
  leadId: string,
  rung: number,
): RunFacts[] {
  const isHead = ladder[rung]?.stage === 'HEAD';
  return runs
    .filter(({ runId, headRunId }) => runId === leadId || (isHead && headRunId === leadId))
    .filter(({ isCutShort, path }) => !isCutShort && path.some((step) => step.rung === rung))
    .sort((a, b) => Number(b.runId === leadId) - Number(a.runId === leadId) || a.index - b.index);
}

/** Reads the runs of arrivals, and those that wait for the heads that these train. */
async function readRuns(
  tx: StoreTransaction,
  { sweepId, policy: { ladder } }: LockedSearch,
  arrivals: readonly RungArrival[],
): Promise<RunFacts[]> {
  const heads = arrivals.filter(({ rung }) => ladder[rung]?.stage === 'HEAD');
  const { rows } = await tx.prepared<
    LadderRow & { readonly run_id: string; readonly head_run_id: string | null; readonly is_cut_short: boolean }
  >(
    `SELECT r.run_id, r.head_run_id, r.state IN ${CUT_SHORT_RUNS} AS is_cut_short, ${ladderColumns('r')} FROM runs r
      WHERE r.sweep_id = $3
        AND (r.run_id = ANY($1::text[]) OR r.head_run_id = ANY($2::text[]) AND r.state IN ${IDLE_RUNS})`,
    [textArray(arrivals.map(({ runId }) => runId)), textArray(heads.map(({ runId }) => runId)), sweepId],
  );
  return rows.map((row) => ({
    runId: row.run_id,
    index: row.run_index,
    path: pathOf(ladder, toLadderRun(row)),
    headRunId: row.head_run_id,
    isCutShort: row.is_cut_short,
  }));
}

interface EndedRow extends LadderRow {
  readonly rung: number | null;
  readonly state: 'FAILED' | 'INFEASIBLE';
}

/** Reads the runs that failed, which count at the rung that they were on their way to, and those that can't be trained. */
async function readEnded(tx: StoreTransaction, { sweepId, policy }: LockedSearch): Promise<RungsSoFar['runs']> {
  const { rows } = await tx.prepared<EndedRow>(
    `SELECT (SELECT max(e.rung) FROM rung_entries e WHERE e.sweep_id = $1 AND e.run_id = r.run_id) AS rung, r.state, ${ladderColumns('r')} FROM runs r
      WHERE r.sweep_id = $1 AND r.state IN ('FAILED', 'INFEASIBLE')`,
    [sweepId],
  );
  return rows.map((row) => ({
    index: row.run_index,
    status: row.state,
    rung: row.rung,
    path: pathOf(policy.ladder, toLadderRun(row)),
  }));
}

/** An entry to be stored. */
export type NewEntry = RungArrival & Pick<RungEntry, 'arrival' | 'tieOrder'>;

/** Inserts entries. @param highest those at the highest rung of their run now, whose row the caller has locked */
export async function insertEntries(
  tx: StoreTransaction,
  { sweepId }: LockedSearch,
  entries: readonly NewEntry[],
  highest: readonly NewEntry[] = [],
): Promise<void> {
  const runIds = textArray(entries.map(({ runId }) => runId));
  const rungs = int4Array(entries.map(({ rung }) => rung));
  const batch = tx.batch();
  batch.prepared(
    `INSERT INTO rung_entries (sweep_id, rung, run_id, arrival, value, standard_error, epoch, completed_epochs, tie_order,
                               task_id, lease_epoch, correct, losses)
     SELECT $1, * FROM unnest($2::int[], $3::text[], $4::int[], $5::float8[], $6::float8[], $7::int[], $8::int[], $9::int[],
                              $10::text[], $11::int[], $12::bytea[], $13::bytea[])`,
    [
      sweepId,
      rungs,
      runIds,
      int4Array(entries.map(({ arrival }) => arrival)),
      float8Array(entries.map(({ value }) => value)),
      float8Array(entries.map(({ standardError }) => standardError)),
      int4Array(entries.map(({ epoch }) => epoch)),
      entries.map(({ completedEpochs }) => completedEpochs),
      int4Array(entries.map(({ tieOrder }) => tieOrder)),
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
  if (highest.length > 0) {
    batch.prepared(
      `UPDATE runs r SET rung = greatest(r.rung, e.rung)
         FROM (SELECT run_id, max(rung) AS rung FROM unnest($1::text[], $2::int[]) AS a (run_id, rung) GROUP BY run_id) e
        WHERE r.run_id = e.run_id`,
      [textArray(highest.map(({ runId }) => runId)), int4Array(highest.map(({ rung }) => rung))],
    );
  }
  await batch.send();
}

/** Little-endian, as every machine that runs Node.js is. */
export function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
