import type { Objective } from '../../../core/objective.ts';
import { addEpoch } from '../../../core/run-summary.ts';
import type { RunSummary } from '../../../core/run-summary.ts';
import type { Stage } from '../../../core/task.ts';
import { float8Array, int4Array, textArray } from '../../../platform/db/binary-array.ts';
import { summarizeRuns } from '../runs/summarize-runs.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { EpochReport } from './metric-batch.ts';

interface LockedRun {
  readonly summary: RunSummary;
  readonly objective: Objective;
}

/**
 * Updates the summary columns of runs by the reports that were just inserted: incrementally where possible (core/run-summary.ts), else
 * from all rows (`summarizeRuns`), which takes longer with every epoch.
 *
 * @param superseded runs whose previous summary may depend on superseded rows.
 * @param alsoLocked runs without a report that the caller moves afterwards: rows of a table are locked in one order.
 */
export async function updateSummaries(
  tx: StoreTransaction,
  reports: readonly EpochReport[],
  superseded: ReadonlySet<string>,
  alsoLocked: readonly string[],
): Promise<void> {
  const runIds = [...new Set(reports.map(({ runId }) => runId))];
  const locked = [...new Set([...runIds, ...alsoLocked])].sort();
  if (locked.length === 0) return;
  const runs = await lockRuns(tx, locked);
  const next = new Map<string, RunSummary | null>(runIds.map((runId) => [runId, runs.get(runId)?.summary ?? null]));
  for (const runId of superseded) next.set(runId, null);
  for (const report of reports) {
    const summary = next.get(report.runId);
    const objective = runs.get(report.runId)?.objective;
    if (summary && objective) next.set(report.runId, addEpoch(summary, report, objective));
  }
  await writeSummaries(
    tx,
    [...next].flatMap(([runId, summary]) => (summary === null ? [] : [[runId, summary] as const])),
  );
  await summarizeRuns(
    tx,
    runIds.filter((runId) => next.get(runId) === null),
  );
}

async function lockRuns(tx: StoreTransaction, runIds: readonly string[]): Promise<ReadonlyMap<string, LockedRun>> {
  const { rows } = await tx.prepared<{
    run_id: string;
    stage: Stage;
    epoch_count: number;
    last_value: number | null;
    best_value: number | null;
    best_stage: Stage | null;
    best_epoch: number | null;
    best_val_loss: number | null;
    best_val_accuracy: number | null;
    objective_metric: Objective['metric'];
    objective_goal: Objective['goal'];
  }>(
    `SELECT r.run_id, r.stage, r.epoch_count, r.last_value, r.best_value, r.best_stage, r.best_epoch, r.best_val_loss,
            r.best_val_accuracy, s.objective_metric, s.objective_goal
       FROM runs r JOIN sweeps s ON s.sweep_id = r.sweep_id
      WHERE r.run_id = ANY($1::text[])
      ORDER BY r.run_id
        FOR NO KEY UPDATE OF r`,
    [textArray(runIds)],
  );
  return new Map(
    rows.map((row) => {
      const { best_value: value, best_stage: stage, best_epoch: epoch } = row;
      const best =
        value === null || stage === null || epoch === null
          ? null
          : { value, stage, epoch, valLoss: row.best_val_loss, valAccuracy: row.best_val_accuracy };
      return [
        row.run_id,
        {
          summary: { stage: row.stage, epochCount: row.epoch_count, lastValue: row.last_value, best },
          objective: { metric: row.objective_metric, goal: row.objective_goal },
        },
      ];
    }),
  );
}

async function writeSummaries(
  tx: StoreTransaction,
  summaries: readonly (readonly [runId: string, summary: RunSummary])[],
): Promise<void> {
  if (summaries.length === 0) return;
  await tx.prepared(
    `UPDATE runs r
        SET epoch_count = n.epoch_count, last_value = n.last_value, best_value = n.best_value, best_stage = n.best_stage,
            best_epoch = n.best_epoch, best_val_loss = n.best_val_loss, best_val_accuracy = n.best_val_accuracy
       FROM unnest($1::text[], $2::int[], $3::float8[], $4::float8[], $5::text[], $6::int[], $7::float8[], $8::float8[])
              AS n (run_id, epoch_count, last_value, best_value, best_stage, best_epoch, best_val_loss, best_val_accuracy)
      WHERE r.run_id = n.run_id`,
    [
      textArray(summaries.map(([runId]) => runId)),
      int4Array(summaries.map(([, { epochCount }]) => epochCount)),
      float8Array(summaries.map(([, { lastValue }]) => lastValue)),
      float8Array(summaries.map(([, { best }]) => best?.value ?? null)),
      summaries.map(([, { best }]) => best?.stage ?? null),
      summaries.map(([, { best }]) => best?.epoch ?? null),
      float8Array(summaries.map(([, { best }]) => best?.valLoss ?? null)),
      float8Array(summaries.map(([, { best }]) => best?.valAccuracy ?? null)),
    ],
  );
}
