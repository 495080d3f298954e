import type { FrontEntryRecord } from '../../../core/records/pareto-front.ts';
import type { Store } from '../store.ts';
import { RUN_COLUMNS, toRun } from './run-row.ts';
import type { RunRow } from './run-row.ts';

/** Maximum number of runs. A front has as many as there are steps of size with a gain each, so hardly ever more than twenty. */
const MAX_ENTRIES = 1_000;

/** Reads the Pareto front of a sweep, the smallest run first, from the SQL view that is documented for users. */
export async function readFront(store: Store, sweepId: string): Promise<FrontEntryRecord[]> {
  const { rows } = await store.pool.query<
    RunRow & { readonly standard_error: number | null; readonly tied_run_indexes: number[] }
  >(
    `SELECT ${RUN_COLUMNS}, f.standard_error, f.tied_run_indexes
       FROM (SELECT run_id, place, standard_error, tied_run_indexes FROM pareto_front WHERE sweep_id = $1) f
       JOIN runs r ON r.run_id = f.run_id
       JOIN sweeps s ON s.sweep_id = r.sweep_id
      ORDER BY f.place
      LIMIT $2`,
    [sweepId, MAX_ENTRIES],
  );
  return rows.map((row) => ({
    run: toRun(row),
    standardError: row.standard_error,
    tiedRunIndexes: row.tied_run_indexes,
  }));
}
