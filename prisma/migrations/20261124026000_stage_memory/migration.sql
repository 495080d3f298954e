-- What a stage's tasks held at most, from the tasks themselves: FEATURES and EVALUATE have no runs of their own to tell it.

CREATE OR REPLACE VIEW "stage_forecasts" AS
SELECT
    t.sweep_id,
    t.stage,
    count(*)::integer AS task_count,
    COALESCE(sum(served.run_count), 0)::integer AS run_count,
    sum(t.forecast_seconds) AS forecast_seconds,
    sum(measured.seconds) AS measured_seconds,
    sum(measured.lost_seconds) AS lost_seconds,
    max(t.forecast_memory_bytes) AS forecast_memory_bytes,
    max(t.peak_memory_bytes) AS measured_memory_bytes,
    bool_and(t.state IN ('SUCCEEDED', 'FAILED')) AS ended
FROM tasks t
CROSS JOIN LATERAL (
    SELECT count(*) AS run_count
    FROM task_runs tr
    WHERE tr.task_id = t.task_id AND t.stage IN ('HEAD', 'FINE_TUNE')
) served
CROSS JOIN LATERAL (
    SELECT
        COALESCE(EXTRACT(EPOCH FROM sum(COALESCE(a.end_time, now()) - a.create_time)), 0)::double precision AS seconds,
        COALESCE(EXTRACT(EPOCH FROM sum(a.end_time - a.create_time)
            FILTER (WHERE a.state IN ('EXPIRED', 'FAILED', 'RELEASED'))), 0)::double precision AS lost_seconds
    FROM attempts a
    WHERE a.task_id = t.task_id
) measured
WHERE t.state <> 'CANCELLED'
GROUP BY t.sweep_id, t.stage;

COMMENT ON COLUMN "stage_forecasts"."measured_memory_bytes" IS 'Most memory that a worker held in one of them, what it kept of earlier tasks included; null: not measured.';
