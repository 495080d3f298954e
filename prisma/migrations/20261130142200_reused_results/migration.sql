-- Results of other sweeps: what identifies them, which code trained them, and the runs that took them.

ALTER TABLE "runs"
    ADD COLUMN "result_digest" TEXT,
    ADD COLUMN "head_digest" TEXT,
    ADD CONSTRAINT "runs_reused_run_id_check" CHECK ("reused_run_id" <> "run_id");
CREATE INDEX "runs_result_digest_idx" ON "runs"("result_digest") WHERE "reused_run_id" IS NULL;
CREATE INDEX "runs_head_digest_idx" ON "runs"("head_digest") WHERE "reused_run_id" IS NULL AND "head_run_id" IS NULL;

ALTER TABLE "trainers" ADD COLUMN "recipe_version" INTEGER;
ALTER TABLE "attempts" ADD COLUMN "recipe_version" INTEGER;

COMMENT ON COLUMN "runs"."result_digest" IS 'SHA-256 over all that determines the run''s numbers: parameters, seeds, images, weights, and the objective where it steers training; null: not planned yet, or planned by an earlier version.';
COMMENT ON COLUMN "runs"."head_digest" IS 'The same for its head phase; null also where there is none.';
COMMENT ON COLUMN "runs"."head_run_id" IS 'Run that trained its head, of this sweep or another one; null: itself, or there is no head.';
COMMENT ON COLUMN "trainers"."recipe_version" IS 'Version of the code that determines the numbers of a training; null: its version does not report one.';
COMMENT ON COLUMN "attempts"."recipe_version" IS 'The trainer''s recipe_version at the lease. A result is taken by other sweeps only if all its attempts have the coordinator''s own.';

CREATE OR REPLACE VIEW "leaderboard" AS
SELECT
    -- The column of the partition, so that a condition on it is applied before ranking.
    r.sweep_id,
    row_number() OVER (
        PARTITION BY r.sweep_id
        ORDER BY run_rank_key(
            r.state, s.objective_metric, s.objective_goal, r.best_value, r.best_val_loss, r.best_val_accuracy, r.run_index
        )
    )::integer AS rank,
    r.run_id,
    r.run_index,
    r.state,
    COALESCE(varied.parameters, '') AS parameters,
    s.objective_metric,
    r.best_value,
    r.best_stage,
    r.best_epoch,
    r.best_val_loss,
    r.best_val_accuracy,
    r.last_value,
    t.accuracy AS test_accuracy,
    t.accuracy_low AS test_accuracy_low,
    t.accuracy_high AS test_accuracy_high,
    t.role AS test_role,
    EXTRACT(EPOCH FROM COALESCE(r.end_time, now()) - r.start_time)::double precision AS seconds,
    t.macro_f1 AS test_macro_f1,
    t.balanced_accuracy AS test_balanced_accuracy,
    t.roc_auc AS test_roc_auc,
    (SELECT array_agg(c.class_name ORDER BY c.class_index)
       FROM test_class_results c
      WHERE c.run_id = t.run_id AND c.recall = 0 AND c.support > 0) AS never_found_classes,
    r.notes,
    r.tags,
    r.state_reason,
    r.end_cause,
    r.rung,
    r.paused_rung,
    r.reused_run_id,
    t.checkpoint_id AS test_checkpoint_id
FROM sweeps s
JOIN runs r ON r.sweep_id = s.sweep_id
LEFT JOIN test_results t ON t.run_id = r.run_id
LEFT JOIN LATERAL (
    SELECT string_agg(
        p.name || '=' || COALESCE(p.number_value::text, p.int_value::text, p.bool_value::text, p.string_value),
        ' ' ORDER BY v.place
    ) AS parameters
    FROM unnest(s.varied_names) WITH ORDINALITY AS v(name, place)
    JOIN run_parameters p ON p.run_id = r.run_id AND p.name = v.name
) varied ON true;
COMMENT ON COLUMN "leaderboard"."reused_run_id" IS 'Run of another sweep whose result it took; null: it was trained in this sweep.';
COMMENT ON COLUMN "leaderboard"."test_checkpoint_id" IS 'Checkpoint that was tested; null: none.';

CREATE OR REPLACE VIEW "sweep_summaries" AS
SELECT
    s.sweep_id,
    s.display_name,
    s.state,
    s.state_reason,
    s.objective_metric,
    s.objective_goal,
    s.varied_names,
    s.dataset_id,
    d.digest AS dataset_digest,
    COALESCE((s.spec -> 'dataset') ->> 'path', d.path) AS dataset_path,
    d.class_names,
    runs.run_count,
    runs.succeeded_count,
    runs.failed_count,
    work.attempt_count,
    work.slot_seconds,
    s.create_time,
    s.start_time,
    s.end_time,
    runs.infeasible_count,
    runs.stopped_count,
    runs.cancelled_count,
    best.run_id AS best_run_id,
    s.notes,
    s.tags,
    runs.reused_count
FROM sweeps s
LEFT JOIN datasets d ON d.dataset_id = s.dataset_id
CROSS JOIN LATERAL (
    SELECT
        count(*)::integer AS run_count,
        (count(*) FILTER (WHERE r.state = 'SUCCEEDED'))::integer AS succeeded_count,
        (count(*) FILTER (WHERE r.state IN ('FAILED', 'INFEASIBLE')))::integer AS failed_count,
        (count(*) FILTER (WHERE r.state = 'INFEASIBLE'))::integer AS infeasible_count,
        (count(*) FILTER (WHERE r.state = 'STOPPED'))::integer AS stopped_count,
        (count(*) FILTER (WHERE r.state = 'CANCELLED'))::integer AS cancelled_count,
        count(r.reused_run_id)::integer AS reused_count
    FROM runs r
    WHERE r.sweep_id = s.sweep_id
) runs
CROSS JOIN LATERAL (
    SELECT
        count(*)::integer AS attempt_count,
        COALESCE(EXTRACT(EPOCH FROM sum(COALESCE(a.end_time, now()) - a.create_time)), 0)::double precision AS slot_seconds
    FROM tasks t
    JOIN attempts a ON a.task_id = t.task_id
    WHERE t.sweep_id = s.sweep_id
) work
LEFT JOIN LATERAL (
    SELECT r.run_id
    FROM runs r
    CROSS JOIN LATERAL (
        SELECT run_rank_key(
            r.state, s.objective_metric, s.objective_goal, r.best_value, r.best_val_loss, r.best_val_accuracy, r.run_index
        ) AS rank_key
    ) k
    WHERE r.sweep_id = s.sweep_id AND k.rank_key[1] = 0 AND k.rank_key[2] = 0
    ORDER BY k.rank_key
    LIMIT 1
) best ON true;
COMMENT ON COLUMN "sweep_summaries"."reused_count" IS 'Runs that took the result of another sweep; included in succeeded_count.';

CREATE OR REPLACE VIEW "epoch_curves" AS
SELECT
    r.sweep_id,
    r.run_id,
    r.run_index,
    m.stage,
    m.epoch,
    max(m.value) FILTER (WHERE m.name = 'loss') AS loss,
    max(m.value) FILTER (WHERE m.name = 'accuracy') AS accuracy,
    max(m.value) FILTER (WHERE m.name = 'val_loss') AS val_loss,
    max(m.value) FILTER (WHERE m.name = 'val_accuracy') AS val_accuracy,
    max(m.value) FILTER (WHERE m.name = 'learning_rate') AS learning_rate,
    max(m.value) FILTER (WHERE m.name = 'seconds') AS seconds,
    max(m.value) FILTER (WHERE m.name = 'images_per_second') AS images_per_second,
    r.trained_run_id,
    max(m.value) FILTER (WHERE m.name = 'val_macro_f1') AS val_macro_f1,
    max(m.value) FILTER (WHERE m.name = 'val_balanced_accuracy') AS val_balanced_accuracy,
    max(m.value) FILTER (WHERE m.name = 'val_auc') AS val_auc
FROM (
    SELECT o.sweep_id, o.run_id, o.run_index, o.run_id AS trained_run_id, false AS shared FROM runs o
    UNION ALL
    SELECT f.sweep_id, f.run_id, f.run_index, f.head_run_id, true FROM runs f WHERE f.head_run_id IS NOT NULL
    UNION ALL
    SELECT u.sweep_id, u.run_id, u.run_index, u.reused_run_id, false FROM runs u WHERE u.reused_run_id IS NOT NULL
    UNION ALL
    SELECT u.sweep_id, u.run_id, u.run_index, o.head_run_id, true
    FROM runs u
    JOIN runs o ON o.run_id = u.reused_run_id
    WHERE o.head_run_id IS NOT NULL
) r
JOIN epoch_metrics m ON m.run_id = r.trained_run_id AND (NOT r.shared OR m.stage = 'HEAD')
WHERE m.superseded_by IS NULL
GROUP BY r.sweep_id, r.run_id, r.run_index, r.trained_run_id, m.stage, m.epoch;
COMMENT ON COLUMN "epoch_curves"."trained_run_id" IS 'The run that trained the epoch: itself, the run whose head it shares, or the one of another sweep whose result it took.';

CREATE OR REPLACE VIEW "served_runs" AS
SELECT tr.task_id, t.sweep_id, t.stage, tr.run_id, false AS shared
FROM task_runs tr
JOIN tasks t ON t.task_id = tr.task_id
UNION ALL
SELECT tr.task_id, t.sweep_id, t.stage, f.run_id, true AS shared
FROM task_runs tr
JOIN tasks t ON t.task_id = tr.task_id AND t.stage = 'HEAD'
JOIN runs f ON f.head_run_id = tr.run_id AND f.sweep_id = t.sweep_id;
COMMENT ON VIEW "served_runs" IS 'One row per task and run that needs it: its own runs, and those of the task''s sweep that share a head it trains. A run whose head another sweep has trained needs no task for it.';

SELECT grant_reader();
