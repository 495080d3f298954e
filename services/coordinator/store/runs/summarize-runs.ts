import type { StoreTransaction } from '../transaction.ts';

/**
 * Returns SQL of the best epoch of a run over all stages, those of a shared head included: stage, epoch, value, val_loss, val_accuracy.
 * Ties go to the earlier epoch and NaN is never best, as in Keras' `ModelCheckpoint(save_best_only=True)`.
 *
 * @param trained alias of `runs`, of the run that trained; @param metric, goal expressions of the objective
 */
export function bestEpochSql(trained: string, metric: string, goal: string): string {
  return `
         SELECT m.stage, m.epoch, m.value, loss.value AS val_loss, accuracy.value AS val_accuracy
           FROM epoch_metrics m
           LEFT JOIN epoch_metrics loss
             ON loss.run_id = m.run_id AND loss.stage = m.stage AND loss.epoch = m.epoch
            AND loss.name = 'val_loss' AND loss.superseded_by IS NULL
           LEFT JOIN epoch_metrics accuracy
             ON accuracy.run_id = m.run_id AND accuracy.stage = m.stage AND accuracy.epoch = m.epoch
            AND accuracy.name = 'val_accuracy' AND accuracy.superseded_by IS NULL
          WHERE m.run_id IN (${trained}.run_id, ${trained}.head_run_id) AND (m.run_id = ${trained}.run_id OR m.stage = 'HEAD')
            AND m.name = ${metric} AND m.superseded_by IS NULL AND m.value <> 'NaN'
          ORDER BY CASE WHEN ${goal} = 'minimize' THEN m.value ELSE -m.value END,
                   CASE m.stage WHEN 'HEAD' THEN 0 ELSE 1 END, m.epoch
          LIMIT 1`;
}

/**
 * Derives the summary columns of runs from the surviving metrics: the best value over all stages (a shared head's epochs included) with
 * its epoch and the other metrics of that epoch, and the last value and number of epochs in the current stage. The metrics of a run that
 * took a result are those of the run that trained it. One statement serves metric batches and resumptions, so that the two can't disagree.
 * The caller has locked the runs or their task.
 */
export async function summarizeRuns(tx: StoreTransaction, runIds: readonly string[]): Promise<void> {
  if (runIds.length === 0) return;
  await tx.query(
    `WITH locked AS MATERIALIZED (
       SELECT run_id FROM runs WHERE run_id = ANY($1) ORDER BY run_id FOR NO KEY UPDATE
     )
     UPDATE runs r
        SET epoch_count = coalesce(present.epoch, 0),
            last_value = present.value,
            best_value = best.value, best_stage = best.stage, best_epoch = best.epoch,
            best_val_loss = best.val_loss, best_val_accuracy = best.val_accuracy
       FROM locked
       JOIN runs l ON l.run_id = locked.run_id
       JOIN sweeps s ON s.sweep_id = l.sweep_id
       JOIN runs o ON o.run_id = coalesce(l.reused_run_id, l.run_id)
       LEFT JOIN LATERAL (
         SELECT m.epoch, max(m.value) FILTER (WHERE m.name = s.objective_metric) AS value
           FROM epoch_metrics m
          WHERE m.run_id = o.run_id AND m.stage = l.stage AND m.superseded_by IS NULL
          GROUP BY m.epoch ORDER BY m.epoch DESC LIMIT 1
       ) present ON true
       LEFT JOIN LATERAL (${bestEpochSql('o', 's.objective_metric', 's.objective_goal')}) best ON true
      WHERE r.run_id = l.run_id`,
    [runIds],
  );
}
