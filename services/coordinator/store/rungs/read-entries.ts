import { pathOf } from '../../../core/stopping/ladder.ts';
import type { RungDefinition } from '../../../core/stopping/ladder.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import type { RungEntry } from '../../../core/stopping/rung-table.ts';
import { int4Array, textArray } from '../../../platform/db/binary-array.ts';
import type { StoreTransaction } from '../transaction.ts';
import { ladderColumns, toLadderRun } from './ladder-sql.ts';
import type { LadderRow } from './ladder-sql.ts';

interface EntryRow extends LadderRow {
  readonly rung: number;
  readonly arrival: number;
  readonly value: number;
  readonly standard_error: number | null;
  readonly epoch: number;
  readonly completed_epochs: number | null;
  readonly tie_order: number;
}

/**
 * Reads the entries of some rungs by arrival, for each rung of the ladder, and all entries of some runs, without their results by
 * image, which are large (`readEvidence`).
 */
export async function readEntries(
  tx: StoreTransaction,
  sweepId: string,
  policy: SearchPolicy,
  rungs: readonly number[],
  runIds: readonly string[] = [],
): Promise<RungEntry[][]> {
  const { rows } = await tx.prepared<EntryRow>(
    `SELECT e.rung, e.arrival, e.value, e.standard_error, e.epoch, e.completed_epochs, e.tie_order, ${ladderColumns('r')}
       FROM rung_entries e JOIN runs r ON r.run_id = e.run_id
      WHERE e.sweep_id = $1 AND (e.rung = ANY($2::int[]) OR e.run_id = ANY($3::text[]))
      ORDER BY e.rung, e.arrival`,
    [sweepId, int4Array(rungs), textArray(runIds)],
  );
  const byRung = policy.ladder.map((): RungEntry[] => []);
  for (const row of rows) byRung[row.rung]?.push(toEntry(policy.ladder, row));
  return byRung;
}

function toEntry(ladder: readonly RungDefinition[], row: EntryRow): RungEntry {
  const path = pathOf(ladder, toLadderRun(row));
  return {
    runIndex: row.run_index,
    arrival: row.arrival,
    value: row.value,
    standardError: row.standard_error,
    epoch: row.epoch,
    completedEpochs: row.completed_epochs,
    tieOrder: row.tie_order,
    evidence: null,
    continues: path.some(({ rung }) => rung > row.rung),
  };
}
