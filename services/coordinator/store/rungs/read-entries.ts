import { pathOf } from '../../../core/stopping/ladder.ts';
import type { RungDefinition } from '../../../core/stopping/ladder.ts';
import { ruleOf } from '../../../core/stopping/policy.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import type { RungEntry } from '../../../core/stopping/rung-table.ts';
import { int4Array, textArray } from '../../../platform/db/binary-array.ts';
import type { StoreTransaction } from '../transaction.ts';
import { SWEEP_VALIDATION_COUNT, toEvidence } from './evidence-row.ts';
import type { EvidenceRow } from './evidence-row.ts';
import { ladderColumns, toLadderRun } from './ladder-sql.ts';
import type { LadderRow } from './ladder-sql.ts';

interface EntryRow extends LadderRow, EvidenceRow {
  readonly rung: number;
  readonly arrival: number;
  readonly value: number;
  readonly standard_error: number | null;
  readonly epoch: number;
  readonly is_infeasible: boolean;
}

/** Entries by arrival, for each rung of the ladder. */
export interface StoredEntries {
  readonly rungs: readonly RungEntry[][];
  /** Numbers of runs that can't be trained: their entries no longer count. */
  readonly infeasible: ReadonlySet<number>;
}

/**
 * Reads the entries of some rungs, and all entries of some runs. Results by image, which are large, are read only for a rule that
 * compares them.
 */
export async function readEntries(
  tx: StoreTransaction,
  sweepId: string,
  policy: SearchPolicy,
  rungs: readonly number[],
  runIds: readonly string[] = [],
): Promise<StoredEntries> {
  const { rows } = await tx.prepared<EntryRow>(
    `SELECT e.rung, e.arrival, e.value, e.standard_error, e.epoch, ${ladderColumns('r')},
            CASE WHEN $3 THEN e.correct END AS correct, CASE WHEN $3 THEN e.losses END AS losses, ${SWEEP_VALIDATION_COUNT} AS image_count,
            r.state = 'INFEASIBLE' AS is_infeasible
       FROM rung_entries e JOIN runs r ON r.run_id = e.run_id
      WHERE e.sweep_id = $1 AND (e.rung = ANY($2::int[]) OR e.run_id = ANY($4::text[]))
      ORDER BY e.rung, e.arrival`,
    [sweepId, int4Array(rungs), comparesImages(policy), textArray(runIds)],
  );
  const byRung = policy.ladder.map((): RungEntry[] => []);
  for (const row of rows) byRung[row.rung]?.push(toEntry(policy.ladder, row));
  const infeasible = new Set(rows.filter((row) => row.is_infeasible).map((row) => row.run_index));
  return { rungs: byRung, infeasible };
}

/** Returns whether a rule compares runs image by image. */
function comparesImages(policy: SearchPolicy): boolean {
  return ruleOf(policy) === 'paired';
}

function toEntry(ladder: readonly RungDefinition[], row: EntryRow): RungEntry {
  const path = pathOf(ladder, toLadderRun(row));
  return {
    runIndex: row.run_index,
    arrival: row.arrival,
    value: row.value,
    standardError: row.standard_error,
    epoch: row.epoch,
    evidence: toEvidence(row),
    continues: path.some(({ rung }) => rung > row.rung),
  };
}
