import { segmentFeatures, segmentSeconds } from '../../../core/planner/plan-promotions.ts';
import type { PlanInput, PlannedRun, Segment } from '../../../core/planner/plan.ts';
import { compileRunConfig } from '../../../core/search-space/compile.ts';
import type { RunState } from '../../../core/states/run-state.ts';
import { isBounded } from '../../../core/stopping/budget.ts';
import { repeatOf } from '../../../core/stopping/decision-inputs.ts';
import { pathOf } from '../../../core/stopping/ladder.ts';
import type { RungStep } from '../../../core/stopping/ladder.ts';
import { pauseEpoch } from '../../../core/stopping/policy.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import type { SearchRun, SearchRunStatus, SearchState } from '../../../core/stopping/search-state.ts';
import type { Parameters } from '../../../core/sweep/sweep-spec.ts';
import { isFaultOf, otherSlots } from '../faults/other-slots.ts';
import { isResumable } from '../run-sql.ts';
import { ladderColumns, toLadderRun } from '../rungs/ladder-sql.ts';
import type { LadderRow } from '../rungs/ladder-sql.ts';
import { LoadedEvidence } from '../rungs/loaded-evidence.ts';
import { readScreen } from '../rungs/read-candidates.ts';
import type { StoredScreen } from '../rungs/read-candidates.ts';
import { readEntries } from '../rungs/read-entries.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import { LEASED_TASKS, LIVE_TASKS, TRAINED_STAGE_LIST } from '../state-sql.ts';
import { readCluster } from '../sweeps/read-cluster.ts';
import { readIndexed } from '../sweeps/read-indexed.ts';
import { hasPlace, isAwaitedBy, isExecutedBy, isLeasable } from '../tasks/leasable.ts';
import type { StoreTransaction } from '../transaction.ts';
import { readFinals } from './read-finals.ts';
import { readRounds } from './read-rounds.ts';
import type { StoredRoundsState } from './read-rounds.ts';
import { readSpending } from './read-spending.ts';

/** A run that waits at a rung. */
export interface WaitingRun extends PlannedRun {
  readonly path: readonly RungStep[];
  /** Epochs to its next rung. Starts at 0 where its LAST checkpoint is missing, also if it was trained further before. */
  readonly segment: Segment;
  /** Epochs of fine-tuning that it has completed. */
  readonly completedEpochs: number;
}

export interface StoredState {
  readonly state: SearchState;
  /** Identity of each run, by run number. */
  readonly runIds: readonly string[];
  /** Runs that wait at a rung, by run number. */
  readonly waiting: ReadonlyMap<number, WaitingRun>;
  /** Input of plans of the sweep; null before it is indexed. */
  readonly input: Omit<PlanInput, 'runs'> | null;
}

interface RunRow extends LadderRow {
  readonly run_id: string;
  readonly state: RunState;
  readonly paused_rung: number | null;
  readonly parameters: Parameters | null;
  readonly last_epoch: number | null;
  readonly idle_from: number[];
  /** Rung at which the run's live task pauses; null: there is none, or it trains to its end. */
  readonly task_rung: number | null;
  readonly repeat_of: string | null;
}

const NO_SCREEN: StoredScreen = { candidates: [], openCount: 0, isDecided: true };

/** Reads everything that a promotion or the end of a locked search may depend on. */
export async function readState(
  tx: StoreTransaction,
  search: Pick<LockedSearch, 'sweepId' | 'policy'>,
): Promise<StoredState> {
  const { sweepId, policy } = search;
  const indexed = await readIndexed(tx, sweepId);
  const input = indexed && { sweepId, ...indexed, cluster: await readCluster(tx) };
  const spending = await readSpending(tx, sweepId, () => Promise.resolve(input));
  const rungs = await readEntries(
    tx,
    sweepId,
    policy,
    policy.ladder.map(({ number }) => number),
  );
  const rows = await readRuns(tx, sweepId);
  const waiting = new Map(rows.flatMap((row) => waitingOf(policy, row)));
  const seconds =
    input === null || !isBounded(spending.budget)
      ? new Map<string, number>()
      : await forecast(tx, { ...input, runs: [...waiting.values()] });
  const rounds = await readRounds(tx, sweepId, policy);
  const highest = new Map(rungs.flatMap((entries, rung) => entries.map(({ runIndex }) => [runIndex, rung] as const)));
  const indexes = new Map(rows.map((row) => [row.run_id, row.run_index]));
  const runs = rows.map((row): SearchRun => ({
    index: row.run_index,
    status: statusOf(row, highest.get(row.run_index) ?? null),
    rung: highest.get(row.run_index) ?? null,
    path: pathOf(policy.ladder, toLadderRun(row)),
    nextSeconds: seconds.get(row.run_id) ?? 0,
    idleFrom: row.idle_from,
    ...repeatOf(indexes.get(row.repeat_of ?? '')),
    ...roundPart(rounds, row.run_index),
  }));
  const { slots, openTasks } = await readWork(tx, sweepId);
  const { isDecided, candidates, openCount } = policy.screen === undefined ? NO_SCREEN : await readScreen(tx, sweepId);
  const screen = isDecided ? {} : { screen: { candidates, openCount } };
  const finals = await readFinals(tx, search, { input, spending, runs });
  const state: SearchState = {
    rungs,
    runs,
    slots,
    openTasks,
    spending,
    ...screen,
    ...(rounds && { rounds: rounds.rounds }),
    ...(finals === null ? {} : { finals }),
  };
  await new LoadedEvidence(tx, sweepId, policy, rungs).loadForState(state);
  return { state, runIds: rows.map((row) => row.run_id), waiting, input };
}

/** Returns the round of a run, where it was asked for in one. */
function roundPart(rounds: StoredRoundsState | null, runIndex: number): Pick<SearchRun, 'round'> {
  const round = rounds?.roundOf.get(runIndex);
  return round === undefined ? {} : { round };
}

async function readRuns(tx: StoreTransaction, sweepId: string): Promise<RunRow[]> {
  const { rows } = await tx.query<RunRow>(
    `SELECT r.run_id, r.state, r.repeat_of, r.paused_rung, CASE WHEN r.paused_rung IS NOT NULL THEN r.parameters END AS parameters,
            ${ladderColumns('r')},
            CASE WHEN r.paused_rung IS NOT NULL THEN (
              SELECT max(c.epoch) FROM checkpoints c
               WHERE c.run_id = r.run_id AND c.stage = 'FINE_TUNE' AND ${isResumable('c')}) END AS last_epoch,
            coalesce(idle.rungs, '{}') AS idle_from,
            live.rung AS task_rung
       FROM runs r
       LEFT JOIN (
         SELECT d.run_id, array_agg(d.rung ORDER BY d.rung) AS rungs FROM decisions d
          WHERE d.sweep_id = $1 AND d.kind = 'PROMOTE' AND d.inputs -> 'idle' = 'true'
          GROUP BY d.run_id) idle ON idle.run_id = r.run_id
       LEFT JOIN (
         SELECT tr.run_id, max(t.rung) AS rung FROM tasks t JOIN task_runs tr ON tr.task_id = t.task_id
          WHERE t.sweep_id = $1 AND t.state IN ${LIVE_TASKS} AND t.pause_epoch IS NOT NULL
          GROUP BY tr.run_id) live ON live.run_id = r.run_id
      WHERE r.sweep_id = $1 ORDER BY r.run_index`,
    [sweepId],
  );
  return rows;
}

function statusOf(
  { state, paused_rung: pausedRung, task_rung: taskRung }: RunRow,
  rung: number | null,
): SearchRunStatus {
  const inTask = rung !== null && taskRung === rung ? 'PAUSING' : 'TRAINING';
  switch (state) {
    case 'PAUSED':
    case 'QUEUED':
      if (pausedRung !== null) return 'PAUSED';
      return rung === null ? 'BELOW' : inTask;
    case 'RUNNING':
      return inTask;
    case 'SUCCEEDED':
      return 'DONE';
    case 'STOPPING':
    case 'STOPPED':
    case 'CANCELLED':
      return 'STOPPED';
    case 'FAILED':
    case 'INFEASIBLE':
      return state;
  }
}

function waitingOf(policy: SearchPolicy, row: RunRow): [number, WaitingRun][] {
  const { run_id: runId, run_index: index, paused_rung: rung, parameters, last_epoch: lastEpoch } = row;
  if (rung === null || parameters === null) return [];
  const path = pathOf(policy.ladder, toLadderRun(row));
  const step = path.find((one) => one.rung === rung);
  const completedEpochs = step?.stage === 'FINE_TUNE' ? step.epoch : 0;
  const segment = { from: completedEpochs === 0 ? 0 : (lastEpoch ?? 0), to: pauseEpoch(policy, path, rung) };
  const config = compileRunConfig(parameters);
  return [[index, { runId, index, config, path, segment, completedEpochs }]];
}

/** Returns the slot-seconds to the next rung of runs that wait, by run. */
async function forecast(tx: StoreTransaction, input: PlanInput): Promise<ReadonlyMap<string, number>> {
  const { rows } = await tx.query<{ feature_key: string }>(
    `SELECT f.feature_key FROM feature_sets f
      WHERE f.feature_key = ANY($1)
        AND (f.state = 'COMPUTED' OR EXISTS (SELECT 1 FROM tasks t WHERE t.task_id = f.computed_by_task_id AND t.state IN ${LIVE_TASKS}))`,
    [segmentFeatures(input)],
  );
  const known = new Set(rows.map((row) => row.feature_key));
  return segmentSeconds(input, (key) => known.has(key));
}

/**
 * Reads the slots for a sweep and the tasks that are open. A slot is idle if no task is ready that it may lease. Computing feature sets that
 * no task waits for leads to no training.
 */
async function readWork(tx: StoreTransaction, sweepId: string): Promise<Pick<SearchState, 'slots' | 'openTasks'>> {
  const { rows } = await tx.query<{ slot_count: number; idle_count: number; open_count: number }>(
    `SELECT least(k.slot_count, s.max_parallel_slots)::int AS slot_count, k.idle_count,
            (SELECT count(*)::int FROM tasks t
              WHERE t.sweep_id = $1 AND t.state IN ${LIVE_TASKS}
                AND (t.stage IN ${TRAINED_STAGE_LIST} OR EXISTS (
                  SELECT 1 FROM task_dependencies d JOIN tasks w ON w.task_id = d.task_id
                   WHERE d.depends_on_id = t.task_id AND w.state = 'WAITING'))) AS open_count
       FROM sweeps s
      CROSS JOIN (
        SELECT count(*)::int AS slot_count,
               (count(*) FILTER (WHERE NOT EXISTS (
                 SELECT 1 FROM tasks t
                  WHERE t.trainer_id = k.trainer_id AND t.slot_index = k.slot_index AND t.state IN ${LEASED_TASKS})
                  AND NOT EXISTS (${taskFor('k')})))::int AS idle_count
          FROM slots k JOIN trainers n ON n.trainer_id = k.trainer_id
         WHERE n.state = 'READY' AND k.bench_reason = '') k
      WHERE s.sweep_id = $1`,
    [sweepId],
  );
  const row = rows[0];
  return { slots: { count: row?.slot_count ?? 0, idle: row?.idle_count ?? 0 }, openTasks: row?.open_count ?? 0 };
}

/** Returns SQL of the tasks that a slot may lease now, of all sweeps. @param slot alias of its row */
function taskFor(slot: string): string {
  return `
    SELECT 1 FROM sweeps a
     WHERE a.state = 'ACTIVE' AND ${hasPlace('a')} AND EXISTS (
       SELECT 1 FROM tasks t
        WHERE (t.sweep_id = a.sweep_id OR ${isAwaitedBy('t', 'a')}) AND ${isLeasable('t')}
          AND ${isExecutedBy('t', `${slot}.trainer_id`)}
          AND (${slot}.memory_bytes = 0 OR coalesce(t.required_memory_bytes, 0) <= ${slot}.memory_bytes)
          AND NOT EXISTS (
            SELECT 1 FROM machine_faults f
             WHERE f.task_id = t.task_id AND ${isFaultOf('f', `${slot}.trainer_id`, `${slot}.slot_index`)}
               AND EXISTS (${otherSlots('t')})))`;
}
