import { InvalidRequestError } from '../../../core/errors.ts';
import type { RungReport } from '../../../core/task.ts';
import { standardErrorOf } from '../../../core/statistics/standard-error.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import { int4Array, textArray } from '../../../platform/db/binary-array.ts';
import { moveRuns } from '../move-runs.ts';
import { enterRungs } from '../rungs/enter-rungs.ts';
import type { RungArrival } from '../rungs/enter-rungs.ts';
import { lockSearch } from '../rungs/search-row.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { FencedAttempt } from './fence-attempts.ts';
import type { MetricBatch } from './metric-batch.ts';

export interface AcceptedBatch {
  readonly attempt: FencedAttempt;
  readonly batch: MetricBatch;
}

/**
 * Enters the runs of rung reports at their rungs, in the order of the reports, and moves runs that a rule stops to STOPPING. The metrics
 * have been stored and the runs locked in this transaction. Locks the searches in the order of their sweeps.
 *
 * @param imageCounts validation images by sweep
 * @returns whether a run was stopped
 * @throws InvalidRequestError for a report of an epoch whose objective was not reported
 */
export async function enterReports(
  tx: StoreTransaction,
  accepted: readonly AcceptedBatch[],
  imageCounts: ReadonlyMap<string, number>,
): Promise<boolean> {
  const reporting = accepted.filter(({ batch }) => batch.rungs.length > 0);
  const sweepIds = [...new Set(reporting.map(({ attempt }) => attempt.sweepId))].sort();
  let isStopped = false;
  for (const sweepId of sweepIds) {
    const search = await lockSearch(tx, sweepId);
    if (search === null || search.policy.ladder.length === 0) continue;
    const reports = reporting.filter(({ attempt }) => attempt.sweepId === sweepId).flatMap(reportsOf);
    const arrivals = await arrivalsOf(tx, search.policy, reports, imageCounts.get(sweepId) ?? 0);
    for (const { runId, verdict } of await enterRungs(tx, search, arrivals)) {
      if (verdict.kind !== 'STOP') continue;
      const { reason } = verdict;
      const moved = await moveRuns(tx, [runId], { to: 'STOPPING', from: ['RUNNING'], reason, cause: 'RULE' });
      if (moved.length > 0) isStopped = true;
    }
  }
  return isStopped;
}

interface FencedRungReport {
  readonly attempt: FencedAttempt;
  readonly report: RungReport;
  /** Path of the report in its request. */
  readonly field: string;
}

function reportsOf({ attempt, batch }: AcceptedBatch): FencedRungReport[] {
  return batch.rungs.map((report, index) => ({ attempt, report, field: `rungs[${index}]` }));
}

async function arrivalsOf(
  tx: StoreTransaction,
  { ladder, objective: { metric } }: SearchPolicy,
  reports: readonly FencedRungReport[],
  imageCount: number,
): Promise<RungArrival[]> {
  const values = await readValues(
    tx,
    reports.map(({ report }) => report),
  );
  return reports.flatMap(({ attempt, report, field }, index) => {
    const { runId, stage, epoch, isEnd, correct, losses } = report;
    const rung = ladder.find((level) => level.stage === stage && level.epoch === (isEnd ? null : epoch));
    // A milestone of an older plan.
    if (rung === undefined) return [];
    const value = values[index];
    if (value === undefined) {
      const description = `is of an epoch whose objective was not reported; received epoch ${epoch} of ${runId}.`;
      throw new InvalidRequestError([{ field: `${field}.epoch`, description }]);
    }
    const { taskId, leaseEpoch } = attempt;
    const evidence = correct.length === 0 ? null : { correct, losses, count: imageCount };
    const standardError = evidence && standardErrorOf(metric, evidence);
    return [{ runId, rung: rung.number, value, standardError, epoch, taskId, leaseEpoch, evidence }];
  });
}

/** Reads the objective at the epoch of each report, in their order. */
async function readValues(
  tx: StoreTransaction,
  reports: readonly RungReport[],
): Promise<readonly (number | undefined)[]> {
  const { rows } = await tx.prepared<{ place: string; value: number }>(
    `SELECT b.place::text AS place, m.value
       FROM unnest($1::text[], $2::text[], $3::int[]) WITH ORDINALITY AS b (run_id, stage, epoch, place)
       JOIN runs r ON r.run_id = b.run_id
       JOIN sweeps s ON s.sweep_id = r.sweep_id
       JOIN epoch_metrics m ON m.run_id = b.run_id AND m.stage = b.stage AND m.epoch = b.epoch
        AND m.name = s.objective_metric AND m.superseded_by IS NULL`,
    [
      textArray(reports.map(({ runId }) => runId)),
      textArray(reports.map(({ stage }) => stage)),
      int4Array(reports.map(({ epoch }) => epoch)),
    ],
  );
  const values = new Map(rows.map(({ place, value }) => [Number(place), value]));
  return reports.map((_, index) => values.get(index + 1));
}
