import { NotFoundError } from '../../../core/errors.ts';
import type { SearchEnd } from '../../../core/records/decision.ts';
import type { SweepState } from '../../../core/states/sweep-state.ts';
import type { BudgetSpec } from '../../../core/sweep/search-spec.ts';
import type { SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import type { Page } from '../page.ts';
import type { SweepRecord } from '../../../core/records/sweep.ts';
import { canBeBest, rankKey } from '../run-sql.ts';
import { latestFirst, latestTagged } from '../latest-first.ts';
import type { Store } from '../store.ts';
import { LIVE_RUNS } from '../state-sql.ts';

interface SweepRow {
  readonly sweepId: string;
  readonly spec: unknown;
  readonly displayName: string;
  readonly notes: string;
  readonly tags: string[];
  readonly state: string;
  readonly stateReason: string;
  readonly datasetId: string | null;
  readonly objectiveGoal: string;
  readonly createTime: Date;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
  readonly priority: number;
  readonly maxParallelSlots: number | null;
  readonly budget: unknown;
  readonly hasBaseline: boolean | null;
}

interface RunSummary {
  readonly sweep_id: string;
  readonly run_count: number;
  readonly finished_run_count: number;
  readonly succeeded_run_count: number;
  readonly failed_run_count: number;
  readonly infeasible_run_count: number;
  readonly stopped_run_count: number;
  readonly cancelled_run_count: number;
  readonly reused_run_count: number;
  readonly paused_run_count: number;
  readonly spent_slot_seconds: number;
  readonly search_end: SearchEnd | null;
  readonly round_count: number;
  readonly best_run_id: string | null;
  readonly best_value: number | null;
  readonly winner_run_id: string | null;
}

/** Returns a sweep. @throws NotFoundError */
export async function findSweep(store: Store, sweepId: string): Promise<SweepRecord> {
  const row = await store.prisma.sweep.findUnique({ where: { sweepId } });
  if (row === null) throw new NotFoundError('sweep', sweepId);
  const summaries = await summarize(store, [sweepId]);
  return toSweep(row, summaries.get(sweepId));
}

/** Position in the list, which is latest first. */
export interface SweepKey {
  readonly createTime: string;
  readonly sweepId: string;
}

/**
 * Lists sweeps after `after`, latest first.
 *
 * @param tag null: with any tags.
 */
export async function listSweeps(
  store: Store,
  tag: string | null,
  after: SweepKey | null,
  limit: number,
): Promise<Page<SweepRecord, SweepKey>> {
  const key = after && { createTime: after.createTime, id: after.sweepId };
  const { ids, next } =
    tag === null ? await latestFirst(store, 'sweeps', key, limit) : await latestTagged(store, tag, key, limit);
  const rows = await store.prisma.sweep.findMany({ where: { sweepId: { in: ids } } });
  const byId = new Map(rows.map((row) => [row.sweepId, row]));
  const summaries = await summarize(store, ids);
  const items = ids.flatMap((sweepId) => {
    const row = byId.get(sweepId);
    return row ? [toSweep(row, summaries.get(sweepId))] : [];
  });
  return { items, next: next && { createTime: next.createTime, sweepId: next.id } };
}

async function summarize(store: Store, sweepIds: readonly string[]): Promise<Map<string, RunSummary>> {
  const { rows } = await store.pool.query<RunSummary>(
    `SELECT s.sweep_id, counts.*, best.run_id AS best_run_id, best.best_value, spent.seconds AS spent_slot_seconds,
            (SELECT end_reason FROM searches WHERE sweep_id = s.sweep_id) AS search_end,
            (SELECT run_id FROM winners WHERE sweep_id = s.sweep_id) AS winner_run_id,
            (SELECT coalesce(max(u.round) + 1, 0) FROM suggestions u WHERE u.sweep_id = s.sweep_id) AS round_count
       FROM sweeps s
       CROSS JOIN LATERAL (
         SELECT count(*)::int AS run_count,
                count(*) FILTER (WHERE r.state NOT IN ${LIVE_RUNS})::int AS finished_run_count,
                count(*) FILTER (WHERE r.state = 'SUCCEEDED')::int AS succeeded_run_count,
                count(*) FILTER (WHERE r.state = 'FAILED')::int AS failed_run_count,
                count(*) FILTER (WHERE r.state = 'INFEASIBLE')::int AS infeasible_run_count,
                count(*) FILTER (WHERE r.state = 'STOPPED')::int AS stopped_run_count,
                count(*) FILTER (WHERE r.state = 'CANCELLED')::int AS cancelled_run_count,
                count(r.reused_run_id)::int AS reused_run_count,
                count(r.paused_rung)::int AS paused_run_count
           FROM runs r WHERE r.sweep_id = s.sweep_id
       ) counts
       LEFT JOIN LATERAL (
         SELECT r.run_id, r.best_value FROM runs r
          WHERE r.sweep_id = s.sweep_id AND ${canBeBest('r', 's')}
          ORDER BY ${rankKey('r', 's')}
          LIMIT 1
       ) best ON true
       CROSS JOIN LATERAL (
         SELECT coalesce(extract(epoch FROM sum(coalesce(a.end_time, now()) - a.create_time)), 0)::float8 AS seconds
           FROM tasks t JOIN attempts a ON a.task_id = t.task_id WHERE t.sweep_id = s.sweep_id
       ) spent
      WHERE s.sweep_id = ANY($1)`,
    [sweepIds],
  );
  return new Map(rows.map((row) => [row.sweep_id, row]));
}

function toSweep(row: SweepRow, summary: RunSummary | undefined): SweepRecord {
  return {
    sweepId: row.sweepId,
    spec: row.spec as SweepSpec,
    displayName: row.displayName,
    notes: row.notes,
    tags: row.tags,
    state: row.state as SweepState,
    stateReason: row.stateReason,
    datasetId: row.datasetId,
    runCount: summary?.run_count ?? 0,
    finishedRunCount: summary?.finished_run_count ?? 0,
    succeededRunCount: summary?.succeeded_run_count ?? 0,
    failedRunCount: summary?.failed_run_count ?? 0,
    infeasibleRunCount: summary?.infeasible_run_count ?? 0,
    stoppedRunCount: summary?.stopped_run_count ?? 0,
    cancelledRunCount: summary?.cancelled_run_count ?? 0,
    reusedRunCount: summary?.reused_run_count ?? 0,
    pausedRunCount: summary?.paused_run_count ?? 0,
    spentSlotSeconds: summary?.spent_slot_seconds ?? 0,
    searchEnd: summary?.search_end ?? null,
    bestRunId: summary?.best_run_id ?? null,
    bestValue: summary?.best_value ?? null,
    winnerRunId: summary?.winner_run_id ?? null,
    createTime: row.createTime,
    startTime: row.startTime,
    endTime: row.endTime,
    priority: row.priority,
    maxParallelSlots: row.maxParallelSlots,
    budget: row.budget as BudgetSpec | null,
    hasBaseline: row.hasBaseline,
    roundCount: summary?.round_count ?? 0,
  };
}
