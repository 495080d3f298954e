import { InvalidRequestError } from '../../../core/errors.ts';
import type { RungReport } from '../../../core/task.ts';
import { standardErrorOf } from '../../../core/statistics/standard-error.ts';
import { int4Array, textArray } from '../../../platform/db/binary-array.ts';
import { moveRuns } from '../move-runs.ts';
import { END_RUNGS, enterEnds } from '../rungs/enter-ends.ts';
import { enterRepeats } from '../rungs/enter-repeats.ts';
import type { RepeatArrival } from '../rungs/enter-repeats.ts';
import { enterRungs } from '../rungs/enter-rungs.ts';
import type { RungArrival } from '../rungs/enter-rungs.ts';
import { lockSearch } from '../rungs/search-row.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { FencedAttempt } from './fence-attempts.ts';
import type { MetricBatch } from './metric-batch.ts';

export interface AcceptedBatch {
  readonly attempt: FencedAttempt;
  readonly batch: MetricBatch;
}

/**
 * Enters the runs of rung reports at their rungs, in the order of the reports, and moves runs that a rule stops to STOPPING. Where no rule
 * compares runs, the reports of the ends of their stages are kept. The metrics have been stored and the runs locked in this transaction.
 * Locks the searches in the order of their sweeps.
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
    if (search === null) continue;
    const reports = reporting.filter(({ attempt }) => attempt.sweepId === sweepId).flatMap(reportsOf);
    const { arrivals, repeats } = await arrivalsOf(tx, search, reports, imageCounts.get(sweepId) ?? 0);
    await enterRepeats(tx, search, repeats);
    if (search.policy.ladder.length === 0) {
      await enterEnds(tx, search, arrivals);
      continue;
    }
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
  { sweepId, policy }: LockedSearch,
  reports: readonly FencedRungReport[],
  imageCount: number,
): Promise<{ readonly arrivals: readonly RungArrival[]; readonly repeats: readonly RepeatArrival[] }> {
  const { ladder, objective } = policy;
  const rungs = ladder.length === 0 ? END_RUNGS : ladder;
  const values = await readValues(
    tx,
    sweepId,
    objective.metric,
    reports.map(({ report }) => report),
  );
  const [arrivals, repeats]: [RungArrival[], RepeatArrival[]] = [[], []];
  for (const [index, { attempt, report, field }] of reports.entries()) {
    const { runId, stage, epoch, isEnd, correct, losses } = report;
    const rung = rungs.find((level) => level.stage === stage && level.epoch === (isEnd ? null : epoch));
    const { value, isRepeat } = values[index] ?? { value: undefined, isRepeat: false };
    // A milestone of an older plan, or a repair of what a run of another sweep has trained.
    if (rung === undefined || value === undefined) continue;
    if (value === null) {
      const description = `is of an epoch whose objective was not reported; received epoch ${epoch} of ${runId}.`;
      throw new InvalidRequestError([{ field: `${field}.epoch`, description }]);
    }
    const { taskId, leaseEpoch } = attempt;
    const evidence = correct.length === 0 ? null : { correct, losses, count: imageCount };
    const standardError = evidence && standardErrorOf(objective.metric, evidence);
    const completedEpochs = report.epochCount;
    const arrival = {
      runId,
      rung: rung.number,
      value,
      standardError,
      epoch,
      completedEpochs,
      taskId,
      leaseEpoch,
      evidence,
    };
    if (!isRepeat) arrivals.push(arrival);
    else if (isEnd) repeats.push({ ...arrival, stage: rung.stage });
  }
  return { arrivals, repeats };
}

/** The objective at a reported epoch; null: it was not reported. */
interface ReportedValue {
  readonly value: number | null;
  readonly isRepeat: boolean;
}

/** Reads the objective at the epoch of each report, in their order; undefined: the run is of another sweep. */
async function readValues(
  tx: StoreTransaction,
  sweepId: string,
  metric: string,
  reports: readonly RungReport[],
): Promise<readonly (ReportedValue | undefined)[]> {
  const { rows } = await tx.prepared<{ place: string; value: number | null; is_repeat: boolean }>(
    `SELECT b.place::text AS place, m.value, r.repeat_of IS NOT NULL AS is_repeat
       FROM unnest($1::text[], $2::text[], $3::int[]) WITH ORDINALITY AS b (run_id, stage, epoch, place)
       JOIN runs r ON r.run_id = b.run_id AND r.sweep_id = $4
       LEFT JOIN epoch_metrics m ON m.run_id = b.run_id AND m.stage = b.stage AND m.epoch = b.epoch
        AND m.name = $5 AND m.superseded_by IS NULL`,
    [
      textArray(reports.map(({ runId }) => runId)),
      textArray(reports.map(({ stage }) => stage)),
      int4Array(reports.map(({ epoch }) => epoch)),
      sweepId,
      metric,
    ],
  );
  const values = new Map(rows.map(({ place, value, is_repeat: isRepeat }) => [Number(place), { value, isRepeat }]));
  return reports.map((_, index) => values.get(index + 1));
}
