import type { Stage } from '../../../core/task.ts';
import { standardErrorOf } from '../../../core/statistics/standard-error.ts';
import { SWEEP_VALIDATION_COUNT, toEvidence } from '../rungs/evidence-row.ts';
import type { EvidenceRow } from '../rungs/evidence-row.ts';
import { trainerOf } from '../run-sql.ts';
import { IMAGE_RESULTS } from '../rungs/read-final-evidence.ts';
import { enterRungs } from '../rungs/enter-rungs.ts';
import type { RungArrival, RungVerdict } from '../rungs/enter-rungs.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import type { StoreTransaction } from '../transaction.ts';

/** A run, and the run of another sweep that has trained its result or its head. */
export interface TrainedElsewhere {
  readonly runId: string;
  readonly sourceId: string;
  /** HEAD: only the head was trained, and the run is judged when it ends. */
  readonly upTo: 'HEAD' | 'FINE_TUNE';
}

interface MeasuredRow extends EvidenceRow {
  readonly run_id: string;
  readonly rung: number;
  readonly stage: Stage;
  readonly is_end: boolean;
  readonly value: number;
  readonly epoch: number;
  readonly task_id: string;
  readonly lease_epoch: number;
}

/**
 * Enters runs at the rungs that another sweep has trained them to, by run number, with the objective measured there and the results by
 * image that were stored of the same epoch. Rules then see them as if they had been trained here first.
 */
export async function enterReused(
  tx: StoreTransaction,
  search: LockedSearch,
  trained: readonly TrainedElsewhere[],
): Promise<RungVerdict[]> {
  const { sweepId, policy } = search;
  if (policy.ladder.length === 0 || trained.length === 0) return [];
  const { metric, goal } = policy.objective;
  const { rows } = await tx.query<MeasuredRow>(
    `SELECT u.run_id, g.rung, g.stage, g.epoch IS NULL AS is_end, m.value, m.epoch, m.task_id, m.lease_epoch, e.correct, e.losses,
            ${SWEEP_VALIDATION_COUNT} AS image_count
       FROM unnest($2::text[], $3::text[]) AS u (run_id, source_id)
       JOIN runs r ON r.run_id = u.run_id
       JOIN runs o ON o.run_id = u.source_id
       JOIN rungs g ON g.sweep_id = $1
      CROSS JOIN LATERAL (
        SELECT m.run_id, m.epoch, m.value, m.task_id, m.lease_epoch FROM epoch_metrics m
         WHERE m.run_id = ${trainerOf('o', 'g.stage')}
           AND m.stage = g.stage AND m.name = $4 AND m.superseded_by IS NULL AND m.value <> 'NaN'
           AND (g.epoch IS NULL OR m.epoch = g.epoch)
         ORDER BY CASE WHEN $5 = 'minimize' THEN m.value ELSE -m.value END, m.epoch LIMIT 1
      ) m
       LEFT JOIN LATERAL (
        SELECT x.correct, x.losses FROM (${IMAGE_RESULTS}) x
         WHERE x.run_id = m.run_id AND x.stage = g.stage AND x.epoch = m.epoch LIMIT 1
      ) e ON true
      ORDER BY r.run_index, g.rung`,
    [sweepId, trained.map(({ runId }) => runId), trained.map(({ sourceId }) => sourceId), metric, goal],
  );
  const upTo = new Map(trained.map((run) => [run.runId, run.upTo]));
  const arrivals = rows
    .filter((row) => row.stage === 'HEAD' || upTo.get(row.run_id) === 'FINE_TUNE')
    .map((row): RungArrival => {
      const { run_id: runId, rung, value, epoch, task_id: taskId, lease_epoch: leaseEpoch } = row;
      const evidence = toEvidence(row);
      const standardError = evidence && standardErrorOf(metric, evidence);
      const isJudged = row.is_end && upTo.get(runId) === 'HEAD';
      const arrival = { runId, rung, value, standardError, epoch, completedEpochs: null, taskId, leaseEpoch, evidence };
      return isJudged ? arrival : { ...arrival, reused: true };
    });
  return enterRungs(tx, search, arrivals);
}
