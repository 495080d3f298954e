import type { SearchEnd } from '../../../core/records/decision.ts';
import { describeRung, pathOf } from '../../../core/stopping/ladder.ts';
import type { RungStep } from '../../../core/stopping/ladder.ts';
import { pausesAt } from '../../../core/stopping/policy.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import type { RunOutcome } from '../../../core/task.ts';
import { int4Array, textArray } from '../../../platform/db/binary-array.ts';
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
  readonly end: SearchEnd | null;
}

export const NO_RESULTS: Results = { atRungs: new Map(), end: null };

/**
 * Enters the members of a training task at the rungs that it took them to, where their trainer has sent no results by image, and the runs
 * that have come to share a trained head since. Locks the members and then the search.
 */
export async function enterResults({ tx, task }: TaskScope, outcomes: readonly RunOutcome[]): Promise<Results> {
  const members = await lockMembers(tx, task);
  const search = await lockSearch(tx, task.sweepId);
  if (search === null) return NO_RESULTS;
  const { policy, endReason: end } = search;
  const ended = outcomes.filter(({ kind }) => kind !== 'FAILED' && kind !== 'STOPPED');
  if (policy.ladder.length === 0 || ended.length === 0) return { ...NO_RESULTS, end };
  const paths = new Map(members.map((run) => [run.run_id, pathOf(policy.ladder, toLadderRun(run))]));
  const reached = ended.flatMap((outcome) => stepsOf(task, paths.get(outcome.runId) ?? [], outcome));
  const verdicts = await enterRungs(tx, search, await missingArrivals(tx, search, task, reached));
  const atRungs = new Map<string, AtRung>();
  for (const { runId, path, step, isLast } of reached) {
    if (!isLast) continue;
    const verdict = verdicts.find((one) => one.runId === runId && one.rung === step.rung)?.verdict;
    const found = atRung(policy, path, step, verdict);
    if (found !== null) atRungs.set(runId, found);
  }
  if (task.stage === 'HEAD') await enterSharers(tx, search, task);
  return { atRungs, end };
}

interface MemberRow extends LadderRow {
  readonly run_id: string;
}

/** Locks the runs of a task that are of its sweep. A run of another one, whose head it retrains, comes to no rung here. */
async function lockMembers(tx: StoreTransaction, task: FencedTask): Promise<MemberRow[]> {
  const { rows } = await tx.prepared<MemberRow>(
    `SELECT r.run_id, ${ladderColumns('r')} FROM runs r
      WHERE r.sweep_id = $2 AND r.run_id IN (SELECT run_id FROM task_runs WHERE task_id = $1)
      ORDER BY r.run_id FOR NO KEY UPDATE OF r`,
    [task.taskId, task.sweepId],
  );
  return rows;
}

interface ReachedStep {
  readonly runId: string;
  readonly path: readonly RungStep[];
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
  // A trainer of an earlier version may have trained beyond the epoch at which a later one pauses: the last rung that was passed counts.
  const reached = path.filter((step) => step.stage === stage && (step.isEnd ? isAtEnd : step.epoch <= epochCount));
  return reached.map((step, index) => ({ runId, path, step, epochCount, isLast: index === reached.length - 1 }));
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

/** Returns arrivals without results by image, from the metrics, for rungs that no trainer has reported. */
async function missingArrivals(
  tx: StoreTransaction,
  { sweepId, policy }: LockedSearch,
  { taskId, leaseEpoch, stage }: FencedTask,
  reached: readonly ReachedStep[],
): Promise<RungArrival[]> {
  const { metric, goal } = policy.objective;
  const { rows } = await tx.prepared<{ place: number; epoch: number | null; value: number | null }>(
    `SELECT s.place::int AS place, m.epoch, m.value
       FROM unnest($2::text[], $3::int[], $4::int[], $5::bool[]) WITH ORDINALITY AS s (run_id, rung, epoch, is_end, place)
       LEFT JOIN LATERAL (
         SELECT m.epoch, m.value FROM epoch_metrics m
          WHERE m.run_id = s.run_id AND m.stage = $6 AND m.name = $7 AND m.superseded_by IS NULL AND m.value <> 'NaN'
            AND (s.is_end OR m.epoch = s.epoch)
          ORDER BY CASE WHEN $8 = 'minimize' THEN m.value ELSE -m.value END, m.epoch LIMIT 1) m ON true
      WHERE NOT EXISTS (SELECT 1 FROM rung_entries e WHERE e.sweep_id = $1 AND e.rung = s.rung AND e.run_id = s.run_id)
      ORDER BY s.place`,
    [
      sweepId,
      textArray(reached.map(({ runId }) => runId)),
      int4Array(reached.map(({ step }) => step.rung)),
      int4Array(reached.map(({ step }) => step.epoch)),
      reached.map(({ step }) => step.isEnd),
      stage,
      metric,
      goal,
    ],
  );
  return rows.flatMap(({ place, epoch, value }): RungArrival[] => {
    const at = reached[place - 1];
    if (at === undefined) return [];
    const { runId, path, step, epochCount, isLast } = at;
    const passed = pausesAt(policy, path, step) ? { trainedOn: true as const } : { unreported: true as const };
    const arrival = {
      runId,
      rung: step.rung,
      value: value ?? Number.NaN,
      standardError: null,
      epoch: epoch ?? Math.max(1, Math.min(step.epoch, epochCount)),
      completedEpochs: Math.min(step.epoch, epochCount),
      taskId,
      leaseEpoch,
      evidence: null,
    };
    return [isLast ? arrival : { ...arrival, ...passed }];
  });
}

interface HeadEntryRow extends EvidenceRow {
  readonly run_id: string;
  readonly value: number;
  readonly standard_error: number | null;
  readonly epoch: number;
  readonly completed_epochs: number | null;
  readonly task_id: string;
  readonly lease_epoch: number;
}

/** Enters runs that came to share a head after it was measured at its end, as it was measured then. */
async function enterSharers(tx: StoreTransaction, search: LockedSearch, task: FencedTask): Promise<void> {
  const rung = search.policy.ladder.find(({ stage, epoch }) => stage === 'HEAD' && epoch === null)?.number;
  if (rung === undefined) return;
  const { rows } = await tx.query<HeadEntryRow>(
    `SELECT r.run_id, e.value, e.standard_error, e.epoch, e.completed_epochs, e.task_id, e.lease_epoch, e.correct, e.losses,
            ${SWEEP_VALIDATION_COUNT} AS image_count
       FROM runs r
      CROSS JOIN LATERAL (
        SELECT e.* FROM rung_entries e JOIN runs o ON o.run_id = e.run_id
         WHERE e.sweep_id = $1 AND e.rung = $2 AND coalesce(o.head_run_id, o.run_id) = r.head_run_id
         ORDER BY e.arrival LIMIT 1) e
      WHERE r.sweep_id = $1 AND r.state IN ${IDLE_RUNS}
        AND r.head_run_id IN (SELECT run_id FROM task_runs WHERE task_id = $3)
        AND NOT EXISTS (SELECT 1 FROM rung_entries o WHERE o.sweep_id = $1 AND o.rung = $2 AND o.run_id = r.run_id)
      ORDER BY r.run_index`,
    [search.sweepId, rung, task.taskId],
  );
  const arrivals = rows.map((row): RungArrival => {
    const {
      run_id: runId,
      value,
      standard_error: standardError,
      epoch,
      completed_epochs: completedEpochs,
      task_id: taskId,
      lease_epoch: leaseEpoch,
    } = row;
    return { runId, rung, value, standardError, epoch, completedEpochs, taskId, leaseEpoch, evidence: toEvidence(row) };
  });
  await enterRungs(tx, search, arrivals);
}
