import type { RunState } from '../../../core/states/run-state.ts';
import type { SweepState } from '../../../core/states/sweep-state.ts';
import type { TaskState } from '../../../core/states/task-state.ts';
import type { Stage } from '../../../core/task.ts';
import type { Store } from '../store.ts';
import { LEASED_TASKS, LIVE_SWEEPS, LIVE_TASKS } from '../state-sql.ts';

/** Counts for operators, read from the database at one moment. They cover only work that has not ended: the record may be years long. */
export interface Operations {
  readonly tasks: readonly { readonly stage: Stage; readonly state: TaskState; readonly count: number }[];
  /** Seconds since the least recently renewed live lease of each stage was renewed. */
  readonly leaseAges: readonly { readonly stage: Stage; readonly seconds: number }[];
  /** Expired leases that the reaper has not ended yet. */
  readonly overdueLeases: number;
  /** Failures of tasks that have not ended, by class. */
  readonly retries: Readonly<Record<'COUNTED' | 'INFRASTRUCTURE' | 'MEMORY', number>>;
  readonly sweeps: readonly { readonly state: SweepState; readonly count: number }[];
  /** Runs of sweeps that have not ended. */
  readonly runs: readonly { readonly state: RunState; readonly count: number }[];
  readonly trainers: readonly { readonly state: string; readonly count: number }[];
  /** Seconds since the oldest last contact of a trainer that is not LOST; 0: there is none. */
  readonly oldestHeartbeatSeconds: number;
  /** Slots of trainers that are not LOST. */
  readonly slots: readonly { readonly deviceKind: 'cpu' | 'gpu'; readonly count: number }[];
  /** Benched slots of live trainers. */
  readonly benchedSlots: number;
  /** Entries to be mirrored to MLflow, and entries that it has refused. */
  readonly outbox: { readonly pending: number; readonly dead: number; readonly oldestSeconds: number };
}

/**
 * One statement, so that the numbers are consistent and a scrape takes one connection once. With 10,000 runs, 30,000 tasks and
 * 3,000 of them live it takes 24 ms on a busy machine of two cores; a scrape comes every half minute.
 *
 * `$1` is the length of a lease in milliseconds.
 */
const STATEMENT = `
WITH live AS MATERIALIZED (
  SELECT stage, state, lease_expire_time, failure_count, infrastructure_count, memory_count
    FROM tasks WHERE state IN ${LIVE_TASKS}
)
SELECT
  (SELECT coalesce(json_agg(row), '[]') FROM (
     SELECT stage, state, count(*)::int AS count FROM live GROUP BY stage, state) AS row) AS tasks,
  (SELECT coalesce(json_agg(row), '[]') FROM (
     SELECT stage, greatest(0, extract(epoch FROM max(now() + $1 * interval '1 millisecond' - lease_expire_time)))::float8 AS seconds
       FROM live WHERE state IN ${LEASED_TASKS} GROUP BY stage) AS row) AS "leaseAges",
  (SELECT count(*)::int FROM live WHERE state IN ${LEASED_TASKS} AND lease_expire_time < now()) AS "overdueLeases",
  (SELECT json_build_object('COUNTED', coalesce(sum(failure_count), 0), 'INFRASTRUCTURE', coalesce(sum(infrastructure_count), 0),
          'MEMORY', coalesce(sum(memory_count), 0)) FROM live) AS retries,
  (SELECT coalesce(json_agg(row), '[]') FROM (
     SELECT state, count(*)::int AS count FROM sweeps WHERE state IN ${LIVE_SWEEPS} GROUP BY state) AS row) AS sweeps,
  (SELECT coalesce(json_agg(row), '[]') FROM (
     SELECT runs.state, count(*)::int AS count FROM runs JOIN sweeps USING (sweep_id)
      WHERE sweeps.state IN ${LIVE_SWEEPS} GROUP BY runs.state) AS row) AS runs,
  (SELECT coalesce(json_agg(row), '[]') FROM (
     SELECT CASE WHEN state = 'READY'
                  AND (SELECT bool_and(bench_reason <> '') FROM slots WHERE slots.trainer_id = trainers.trainer_id)
                 THEN 'BENCHED' ELSE state END AS state, count(*)::int AS count FROM trainers GROUP BY 1) AS row) AS trainers,
  (SELECT coalesce(greatest(0, extract(epoch FROM max(now() - heartbeat_time))), 0)::float8
     FROM trainers WHERE state <> 'LOST') AS "oldestHeartbeatSeconds",
  (SELECT coalesce(json_agg(row), '[]') FROM (
     SELECT device_kind AS "deviceKind", count(*)::int AS count FROM slots JOIN trainers USING (trainer_id)
      WHERE trainers.state <> 'LOST' GROUP BY device_kind) AS row) AS slots,
  (SELECT count(*)::int FROM slots JOIN trainers USING (trainer_id)
    WHERE trainers.state = 'READY' AND slots.bench_reason <> '') AS "benchedSlots",
  (SELECT json_build_object(
            'pending', count(*) FILTER (WHERE dead_time IS NULL), 'dead', count(*) FILTER (WHERE dead_time IS NOT NULL),
            'oldestSeconds', coalesce(extract(epoch FROM now() - min(create_time) FILTER (WHERE dead_time IS NULL)), 0)::float8)
     FROM outbox) AS outbox`;

export async function readOperations(store: Store): Promise<Operations> {
  const { rows } = await store.pool.query<Operations>(STATEMENT, [store.leaseMs]);
  const row = rows[0];
  if (row === undefined) throw new Error('A statement that always returns one row returned none.');
  return row;
}

/** Rejects when the database does not answer. */
export async function pingDatabase(store: Store): Promise<void> {
  await store.pool.query('SELECT 1');
}

/** Counts the pool's connections, and the queries that wait for one. */
export function countConnections({ pool }: Store): { open: number; idle: number; waiting: number } {
  return { open: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount };
}
