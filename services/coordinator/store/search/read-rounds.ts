import { MOST_GP_RUNS } from '../../../core/samplers/samplers.ts';
import type { RoundsState } from '../../../core/stopping/search-state.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import type { StoreTransaction } from '../transaction.ts';

/** The rounds of a sweep so far. */
export interface StoredRoundsState {
  readonly rounds: RoundsState;
  /** Round of each run that was asked for, by run number. */
  readonly roundOf: ReadonlyMap<number, number>;
}

/** Reads the rounds of a sweep; null: its strategy has none. */
export async function readRounds(
  tx: StoreTransaction,
  sweepId: string,
  { rounds: policy }: Pick<SearchPolicy, 'rounds'>,
): Promise<StoredRoundsState | null> {
  if (policy === undefined) return null;
  const { rows } = await tx.prepared<{
    max_runs: number | null;
    patience_rounds: number | null;
    is_exhausted: boolean;
    head_seconds: number;
    feature_seconds: number;
  }>(
    `SELECT (s.spec ->> 'maxRuns')::int AS max_runs, (s.budget ->> 'patienceRounds')::int AS patience_rounds,
            coalesce((SELECT d.kind = 'SUGGEST' AND (d.inputs ->> 'suggested')::int < (d.inputs ->> 'count')::int
                        FROM decisions d WHERE d.sweep_id = $1 AND d.kind IN ('SUGGEST', 'EXTEND')
                       ORDER BY d.decision_id DESC LIMIT 1), false) AS is_exhausted,
            spent.head_seconds, spent.feature_seconds
       FROM sweeps s
      CROSS JOIN LATERAL (
        SELECT coalesce(sum(a.seconds) FILTER (WHERE a.stage = 'HEAD'), 0)::float8 AS head_seconds,
               coalesce(sum(a.seconds) FILTER (WHERE a.stage = 'FEATURES'), 0)::float8 AS feature_seconds
          FROM (SELECT t.stage, extract(epoch FROM coalesce(a.end_time, now()) - a.create_time) AS seconds
                  FROM tasks t JOIN attempts a ON a.task_id = t.task_id
                 WHERE t.sweep_id = $1 AND s.budget -> 'slotSeconds' <> 'null') a) spent
      WHERE s.sweep_id = $1`,
    [sweepId],
  );
  const runs = await tx.prepared<{ run_index: number; round: number }>(
    `SELECT r.run_index, u.round FROM suggestions u JOIN runs r ON r.run_id = u.run_id WHERE u.sweep_id = $1`,
    [sweepId],
  );
  const [row] = rows;
  const roundOf = new Map(runs.rows.map((run) => [run.run_index, run.round]));
  return {
    roundOf,
    rounds: {
      asked: Math.max(-1, ...roundOf.values()) + 1,
      maxRuns: row?.max_runs ?? (policy.sampler === 'gp@1' ? MOST_GP_RUNS : null),
      isExhausted: row?.is_exhausted ?? false,
      patienceRounds: row?.patience_rounds ?? null,
      headSeconds: row?.head_seconds ?? 0,
      featureSeconds: row?.feature_seconds ?? 0,
    },
  };
}
