import type { StoredSearch } from '../../../core/stopping/decision-inputs.ts';
import { pathOf } from '../../../core/stopping/ladder.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import type { RungEntry } from '../../../core/stopping/rung-table.ts';
import { ladderColumns, toLadderRun } from '../rungs/ladder-sql.ts';
import type { LadderRow } from '../rungs/ladder-sql.ts';
import { readScreen } from '../rungs/read-candidates.ts';
import { readEntries } from '../rungs/read-entries.ts';
import type { StoreTransaction } from '../transaction.ts';

/** The rows that the inputs of a sweep's decisions refer to, and the identities of its runs. */
export interface ReadSearch {
  readonly search: StoredSearch & { readonly rungs: readonly RungEntry[][] };
  /** Identity of each run, by run number. */
  readonly runIds: readonly string[];
}

/** Reads the entries of all rungs, without their results by image, and the ways of all runs. */
export async function readStoredSearch(
  tx: StoreTransaction,
  sweepId: string,
  policy: SearchPolicy,
): Promise<ReadSearch> {
  const rungs = await readEntries(
    tx,
    sweepId,
    policy,
    policy.ladder.map(({ number }) => number),
  );
  const { rows } = await tx.prepared<
    LadderRow & { readonly run_id: string; readonly repeat_of_index: number | null; readonly round: number | null }
  >(
    `SELECT r.run_id, o.run_index AS repeat_of_index, u.round, ${ladderColumns('r')}
       FROM runs r LEFT JOIN runs o ON o.run_id = r.repeat_of LEFT JOIN suggestions u ON u.run_id = r.run_id
      WHERE r.sweep_id = $1`,
    [sweepId],
  );
  const paths: StoredSearch['paths'][number][] = [];
  const runIds: string[] = [];
  const repeats = new Map<number, number>();
  const runRounds: (number | null)[] = [];
  for (const row of rows) {
    paths[row.run_index] = pathOf(policy.ladder, toLadderRun(row));
    runIds[row.run_index] = row.run_id;
    runRounds[row.run_index] = row.round;
    if (row.repeat_of_index !== null) repeats.set(row.run_index, row.repeat_of_index);
  }
  const { candidates } = policy.screen === undefined ? { candidates: [] } : await readScreen(tx, sweepId);
  const rounds = policy.rounds === undefined ? {} : { runRounds };
  return { search: { policy, rungs, paths, candidates, repeats, ...rounds }, runIds };
}
