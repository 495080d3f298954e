-- One rule for which run is better, for the leaderboard, the best run of a sweep, retention and the MLflow mirror.

-- Ordered ascending, the best run first. Elements: no finite objective value; can't be the best; the value; the other
-- validation metric; the run's number. NaN sorts behind all numbers, and so does a metric that is missing.
CREATE FUNCTION "run_rank_key"(
    "state" TEXT,
    "objective_metric" TEXT,
    "objective_goal" TEXT,
    "best_value" DOUBLE PRECISION,
    "best_val_loss" DOUBLE PRECISION,
    "best_val_accuracy" DOUBLE PRECISION,
    "run_index" INTEGER
) RETURNS DOUBLE PRECISION[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT ARRAY[
    CASE WHEN best_value IS NULL OR best_value IN ('NaN', 'Infinity', '-Infinity') THEN 1 ELSE 0 END,
    CASE WHEN state IN ('FAILED', 'CANCELLED', 'INFEASIBLE') THEN 1 ELSE 0 END,
    CASE
        WHEN best_value IS NULL OR best_value IN ('NaN', 'Infinity', '-Infinity') THEN 0
        WHEN objective_goal = 'maximize' THEN - best_value
        ELSE best_value
    END,
    CASE WHEN objective_metric = 'val_loss' THEN - COALESCE(best_val_accuracy, 'NaN') ELSE COALESCE(best_val_loss, 'NaN') END,
    run_index
]::double precision[]
$$;
COMMENT ON FUNCTION "run_rank_key"(TEXT, TEXT, TEXT, DOUBLE PRECISION, DOUBLE PRECISION, DOUBLE PRECISION, INTEGER) IS 'Orders the runs of a sweep, best first: runs with a finite objective value before those without, usable before FAILED, CANCELLED and INFEASIBLE, then by value, then by the other validation metric at the best epoch, then by number. The first run is the best one if its first two elements are 0.';

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
    EXTRACT(EPOCH FROM COALESCE(r.end_time, now()) - r.start_time)::double precision AS seconds
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
COMMENT ON COLUMN "leaderboard"."rank" IS 'Place within the sweep, from 1, by best_value; of equal ones by the other validation metric at the best epoch, then by run_index. Runs that failed or were cancelled come after those that can win, runs without a finite best value last.';
COMMENT ON COLUMN "leaderboard"."run_index" IS 'Number within the sweep.';

CREATE OR REPLACE VIEW "parameter_effects" AS
SELECT
    r.sweep_id,
    p.name,
    COALESCE(p.number_value::text, p.int_value::text, p.bool_value::text, p.string_value) AS value,
    COALESCE(p.number_value, p.int_value::double precision) AS number,
    s.objective_metric,
    count(*)::integer AS run_count,
    count(o.value)::integer AS counted_count,
    avg(o.value) AS mean_value,
    stddev_samp(o.value) AS deviation,
    CASE s.objective_goal WHEN 'maximize' THEN max(o.value) ELSE min(o.value) END AS best_value,
    (array_agg(r.run_id ORDER BY k.rank_key) FILTER (WHERE o.value IS NOT NULL))[1] AS best_run_id
FROM runs r
JOIN sweeps s ON s.sweep_id = r.sweep_id
JOIN run_parameters p ON p.run_id = r.run_id AND p.name = ANY (s.varied_names)
CROSS JOIN LATERAL (
    SELECT run_rank_key(
        r.state, s.objective_metric, s.objective_goal, r.best_value, r.best_val_loss, r.best_val_accuracy, r.run_index
    ) AS rank_key
) k
-- The runs that can win, as in the leaderboard; NaN would make every mean NaN.
CROSS JOIN LATERAL (
    SELECT CASE WHEN k.rank_key[1] = 0 AND k.rank_key[2] = 0 THEN r.best_value END AS value
) o
GROUP BY r.sweep_id, s.sweep_id, p.name, p.number_value, p.int_value, p.bool_value, p.string_value;
COMMENT ON COLUMN "parameter_effects"."best_run_id" IS 'The run with it; of equal ones the one that the leaderboard places first.';

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
    best.run_id AS best_run_id
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
COMMENT ON COLUMN "sweep_summaries"."failed_count" IS 'Runs that are FAILED or INFEASIBLE; a sweep may have SUCCEEDED with such runs.';
COMMENT ON COLUMN "sweep_summaries"."infeasible_count" IS 'Those of failed_count that are INFEASIBLE: they can''t be run at all.';
COMMENT ON COLUMN "sweep_summaries"."stopped_count" IS 'Runs that a rule ended early.';
COMMENT ON COLUMN "sweep_summaries"."cancelled_count" IS 'Runs that a person ended.';
COMMENT ON COLUMN "sweep_summaries"."best_run_id" IS 'The run that the leaderboard places first, if it can be the best one; null: none can.';

SELECT grant_reader();
