-- What a plan says before it is carried out: shared heads, and what each task is expected to take.

ALTER TABLE "runs" ADD COLUMN "head_run_id" TEXT;
ALTER TABLE "runs" ADD CONSTRAINT "runs_head_run_id_check" CHECK ("head_run_id" <> "run_id");
ALTER TABLE "runs" ADD CONSTRAINT "runs_head_run_id_fkey" FOREIGN KEY ("head_run_id") REFERENCES "runs"("run_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
CREATE INDEX "runs_head_run_id_idx" ON "runs"("head_run_id");
COMMENT ON COLUMN "runs"."head_run_id" IS 'The run that trained its head, because both have the same head phase; null: it has a head of its own, or none.';

ALTER TABLE "tasks"
    ADD COLUMN "cost_class" TEXT,
    ADD COLUMN "model_seconds" DOUBLE PRECISION,
    ADD COLUMN "forecast_seconds" DOUBLE PRECISION,
    ADD COLUMN "forecast_memory_bytes" BIGINT;
COMMENT ON COLUMN "tasks"."cost_class" IS 'What its forecast is corrected by: stage, method, backbone and image size; null: it was not forecast.';
COMMENT ON COLUMN "tasks"."model_seconds" IS 'Seconds that the cost model gave it before measurements of the cluster corrected them.';
COMMENT ON COLUMN "tasks"."forecast_seconds" IS 'Seconds that it was expected to take from lease to end, with all its epochs; null: it was not forecast.';
COMMENT ON COLUMN "tasks"."forecast_memory_bytes" IS 'Most memory that the worker process was expected to hold.';

ALTER TABLE "sweeps"
    ADD COLUMN "planned_slot_count" INTEGER,
    ADD COLUMN "forecast_wall_seconds" DOUBLE PRECISION,
    ADD COLUMN "forecast_alone_seconds" DOUBLE PRECISION;
COMMENT ON COLUMN "sweeps"."planned_slot_count" IS 'Slots that its groups were last cut for; null until it is planned.';
COMMENT ON COLUMN "sweeps"."forecast_wall_seconds" IS 'Seconds from its first lease to its end that were expected when it was planned, on the slots that were there.';
COMMENT ON COLUMN "sweeps"."forecast_alone_seconds" IS 'Slot-seconds that its runs were expected to take one by one, with nothing shared.';

-- What forecasts are corrected by: the latest tasks that went through at the first attempt.
CREATE INDEX "tasks_measured_idx" ON "tasks"("end_time") WHERE "state" = 'SUCCEEDED' AND "lease_epoch" = 1 AND "model_seconds" IS NOT NULL;

CREATE VIEW "served_runs" AS
SELECT tr.task_id, t.sweep_id, t.stage, tr.run_id, false AS shared
FROM task_runs tr
JOIN tasks t ON t.task_id = tr.task_id
UNION ALL
SELECT tr.task_id, t.sweep_id, t.stage, f.run_id, true AS shared
FROM task_runs tr
JOIN tasks t ON t.task_id = tr.task_id AND t.stage = 'HEAD'
JOIN runs f ON f.head_run_id = tr.run_id;

COMMENT ON VIEW "served_runs" IS 'One row per task and run that needs it: the runs it trains, and for HEAD those that start from the head of one of them.';
COMMENT ON COLUMN "served_runs"."task_id" IS 'The task.';
COMMENT ON COLUMN "served_runs"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "served_runs"."stage" IS 'HEAD, FINE_TUNE or EVALUATE.';
COMMENT ON COLUMN "served_runs"."run_id" IS 'The run.';
COMMENT ON COLUMN "served_runs"."shared" IS 'Whether the task trains the head of another run that this one starts from.';

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
    r.trained_run_id
FROM (
    SELECT o.sweep_id, o.run_id, o.run_index, o.run_id AS trained_run_id, false AS shared FROM runs o
    UNION ALL
    SELECT f.sweep_id, f.run_id, f.run_index, f.head_run_id, true FROM runs f WHERE f.head_run_id IS NOT NULL
) r
JOIN epoch_metrics m ON m.run_id = r.trained_run_id AND (NOT r.shared OR m.stage = 'HEAD')
WHERE m.superseded_by IS NULL
GROUP BY r.sweep_id, r.run_id, r.run_index, r.trained_run_id, m.stage, m.epoch;

COMMENT ON VIEW "epoch_curves" IS 'One row per run, stage and epoch: the metrics that count, each epoch once however often it was trained. Runs that share a head show it each; WHERE trained_run_id = run_id counts each epoch of the sweep once.';
COMMENT ON COLUMN "epoch_curves"."trained_run_id" IS 'The run that this epoch was trained for: the run itself, or for HEAD the one whose head it shares.';

CREATE VIEW "stage_forecasts" AS
SELECT
    t.sweep_id,
    t.stage,
    count(*)::integer AS task_count,
    COALESCE(sum(served.run_count), 0)::integer AS run_count,
    sum(t.forecast_seconds) AS forecast_seconds,
    sum(measured.seconds) AS measured_seconds,
    sum(measured.lost_seconds) AS lost_seconds,
    max(t.forecast_memory_bytes) AS forecast_memory_bytes,
    max(served.peak_memory_bytes) AS measured_memory_bytes,
    bool_and(t.state IN ('SUCCEEDED', 'FAILED')) AS ended
FROM tasks t
CROSS JOIN LATERAL (
    SELECT count(*) AS run_count, max(r.peak_memory_bytes) AS peak_memory_bytes
    FROM task_runs tr
    JOIN runs r ON r.run_id = tr.run_id
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

COMMENT ON VIEW "stage_forecasts" IS 'One row per sweep and stage: what was expected when it was planned, and what it took. Forecasts foresee no early stopping and no lost attempts.';
COMMENT ON COLUMN "stage_forecasts"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "stage_forecasts"."stage" IS 'INDEX, FEATURES, HEAD, FINE_TUNE or EVALUATE.';
COMMENT ON COLUMN "stage_forecasts"."task_count" IS 'Tasks, cancelled ones left out.';
COMMENT ON COLUMN "stage_forecasts"."run_count" IS 'Runs that they train.';
COMMENT ON COLUMN "stage_forecasts"."forecast_seconds" IS 'Slot-seconds that they were expected to take; null: none was forecast.';
COMMENT ON COLUMN "stage_forecasts"."measured_seconds" IS 'Slot-seconds that they have taken, lost attempts included; live ones up to now.';
COMMENT ON COLUMN "stage_forecasts"."lost_seconds" IS 'Those of attempts that did not succeed.';
COMMENT ON COLUMN "stage_forecasts"."forecast_memory_bytes" IS 'Most memory that one of them was expected to need.';
COMMENT ON COLUMN "stage_forecasts"."measured_memory_bytes" IS 'Most memory that a worker held for runs of this stage, over all their stages; null: not measured.';
COMMENT ON COLUMN "stage_forecasts"."ended" IS 'Whether all of them have ended, so that the two can be compared.';

CREATE OR REPLACE FUNCTION "grant_reader"() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    GRANT USAGE ON SCHEMA public TO graft_reader;
    GRANT SELECT ON
        leaderboard, epoch_curves, sweep_summaries, run_parameter_values, parameter_effects, run_attempts,
        checkpoint_lineage, slot_utilisation, feature_set_uses, test_answers, served_runs, stage_forecasts
    TO graft_reader;
END
$$;

DO $$
BEGIN
    IF to_regrole('graft_reader') IS NOT NULL THEN
        PERFORM grant_reader();
    END IF;
END
$$;
