-- Notes and tags of people, for sweeps and runs. The view of the leaderboard has the new metrics of tests as well.

ALTER TABLE "sweeps" ADD COLUMN "notes" TEXT NOT NULL DEFAULT '', ADD COLUMN "tags" TEXT[] NOT NULL DEFAULT '{}';
ALTER TABLE "runs" ADD COLUMN "notes" TEXT NOT NULL DEFAULT '', ADD COLUMN "tags" TEXT[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN "sweeps"."display_name" IS 'Name for people; the spec keeps the submitted one.';
COMMENT ON COLUMN "sweeps"."notes" IS 'Notes of people.';
COMMENT ON COLUMN "sweeps"."tags" IS 'Tags of people, sorted.';
COMMENT ON COLUMN "runs"."notes" IS 'Notes of people.';
COMMENT ON COLUMN "runs"."tags" IS 'Tags of people, sorted.';

-- Lists of the sweeps with a tag.
CREATE INDEX "sweeps_tags_idx" ON "sweeps" USING gin ("tags");

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
    s.tags
FROM sweeps s
LEFT JOIN datasets d ON d.dataset_id = s.dataset_id
CROSS JOIN LATERAL (
    SELECT
        count(*)::integer AS run_count,
        (count(*) FILTER (WHERE r.state = 'SUCCEEDED'))::integer AS succeeded_count,
        (count(*) FILTER (WHERE r.state IN ('FAILED', 'INFEASIBLE')))::integer AS failed_count,
        (count(*) FILTER (WHERE r.state = 'INFEASIBLE'))::integer AS infeasible_count,
        (count(*) FILTER (WHERE r.state = 'STOPPED'))::integer AS stopped_count,
        (count(*) FILTER (WHERE r.state = 'CANCELLED'))::integer AS cancelled_count
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
COMMENT ON COLUMN "sweep_summaries"."notes" IS 'Notes of people.';
COMMENT ON COLUMN "sweep_summaries"."tags" IS 'Tags of people, sorted.';

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
    r.tags
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
COMMENT ON COLUMN "leaderboard"."test_macro_f1" IS 'Mean F1 of the classes on the test split; null without a test.';
COMMENT ON COLUMN "leaderboard"."test_balanced_accuracy" IS 'Mean recall of the classes on the test split; null without a test.';
COMMENT ON COLUMN "leaderboard"."test_roc_auc" IS 'Area under the ROC curve on the test split, for more than two classes the mean over them; null without a test.';
COMMENT ON COLUMN "leaderboard"."never_found_classes" IS 'Classes of which no test image was predicted correctly (recall 0); null: none, or not tested.';
COMMENT ON COLUMN "leaderboard"."notes" IS 'Notes of people.';
COMMENT ON COLUMN "leaderboard"."tags" IS 'Tags of people, sorted.';

SELECT grant_reader();
