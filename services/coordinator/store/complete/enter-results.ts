import type { SearchEnd } from '../../../core/records/decision.ts';
import { isBetter } from '../../../core/objective.ts';
import { describeRung, pathOf } from '../../../core/stopping/ladder.ts';
import type { RungStep } from '../../../core/stopping/ladder.ts';
import { pausesAt } from '../../../core/stopping/policy.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import type { RunOutcome } from '../../../core/task.ts';
import { textArray } from '../../../platform/db/binary-array.ts';
import { moveRuns } from '../move-runs.ts';
import type { SweepScope } from '../move-sweep.ts';
import { endRuns } from '../runs/end-runs.ts';
import { enterRungs } from '../rungs/enter-rungs.ts';
import type { RungArrival, RungVerdict } from '../rungs/enter-rungs.ts';
import { SWEEP_VALIDATION_COUNT, toEvidence } from '../rungs/evidence-row.ts';
import type { EvidenceRow } from '../rungs/evidence-row.ts';
import { ladderColumns, toLadderRun } from '../rungs/ladder-sql.ts';
import type { LadderRow } from '../rungs/ladder-sql.ts';
import { lockSearch } from '../rungs/search-row.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import { IDLE_RUNS } from '../state-sql.ts';
import type { FencedTask, TaskScope } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';

/** The fate of a run whose task has ended at a rung. */
export type AtRung =
  | { readonly kind: 'WAIT'; readonly rung: number; readonly reason: string }
  | { readonly kind: 'STOP'; readonly reason: string };

export interface Results {
  /** Members that wait or stop at their rung; the others move on. */
  readonly atRungs: ReadonlyMap<string, AtRung>;
  /** Runs that share a head that was trained, as the rule has judged them. */
  readonly sharers: readonly RungVerdict[];
  readonly end: SearchEnd | null;
}

export const NO_RESULTS: Results = { atRungs: new Map(), sharers: [], end: null };

/**
 * Enters the members of a training task at the rungs that it took them to, where their trainer has sent no results by image, and the runs
 * that share a trained head at its end. Locks the runs and then the search.
 */
export async function enterResults({ tx, task }: TaskScope, outcomes: readonly RunOutcome[]): Promise<Results> {
  const runs = await lockRuns(tx, task);
  const search = await lockSearch(tx, task.sweepId);
  if (search === null) return NO_RESULTS;
  const { policy, endReason: end } = search;
  const ended = outcomes.filter(({ kind }) => kind !== 'FAILED' && kind !== 'STOPPED');
  if (policy.ladder.length === 0 || ended.length === 0) return { ...NO_RESULTS, end };
  const members = new Map(
    runs.filter((run) => run.is_member).map((run) => [run.run_id, pathOf(policy.ladder, toLadderRun(run))]),
  );
  const reached = ended.flatMap((outcome) => stepsOf(task, members.get(outcome.runId) ?? [], outcome));
  const verdicts = await enterRungs(tx, search, await missingArrivals(tx, search, task, reached));
  const atRungs = new Map<string, AtRung>();
  for (const { runId, step, isLast } of reached) {
    if (!isLast) continue;
    const verdict = verdicts.find((one) => one.runId === runId && one.rung === step.rung)?.verdict;
    const found = atRung(policy, members.get(runId) ?? [], step, verdict);
    if (found !== null) atRungs.set(runId, found);
  }
  const leads = reached.filter(({ step, isLast }) => isLast && step.stage === 'HEAD' && step.isEnd);
  const waiting = runs.filter((run) => !run.is_member && leads.some(({ runId }) => runId === run.head_run_id));
  return { atRungs, sharers: await enterSharers(tx, search, waiting), end };
}

/** Moves the runs that share a head as the rule has judged them at its end. */
export async function moveSharers({ tx }: SweepScope, { sharers }: Results): Promise<void> {
  for (const { runId, rung, verdict } of sharers) {
    const { kind, reason } = verdict;
    if (kind === 'PAUSE') await moveRuns(tx, [runId], { to: 'PAUSED', from: ['QUEUED'], reason, pausedRung: rung });
    if (kind === 'STOP') await endRuns(tx, [runId], { to: 'STOPPED', reason, cause: 'RULE' });
  }
}

/** A run of the task, or one that shares a head that it trains and that no slot works on. */
interface TaskRunRow extends LadderRow {
  readonly run_id: string;
  readonly head_run_id: string | null;
  readonly is_member: boolean;
}

async function lockRuns(tx: StoreTransaction, task: FencedTask): Promise<TaskRunRow[]> {
  const { rows } = await tx.prepared<TaskRunRow>(
    `SELECT r.run_id, r.head_run_id, ${ladderColumns('r')},
            EXISTS (SELECT 1 FROM task_runs tr WHERE tr.task_id = $1 AND tr.run_id = r.run_id) AS is_member
       FROM runs r
      WHERE r.run_id IN (SELECT run_id FROM task_runs WHERE task_id = $1)
         OR $2 = 'HEAD' AND r.state IN ${IDLE_RUNS} AND r.head_run_id IN (SELECT run_id FROM task_runs WHERE task_id = $1)
      ORDER BY r.run_id FOR NO KEY UPDATE OF r`,
    [task.taskId, task.stage],
  );
  return rows;
}

interface ReachedStep {
  readonly runId: string;
  readonly step: RungStep;
  readonly epochCount: number;
  /** True: the task ended here. */
  readonly isLast: boolean;
}

function stepsOf(
  { stage }: FencedTask,
  path: readonly RungStep[],
  { runId, kind, epochCount }: RunOutcome,
): ReachedStep[] {
  const isAtEnd = kind !== 'PAUSED';
  return path
    .filter((step) => step.stage === stage && (step.isEnd ? isAtEnd : step.epoch <= epochCount))
    .map((step) => ({ runId, step, epochCount, isLast: isAtEnd ? step.isEnd : step.epoch === epochCount }));
}

function atRung(
  policy: SearchPolicy,
  path: readonly RungStep[],
  step: RungStep,
  verdict: RungVerdict['verdict'] | undefined,
): AtRung | null {
  if (verdict?.kind === 'STOP') return { kind: 'STOP', reason: verdict.reason };
  const definition = policy.ladder[step.rung];
  if (definition === undefined || !pausesAt(policy, path, step)) return null;
  return { kind: 'WAIT', rung: step.rung, reason: verdict?.reason ?? `waits at ${describeRung(definition)}` };
}

/** Returns arrivals without results by image, for rungs that a trainer of an earlier version did not report. */
async function missingArrivals(
  tx: StoreTransaction,
  { sweepId, policy: { objective } }: LockedSearch,
  task: FencedTask,
  reached: readonly ReachedStep[],
): Promise<RungArrival[]> {
  const runIds = textArray(reached.map(({ runId }) => runId));
  const known = await tx.prepared<{ run_id: string; rung: number }>(
    'SELECT run_id, rung FROM rung_entries WHERE sweep_id = $1 AND run_id = ANY($2::text[])',
    [sweepId, runIds],
  );
  const entered = new Set(known.rows.map(({ run_id, rung }) => `${run_id} ${rung}`));
  const missing = reached.filter(({ runId, step }) => !entered.has(`${runId} ${step.rung}`));
  if (missing.length === 0) return [];
  const { rows } = await tx.query<{ run_id: string; epoch: number; value: number }>(
    `SELECT run_id, epoch, value FROM epoch_metrics
      WHERE run_id = ANY($1) AND stage = $2 AND name = $3 AND superseded_by IS NULL ORDER BY run_id, epoch`,
    [missing.map(({ runId }) => runId), task.stage, objective.metric],
  );
  return missing.map(({ runId, step, epochCount, isLast }) => {
    const curve = rows.filter((row) => row.run_id === runId);
    const best = curve.reduce<(typeof curve)[number] | null>(
      (found, row) => (isBetter(objective, row.value, found?.value ?? null) ? row : found),
      null,
    );
    const at = step.isEnd ? best : curve.find((row) => row.epoch === step.epoch);
    return {
      runId,
      rung: step.rung,
      value: at?.value ?? Number.NaN,
      standardError: null,
      epoch: at?.epoch ?? Math.max(1, Math.min(step.epoch, epochCount)),
      taskId: task.taskId,
      leaseEpoch: task.leaseEpoch,
      evidence: null,
      ...(isLast ? {} : { trainedOn: true as const }),
    };
  });
}

interface HeadEntryRow extends EvidenceRow {
  readonly run_id: string;
  readonly value: number;
  readonly standard_error: number | null;
  readonly epoch: number;
  readonly task_id: string;
  readonly lease_epoch: number;
}

/** Enters runs at the end of the head that they share, with what was measured of it. */
async function enterSharers(
  tx: StoreTransaction,
  search: LockedSearch,
  sharers: readonly TaskRunRow[],
): Promise<RungVerdict[]> {
  const rung = search.policy.ladder.find(({ stage, epoch }) => stage === 'HEAD' && epoch === null)?.number;
  if (rung === undefined || sharers.length === 0) return [];
  const { rows } = await tx.query<HeadEntryRow>(
    `SELECT e.run_id, e.value, e.standard_error, e.epoch, e.task_id, e.lease_epoch, e.correct, e.losses,
            ${SWEEP_VALIDATION_COUNT} AS image_count
       FROM rung_entries e WHERE e.sweep_id = $1 AND e.rung = $2 AND e.run_id = ANY($3)`,
    [search.sweepId, rung, [...new Set(sharers.map((run) => run.head_run_id))]],
  );
  const heads = new Map(rows.map((row) => [row.run_id, row]));
  const ordered = sharers.toSorted((a, b) => a.run_index - b.run_index);
  const arrivals = ordered.flatMap(({ run_id: runId, head_run_id: headRunId }): RungArrival[] => {
    const head = heads.get(headRunId ?? '');
    if (head === undefined) return [];
    const { value, standard_error: standardError, epoch, task_id: taskId, lease_epoch: leaseEpoch } = head;
    const evidence = toEvidence(head);
    return [{ runId, rung, value, standardError, epoch, taskId, leaseEpoch, evidence }];
  });
  return enterRungs(tx, search, arrivals);
}
