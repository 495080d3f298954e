import type { Screening } from '../../../core/stopping/action.ts';
import type { ScreenCandidate } from '../../../core/stopping/screen/candidate.ts';
import { targetKey } from '../../../core/stopping/screen/candidate.ts';
import { describeVerdict } from '../../../core/stopping/screen/describe.ts';
import type { ScreenPolicy, ScreenVerdict } from '../../../core/stopping/screen/keep.ts';
import { stopIdleRuns } from '../runs/end-runs.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import { IDLE_RUNS } from '../state-sql.ts';
import { readTargets } from '../sweeps/read-targets.ts';
import { planScreened } from '../sweeps/write-plan.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Applies the decision of a screen: stops the runs of candidates that were left out, each with its reason, and plans the others. The
 * decision is stored already.
 */
export async function applyScreen(
  tx: StoreTransaction,
  { sweepId }: LockedSearch,
  policy: ScreenPolicy,
  { table, reason }: Screening,
  candidates: readonly ScreenCandidate[],
): Promise<void> {
  const reasons = new Map(
    table.verdicts.map((verdict) => [verdict.position, describeVerdict(candidates, table, verdict, policy.keep)]),
  );
  await storeVerdicts(tx, sweepId, table.verdicts, reasons);
  const out = new Map(
    table.verdicts.flatMap(({ position, isKept }) => {
      const candidate = candidates.find((one) => one.position === position);
      return isKept || candidate === undefined ? [] : [[targetKey(candidate), reasons.get(position) ?? ''] as const];
    }),
  );
  await stopIdleRuns(tx, sweepId, { cause: 'SCREENED', because: reason }, () => readScreenedOut(tx, sweepId, out));
  tx.store.log.info({ sweep_id: sweepId }, `screen decided: ${reason}`);
  await planScreened(tx, sweepId);
}

/** Returns the idle runs whose candidate was left out, with its reason. */
async function readScreenedOut(
  tx: StoreTransaction,
  sweepId: string,
  out: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await tx.query<{ run_id: string }>(
    `SELECT run_id FROM runs WHERE sweep_id = $1 AND state IN ${IDLE_RUNS} ORDER BY run_index`,
    [sweepId],
  );
  const targets = await readTargets(
    tx,
    rows.map((row) => row.run_id),
  );
  return new Map(
    [...targets].flatMap(([runId, key]) => {
      const why = out.get(key);
      return why === undefined ? [] : [[runId, why] as const];
    }),
  );
}

async function storeVerdicts(
  tx: StoreTransaction,
  sweepId: string,
  verdicts: readonly ScreenVerdict[],
  reasons: ReadonlyMap<number, string>,
): Promise<void> {
  await tx.query(
    `UPDATE probes p
        SET kept = v.kept, place = v.place, best_only_count = v.best_only, this_only_count = v.this_only, p_value = v.p_value,
            reason = v.reason
       FROM jsonb_to_recordset($2::jsonb)
         AS v (position int, kept boolean, place int, best_only int, this_only int, p_value float8, reason text)
      WHERE p.sweep_id = $1 AND p.position = v.position`,
    [
      sweepId,
      JSON.stringify(
        verdicts.map(({ position, isKept, place, comparison }) => ({
          position,
          kept: isKept,
          place,
          best_only: comparison?.bestOnly ?? null,
          this_only: comparison?.thisOnly ?? null,
          p_value: comparison?.pValue ?? null,
          reason: reasons.get(position) ?? '',
        })),
      ),
    ],
  );
}
