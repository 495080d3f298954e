-- Everything a Graft database has, first version.
--
-- Tables, keys, Prisma's indexes and foreign keys are those of ../../schema.prisma, with the names that Prisma gives them.
-- Prisma has no word for the rest: closed lists of states as CHECK constraints, partial indexes, triggers, views, comments.

CREATE TABLE "datasets" (
    "dataset_id" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "path" TEXT NOT NULL,
    "class_names" TEXT[] NOT NULL,
    "class_counts" JSONB NOT NULL,
    "problems" JSONB NOT NULL,
    "manifest_uri" TEXT NOT NULL,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "datasets_pkey" PRIMARY KEY ("dataset_id")
);

CREATE TABLE "sweeps" (
    "sweep_id" TEXT NOT NULL,
    "request_id" TEXT,
    "spec_digest" TEXT NOT NULL,
    "display_name" TEXT NOT NULL,
    "spec" JSONB NOT NULL,
    "state" TEXT NOT NULL,
    "state_reason" TEXT NOT NULL DEFAULT '',
    "dataset_id" TEXT,
    "objective_metric" TEXT NOT NULL,
    "objective_goal" TEXT NOT NULL,
    "test_policy" TEXT NOT NULL,
    "varied_names" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[],
    "weights" JSONB,
    "planned" BOOLEAN NOT NULL DEFAULT false,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "start_time" TIMESTAMPTZ(6),
    "end_time" TIMESTAMPTZ(6),

    CONSTRAINT "sweeps_pkey" PRIMARY KEY ("sweep_id"),
    CONSTRAINT "sweeps_state_check" CHECK ("state" IN ('ACTIVE', 'PAUSED', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    CONSTRAINT "sweeps_objective_metric_check" CHECK ("objective_metric" IN ('val_loss', 'val_accuracy')),
    CONSTRAINT "sweeps_objective_goal_check" CHECK ("objective_goal" IN ('minimize', 'maximize')),
    CONSTRAINT "sweeps_test_policy_check" CHECK ("test_policy" IN ('winner', 'every_run'))
);

CREATE TABLE "runs" (
    "run_id" TEXT NOT NULL,
    "sweep_id" TEXT NOT NULL,
    "run_index" INTEGER NOT NULL,
    "parameters_digest" TEXT NOT NULL,
    "parameters" JSONB NOT NULL,
    "state" TEXT NOT NULL,
    "state_reason" TEXT NOT NULL DEFAULT '',
    "stage" TEXT NOT NULL,
    "epoch_count" INTEGER NOT NULL DEFAULT 0,
    "epoch_limit" INTEGER NOT NULL DEFAULT 0,
    "best_value" DOUBLE PRECISION,
    "best_stage" TEXT,
    "best_epoch" INTEGER,
    "best_val_loss" DOUBLE PRECISION,
    "best_val_accuracy" DOUBLE PRECISION,
    "last_value" DOUBLE PRECISION,
    "peak_memory_bytes" BIGINT,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "start_time" TIMESTAMPTZ(6),
    "end_time" TIMESTAMPTZ(6),

    CONSTRAINT "runs_pkey" PRIMARY KEY ("run_id"),
    CONSTRAINT "runs_run_index_check" CHECK ("run_index" >= 0),
    CONSTRAINT "runs_state_check" CHECK ("state" IN ('QUEUED', 'RUNNING', 'PAUSED', 'STOPPING', 'SUCCEEDED', 'STOPPED', 'CANCELLED', 'FAILED', 'INFEASIBLE')),
    CONSTRAINT "runs_stage_check" CHECK ("stage" IN ('INDEX', 'FEATURES', 'HEAD', 'FINE_TUNE', 'EVALUATE')),
    CONSTRAINT "runs_best_stage_check" CHECK ("best_stage" IN ('HEAD', 'FINE_TUNE')),
    CONSTRAINT "runs_best_epoch_check" CHECK ("best_epoch" >= 1),
    CONSTRAINT "runs_best_check" CHECK (num_nulls("best_value", "best_stage", "best_epoch") IN (0, 3))
);

CREATE TABLE "run_parameters" (
    "run_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "number_value" DOUBLE PRECISION,
    "int_value" BIGINT,
    "bool_value" BOOLEAN,
    "string_value" TEXT,

    CONSTRAINT "run_parameters_pkey" PRIMARY KEY ("run_id","name"),
    CONSTRAINT "run_parameters_value_check" CHECK (num_nonnulls("number_value", "int_value", "bool_value", "string_value") = 1)
);

CREATE TABLE "tasks" (
    "task_id" TEXT NOT NULL,
    "sweep_id" TEXT NOT NULL,
    "stage" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "position" INTEGER NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "lease_epoch" INTEGER NOT NULL DEFAULT 0,
    "lease_expire_time" TIMESTAMPTZ(6),
    "trainer_id" TEXT,
    "slot_index" INTEGER,
    "lease_request_id" TEXT,
    "command" TEXT,
    "not_before_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "failure_count" INTEGER NOT NULL DEFAULT 0,
    "infrastructure_count" INTEGER NOT NULL DEFAULT 0,
    "memory_count" INTEGER NOT NULL DEFAULT 0,
    "progress_step_count" BIGINT NOT NULL DEFAULT 0,
    "progress_step_limit" BIGINT NOT NULL DEFAULT 0,
    "progress_detail" TEXT NOT NULL DEFAULT '',
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "start_time" TIMESTAMPTZ(6),
    "end_time" TIMESTAMPTZ(6),

    CONSTRAINT "tasks_pkey" PRIMARY KEY ("task_id"),
    CONSTRAINT "tasks_stage_check" CHECK ("stage" IN ('INDEX', 'FEATURES', 'HEAD', 'FINE_TUNE', 'EVALUATE')),
    CONSTRAINT "tasks_state_check" CHECK ("state" IN ('WAITING', 'READY', 'LEASED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    CONSTRAINT "tasks_command_check" CHECK ("command" IN ('ABANDON', 'PAUSE', 'STOP', 'KILL', 'CHECKPOINT_NOW')),
    CONSTRAINT "tasks_lease_epoch_check" CHECK ("lease_epoch" >= 0),
    CONSTRAINT "tasks_lease_check" CHECK ("state" NOT IN ('LEASED', 'RUNNING')
        OR ("lease_epoch" > 0 AND num_nulls("lease_expire_time", "trainer_id", "slot_index") = 0)),
    CONSTRAINT "tasks_counts_check" CHECK ("failure_count" >= 0 AND "infrastructure_count" >= 0 AND "memory_count" >= 0)
);

CREATE TABLE "task_runs" (
    "task_id" TEXT NOT NULL,
    "run_id" TEXT NOT NULL,
    "position" INTEGER NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'PENDING',
    "role" TEXT,
    "source_checkpoint_id" TEXT,

    CONSTRAINT "task_runs_pkey" PRIMARY KEY ("task_id","run_id"),
    CONSTRAINT "task_runs_state_check" CHECK ("state" IN ('PENDING', 'SUCCEEDED', 'EARLY_STOPPED', 'FAILED', 'STOPPED')),
    CONSTRAINT "task_runs_role_check" CHECK ("role" IN ('WINNER', 'BASELINE', 'EVERY_RUN'))
);

CREATE TABLE "task_dependencies" (
    "task_id" TEXT NOT NULL,
    "depends_on_id" TEXT NOT NULL,

    CONSTRAINT "task_dependencies_pkey" PRIMARY KEY ("task_id","depends_on_id"),
    CONSTRAINT "task_dependencies_depends_on_id_check" CHECK ("depends_on_id" <> "task_id")
);

CREATE TABLE "feature_sets" (
    "feature_key" TEXT NOT NULL,
    "dataset_digest" TEXT NOT NULL,
    "split" TEXT NOT NULL,
    "backbone" TEXT NOT NULL,
    "weights_digest" TEXT NOT NULL,
    "cut" TEXT,
    "image_size" INTEGER NOT NULL,
    "pooling" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'PLANNED',
    "uri" TEXT,
    "shape" INTEGER[] NOT NULL DEFAULT ARRAY[]::INTEGER[],
    "row_count" INTEGER NOT NULL DEFAULT 0,
    "sha256" TEXT,
    "size_bytes" BIGINT NOT NULL DEFAULT 0,
    "compute_seconds" DOUBLE PRECISION,
    "computed_by_task_id" TEXT,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "feature_sets_pkey" PRIMARY KEY ("feature_key"),
    CONSTRAINT "feature_sets_split_check" CHECK ("split" IN ('train', 'validation', 'test')),
    CONSTRAINT "feature_sets_pooling_check" CHECK ("pooling" IN ('avg', 'max', 'none')),
    CONSTRAINT "feature_sets_state_check" CHECK ("state" IN ('PLANNED', 'COMPUTED')),
    CONSTRAINT "feature_sets_computed_check" CHECK ("state" <> 'COMPUTED' OR num_nulls("uri", "sha256") = 0),
    CONSTRAINT "feature_sets_size_check" CHECK ("image_size" > 0 AND "row_count" >= 0 AND "size_bytes" >= 0)
);

CREATE TABLE "task_feature_sets" (
    "task_id" TEXT NOT NULL,
    "feature_key" TEXT NOT NULL,

    CONSTRAINT "task_feature_sets_pkey" PRIMARY KEY ("task_id","feature_key")
);

CREATE TABLE "attempts" (
    "task_id" TEXT NOT NULL,
    "lease_epoch" INTEGER NOT NULL,
    "trainer_id" TEXT NOT NULL,
    "slot_index" INTEGER NOT NULL,
    "request_id" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "error_class" TEXT,
    "error_code" TEXT,
    "message" TEXT NOT NULL DEFAULT '',
    "last_sequence" BIGINT NOT NULL DEFAULT 0,
    "thread_count" INTEGER,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "end_time" TIMESTAMPTZ(6),

    CONSTRAINT "attempts_pkey" PRIMARY KEY ("task_id","lease_epoch"),
    CONSTRAINT "attempts_lease_epoch_check" CHECK ("lease_epoch" >= 1),
    CONSTRAINT "attempts_state_check" CHECK ("state" IN ('LEASED', 'RUNNING', 'SUCCEEDED', 'RELEASED', 'FAILED', 'EXPIRED')),
    CONSTRAINT "attempts_error_class_check" CHECK ("error_class" IN ('INFRASTRUCTURE', 'MEMORY', 'PERMANENT', 'NUMERIC', 'COUNTED')),
    CONSTRAINT "attempts_last_sequence_check" CHECK ("last_sequence" >= 0)
);

CREATE TABLE "epoch_metrics" (
    "run_id" TEXT NOT NULL,
    "stage" TEXT NOT NULL,
    "epoch" INTEGER NOT NULL,
    "name" TEXT NOT NULL,
    "lease_epoch" INTEGER NOT NULL,
    "task_id" TEXT NOT NULL,
    "value" DOUBLE PRECISION NOT NULL,
    "superseded_by" INTEGER,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "epoch_metrics_pkey" PRIMARY KEY ("run_id","stage","epoch","name","lease_epoch"),
    CONSTRAINT "epoch_metrics_stage_check" CHECK ("stage" IN ('HEAD', 'FINE_TUNE')),
    CONSTRAINT "epoch_metrics_epoch_check" CHECK ("epoch" >= 1),
    CONSTRAINT "epoch_metrics_name_check" CHECK ("name" <> ''),
    CONSTRAINT "epoch_metrics_superseded_by_check" CHECK ("superseded_by" > "lease_epoch")
);

CREATE TABLE "checkpoints" (
    "checkpoint_id" TEXT NOT NULL,
    "run_id" TEXT NOT NULL,
    "task_id" TEXT NOT NULL,
    "lease_epoch" INTEGER NOT NULL,
    "stage" TEXT NOT NULL,
    "epoch" INTEGER NOT NULL,
    "kind" TEXT NOT NULL,
    "uri" TEXT NOT NULL,
    "sha256" TEXT NOT NULL,
    "size_bytes" BIGINT NOT NULL,
    "value" DOUBLE PRECISION,
    "state" TEXT NOT NULL DEFAULT 'STORED',
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "delete_time" TIMESTAMPTZ(6),

    CONSTRAINT "checkpoints_pkey" PRIMARY KEY ("checkpoint_id"),
    CONSTRAINT "checkpoints_stage_check" CHECK ("stage" IN ('HEAD', 'FINE_TUNE')),
    CONSTRAINT "checkpoints_epoch_check" CHECK ("epoch" >= 0),
    CONSTRAINT "checkpoints_kind_check" CHECK ("kind" IN ('BEST', 'LAST')),
    CONSTRAINT "checkpoints_state_check" CHECK ("state" IN ('STORED', 'DELETING', 'DELETED')),
    CONSTRAINT "checkpoints_size_bytes_check" CHECK ("size_bytes" >= 0)
);

CREATE TABLE "test_results" (
    "run_id" TEXT NOT NULL,
    "checkpoint_id" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "accuracy" DOUBLE PRECISION NOT NULL,
    "accuracy_low" DOUBLE PRECISION NOT NULL,
    "accuracy_high" DOUBLE PRECISION NOT NULL,
    "loss" DOUBLE PRECISION NOT NULL,
    "roc_auc" DOUBLE PRECISION,
    "image_count" INTEGER NOT NULL,
    "correct_count" INTEGER NOT NULL,
    "confusion_matrix" INTEGER[] NOT NULL,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "test_results_pkey" PRIMARY KEY ("run_id"),
    CONSTRAINT "test_results_role_check" CHECK ("role" IN ('WINNER', 'BASELINE', 'EVERY_RUN')),
    CONSTRAINT "test_results_accuracy_check" CHECK ("accuracy" BETWEEN 0 AND 1),
    CONSTRAINT "test_results_accuracy_low_check" CHECK ("accuracy_low" BETWEEN 0 AND 1),
    CONSTRAINT "test_results_accuracy_high_check" CHECK ("accuracy_high" BETWEEN 0 AND 1),
    CONSTRAINT "test_results_count_check" CHECK ("correct_count" BETWEEN 0 AND "image_count")
);

CREATE TABLE "test_class_results" (
    "run_id" TEXT NOT NULL,
    "class_index" INTEGER NOT NULL,
    "class_name" TEXT NOT NULL,
    "precision" DOUBLE PRECISION NOT NULL,
    "recall" DOUBLE PRECISION NOT NULL,
    "f1" DOUBLE PRECISION NOT NULL,
    "support" INTEGER NOT NULL,

    CONSTRAINT "test_class_results_pkey" PRIMARY KEY ("run_id","class_index")
);

CREATE TABLE "test_predictions" (
    "run_id" TEXT NOT NULL,
    "path" TEXT NOT NULL,
    "label" INTEGER NOT NULL,
    "predicted_label" INTEGER NOT NULL,
    "probabilities" DOUBLE PRECISION[] NOT NULL,

    CONSTRAINT "test_predictions_pkey" PRIMARY KEY ("run_id","path")
);

CREATE TABLE "events" (
    "event_id" BIGSERIAL NOT NULL,
    "sweep_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "payload" JSONB NOT NULL,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "events_pkey" PRIMARY KEY ("event_id")
);

CREATE TABLE "trainers" (
    "trainer_id" TEXT NOT NULL,
    "hostname" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "engine_version" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "heartbeat_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "trainers_pkey" PRIMARY KEY ("trainer_id"),
    CONSTRAINT "trainers_state_check" CHECK ("state" IN ('READY', 'DRAINING', 'LOST'))
);

CREATE TABLE "slots" (
    "trainer_id" TEXT NOT NULL,
    "slot_index" INTEGER NOT NULL,
    "device_kind" TEXT NOT NULL,
    "device_name" TEXT NOT NULL,
    "memory_bytes" BIGINT NOT NULL,
    "thread_count" INTEGER NOT NULL,

    CONSTRAINT "slots_pkey" PRIMARY KEY ("trainer_id","slot_index"),
    CONSTRAINT "slots_slot_index_check" CHECK ("slot_index" >= 0),
    CONSTRAINT "slots_device_kind_check" CHECK ("device_kind" IN ('cpu', 'gpu'))
);

-- Unique keys and indexes of schema.prisma.
CREATE UNIQUE INDEX "datasets_digest_key" ON "datasets"("digest");
CREATE UNIQUE INDEX "sweeps_request_id_key" ON "sweeps"("request_id");
CREATE INDEX "sweeps_create_time_idx" ON "sweeps"("create_time");
CREATE UNIQUE INDEX "runs_sweep_id_run_index_key" ON "runs"("sweep_id", "run_index");
CREATE UNIQUE INDEX "runs_sweep_id_parameters_digest_key" ON "runs"("sweep_id", "parameters_digest");
CREATE INDEX "run_parameters_name_idx" ON "run_parameters"("name");
CREATE INDEX "tasks_sweep_id_position_idx" ON "tasks"("sweep_id", "position");
CREATE INDEX "task_runs_run_id_idx" ON "task_runs"("run_id");
CREATE INDEX "task_dependencies_depends_on_id_idx" ON "task_dependencies"("depends_on_id");
CREATE INDEX "task_feature_sets_feature_key_idx" ON "task_feature_sets"("feature_key");
CREATE UNIQUE INDEX "attempts_trainer_id_slot_index_request_id_key" ON "attempts"("trainer_id", "slot_index", "request_id");
CREATE UNIQUE INDEX "checkpoints_uri_key" ON "checkpoints"("uri");
CREATE INDEX "checkpoints_run_id_stage_epoch_idx" ON "checkpoints"("run_id", "stage", "epoch");
CREATE INDEX "events_sweep_id_event_id_idx" ON "events"("sweep_id", "event_id");

-- Foreign keys of schema.prisma.
ALTER TABLE "sweeps" ADD CONSTRAINT "sweeps_dataset_id_fkey" FOREIGN KEY ("dataset_id") REFERENCES "datasets"("dataset_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "runs" ADD CONSTRAINT "runs_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "sweeps"("sweep_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "run_parameters" ADD CONSTRAINT "run_parameters_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("run_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "tasks" ADD CONSTRAINT "tasks_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "sweeps"("sweep_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "task_runs" ADD CONSTRAINT "task_runs_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "tasks"("task_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "task_runs" ADD CONSTRAINT "task_runs_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("run_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "task_dependencies" ADD CONSTRAINT "task_dependencies_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "tasks"("task_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "task_dependencies" ADD CONSTRAINT "task_dependencies_depends_on_id_fkey" FOREIGN KEY ("depends_on_id") REFERENCES "tasks"("task_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "task_feature_sets" ADD CONSTRAINT "task_feature_sets_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "tasks"("task_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "task_feature_sets" ADD CONSTRAINT "task_feature_sets_feature_key_fkey" FOREIGN KEY ("feature_key") REFERENCES "feature_sets"("feature_key") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "attempts" ADD CONSTRAINT "attempts_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "tasks"("task_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "epoch_metrics" ADD CONSTRAINT "epoch_metrics_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("run_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "checkpoints" ADD CONSTRAINT "checkpoints_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("run_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "test_results" ADD CONSTRAINT "test_results_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("run_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "test_class_results" ADD CONSTRAINT "test_class_results_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "test_results"("run_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "test_predictions" ADD CONSTRAINT "test_predictions_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "test_results"("run_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "events" ADD CONSTRAINT "events_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "sweeps"("sweep_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "slots" ADD CONSTRAINT "slots_trainer_id_fkey" FOREIGN KEY ("trainer_id") REFERENCES "trainers"("trainer_id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- Partial indexes. Each holds only the few rows in play, however long the history is.

-- Leasing looks for the first ready task whose time has come.
CREATE INDEX "tasks_ready_idx" ON "tasks"("not_before_time", "position") WHERE "state" = 'READY';
-- The reaper looks for live leases that have run out.
CREATE INDEX "tasks_lease_expire_time_idx" ON "tasks"("lease_expire_time") WHERE "state" IN ('LEASED', 'RUNNING');
-- A slot holds at most one live task, whoever leases it and when.
CREATE UNIQUE INDEX "tasks_live_slot_key" ON "tasks"("trainer_id", "slot_index") WHERE "state" IN ('LEASED', 'RUNNING');
-- A task has at most one live attempt.
CREATE UNIQUE INDEX "attempts_live_task_key" ON "attempts"("task_id") WHERE "state" IN ('LEASED', 'RUNNING');
-- An epoch counts once: earlier rows are superseded before a later attempt's row goes in.
CREATE UNIQUE INDEX "epoch_metrics_surviving_key" ON "epoch_metrics"("run_id", "stage", "epoch", "name") WHERE "superseded_by" IS NULL;
-- The second phase of retention looks for files to delete.
CREATE INDEX "checkpoints_deleting_idx" ON "checkpoints"("create_time") WHERE "state" = 'DELETING';

-- Notifications. They go out at the commit, the same ones of a transaction as one; nobody may rely on them alone,
-- because a listener that is not connected misses them.

CREATE FUNCTION "notify_event"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('graft_events', NEW.sweep_id);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION "notify_event"() IS 'Tells channel graft_events the sweep that has a new event.';

CREATE TRIGGER "events_notify" AFTER INSERT ON "events" FOR EACH ROW EXECUTE FUNCTION "notify_event"();

CREATE FUNCTION "notify_task"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('graft_tasks', NEW.sweep_id);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION "notify_task"() IS 'Tells channel graft_tasks the sweep that has tasks to lease.';

CREATE TRIGGER "tasks_notify_insert" AFTER INSERT ON "tasks" FOR EACH ROW
    WHEN (NEW."state" = 'READY') EXECUTE FUNCTION "notify_task"();
CREATE TRIGGER "tasks_notify_update" AFTER UPDATE OF "state" ON "tasks" FOR EACH ROW
    WHEN (NEW."state" = 'READY' AND OLD."state" <> 'READY') EXECUTE FUNCTION "notify_task"();
-- The ready tasks of a resumed sweep may be leased again.
CREATE TRIGGER "sweeps_notify_resume" AFTER UPDATE OF "state" ON "sweeps" FOR EACH ROW
    WHEN (NEW."state" = 'ACTIVE' AND OLD."state" <> 'ACTIVE') EXECUTE FUNCTION "notify_task"();

-- Views for people. Rows are computed only for the sweep or run that is asked for.

CREATE VIEW "leaderboard" AS
SELECT
    -- The column of the partition, so that a condition on it is applied before ranking.
    r.sweep_id,
    row_number() OVER (
        PARTITION BY r.sweep_id
        -- Runs that can't win come after those that can, and runs without a value last. NaN is never better than a number,
        -- while PostgreSQL would sort it as the largest.
        ORDER BY
            NULLIF(r.best_value, 'NaN') IS NULL,
            r.state IN ('FAILED', 'CANCELLED', 'INFEASIBLE'),
            CASE s.objective_goal WHEN 'maximize' THEN - NULLIF(r.best_value, 'NaN') ELSE NULLIF(r.best_value, 'NaN') END,
            r.run_index
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

COMMENT ON VIEW "leaderboard" IS 'Runs of each sweep ranked by validation, with test results where the test policy allowed them.';
COMMENT ON COLUMN "leaderboard"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "leaderboard"."rank" IS 'Place within the sweep, from 1, by best_value, of equal ones the earlier run first. Runs that failed or were cancelled come after those that can win, runs without a validated epoch last.';
COMMENT ON COLUMN "leaderboard"."run_id" IS 'The run.';
COMMENT ON COLUMN "leaderboard"."run_index" IS 'Number within the sweep; 0 is the baseline.';
COMMENT ON COLUMN "leaderboard"."state" IS 'State of the run.';
COMMENT ON COLUMN "leaderboard"."parameters" IS 'The parameters that differ between the runs, for example head.units=64 optimizer.learning_rate=0.001.';
COMMENT ON COLUMN "leaderboard"."objective_metric" IS 'What best_value and last_value are: val_loss or val_accuracy.';
COMMENT ON COLUMN "leaderboard"."best_value" IS 'The objective''s best value over all stages.';
COMMENT ON COLUMN "leaderboard"."best_stage" IS 'Stage of the best value.';
COMMENT ON COLUMN "leaderboard"."best_epoch" IS 'Epoch of the best value within its stage, from 1.';
COMMENT ON COLUMN "leaderboard"."best_val_loss" IS 'Validation loss at the best epoch.';
COMMENT ON COLUMN "leaderboard"."best_val_accuracy" IS 'Validation accuracy at the best epoch, 0 to 1.';
COMMENT ON COLUMN "leaderboard"."last_value" IS 'The objective''s value of the last validated epoch.';
COMMENT ON COLUMN "leaderboard"."test_accuracy" IS 'Accuracy of the best checkpoint on the test split, 0 to 1; null: not evaluated.';
COMMENT ON COLUMN "leaderboard"."test_accuracy_low" IS 'Lower end of the 95 % Wilson interval.';
COMMENT ON COLUMN "leaderboard"."test_accuracy_high" IS 'Upper end of the 95 % Wilson interval.';
COMMENT ON COLUMN "leaderboard"."test_role" IS 'Why the run was evaluated: WINNER, BASELINE or EVERY_RUN.';
COMMENT ON COLUMN "leaderboard"."seconds" IS 'Seconds from the first work on the run to its end (or to now), waits between its stages included.';

CREATE VIEW "epoch_curves" AS
SELECT
    r.sweep_id,
    m.run_id,
    r.run_index,
    m.stage,
    m.epoch,
    max(m.value) FILTER (WHERE m.name = 'loss') AS loss,
    max(m.value) FILTER (WHERE m.name = 'accuracy') AS accuracy,
    max(m.value) FILTER (WHERE m.name = 'val_loss') AS val_loss,
    max(m.value) FILTER (WHERE m.name = 'val_accuracy') AS val_accuracy,
    max(m.value) FILTER (WHERE m.name = 'learning_rate') AS learning_rate,
    max(m.value) FILTER (WHERE m.name = 'seconds') AS seconds,
    max(m.value) FILTER (WHERE m.name = 'images_per_second') AS images_per_second
FROM epoch_metrics m
JOIN runs r ON r.run_id = m.run_id
WHERE m.superseded_by IS NULL
GROUP BY r.sweep_id, m.run_id, r.run_index, m.stage, m.epoch;

COMMENT ON VIEW "epoch_curves" IS 'One row per run, stage and epoch: the metrics that count, each epoch once however often it was trained.';
COMMENT ON COLUMN "epoch_curves"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "epoch_curves"."run_id" IS 'The run.';
COMMENT ON COLUMN "epoch_curves"."run_index" IS 'Number of the run within the sweep.';
COMMENT ON COLUMN "epoch_curves"."stage" IS 'HEAD or FINE_TUNE.';
COMMENT ON COLUMN "epoch_curves"."epoch" IS 'Epoch within the stage, from 1.';
COMMENT ON COLUMN "epoch_curves"."loss" IS 'Training loss.';
COMMENT ON COLUMN "epoch_curves"."accuracy" IS 'Training accuracy, 0 to 1.';
COMMENT ON COLUMN "epoch_curves"."val_loss" IS 'Validation loss.';
COMMENT ON COLUMN "epoch_curves"."val_accuracy" IS 'Validation accuracy, 0 to 1.';
COMMENT ON COLUMN "epoch_curves"."learning_rate" IS 'Learning rate of the epoch.';
COMMENT ON COLUMN "epoch_curves"."seconds" IS 'Seconds the epoch took.';
COMMENT ON COLUMN "epoch_curves"."images_per_second" IS 'Training images per second.';

-- What everything means; prisma/README.md tells the same with examples.

COMMENT ON TABLE "datasets" IS 'Indexed folders of labelled images, identified by the digest of their manifest.';
COMMENT ON COLUMN "datasets"."dataset_id" IS 'd and the first 16 hexadecimal digits of the digest.';
COMMENT ON COLUMN "datasets"."digest" IS 'SHA-256 over the manifest (path, sha256, label, split and size of each image), hexadecimal.';
COMMENT ON COLUMN "datasets"."path" IS 'Folder as the trainers see it.';
COMMENT ON COLUMN "datasets"."class_names" IS 'Names of the classes; their place from 0 is the label.';
COMMENT ON COLUMN "datasets"."class_counts" IS 'Images per split and class: [{"split", "className", "imageCount"}].';
COMMENT ON COLUMN "datasets"."problems" IS 'What indexing found: [{"code", "path", "message", "fatal"}].';
COMMENT ON COLUMN "datasets"."manifest_uri" IS 'Place of the manifest in the artifact store.';
COMMENT ON COLUMN "datasets"."create_time" IS 'When it was first indexed.';

COMMENT ON TABLE "sweeps" IS 'Tuning jobs: data set, search space, objective and budget.';
COMMENT ON COLUMN "sweeps"."sweep_id" IS 'Identity.';
COMMENT ON COLUMN "sweeps"."request_id" IS 'Chosen by the client; the same one gives the same sweep. Null: none was sent.';
COMMENT ON COLUMN "sweeps"."spec_digest" IS 'SHA-256 of the canonical spec; tells a repeated request_id from a reused one.';
COMMENT ON COLUMN "sweeps"."display_name" IS 'Name for people.';
COMMENT ON COLUMN "sweeps"."spec" IS 'The spec as submitted.';
COMMENT ON COLUMN "sweeps"."state" IS 'ACTIVE, PAUSED, SUCCEEDED, FAILED or CANCELLED.';
COMMENT ON COLUMN "sweeps"."state_reason" IS 'Why it is in this state, in words; empty where there is nothing to say.';
COMMENT ON COLUMN "sweeps"."dataset_id" IS 'The indexed data set; null until INDEX is done.';
COMMENT ON COLUMN "sweeps"."objective_metric" IS 'What runs are ranked by, measured on the validation split: val_loss or val_accuracy.';
COMMENT ON COLUMN "sweeps"."objective_goal" IS 'minimize or maximize.';
COMMENT ON COLUMN "sweeps"."test_policy" IS 'Which runs are evaluated on the test split: winner (and baseline) or every_run.';
COMMENT ON COLUMN "sweeps"."varied_names" IS 'Names of the parameters that differ between the runs.';
COMMENT ON COLUMN "sweeps"."weights" IS 'Pretrained weights that INDEX resolved: [{"backbone", "weights", "digest", "layers"}].';
COMMENT ON COLUMN "sweeps"."planned" IS 'Whether the tasks after INDEX have been written.';
COMMENT ON COLUMN "sweeps"."create_time" IS 'When it was submitted.';
COMMENT ON COLUMN "sweeps"."start_time" IS 'When the first task began.';
COMMENT ON COLUMN "sweeps"."end_time" IS 'When it came to a final state.';

COMMENT ON TABLE "runs" IS 'Hyper-parameter variants with their seeds; the unit of results.';
COMMENT ON COLUMN "runs"."run_id" IS 'Identity.';
COMMENT ON COLUMN "runs"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "runs"."run_index" IS 'Number within the sweep, from 0; 0 is the baseline.';
COMMENT ON COLUMN "runs"."parameters_digest" IS 'SHA-256 of the canonical parameters; no variant is in a sweep twice.';
COMMENT ON COLUMN "runs"."parameters" IS 'All parameters by dotted name, defaults included. Typed for SQL in run_parameters.';
COMMENT ON COLUMN "runs"."state" IS 'QUEUED, RUNNING, PAUSED, STOPPING, SUCCEEDED, STOPPED (by a rule), CANCELLED (by a person), FAILED or INFEASIBLE.';
COMMENT ON COLUMN "runs"."state_reason" IS 'Why it is in this state, in words.';
COMMENT ON COLUMN "runs"."stage" IS 'Stage it is in or ended in.';
COMMENT ON COLUMN "runs"."epoch_count" IS 'Epochs done in this stage.';
COMMENT ON COLUMN "runs"."epoch_limit" IS 'Epochs this stage was given.';
COMMENT ON COLUMN "runs"."best_value" IS 'The objective''s best value over all stages; null before the first validated epoch.';
COMMENT ON COLUMN "runs"."best_stage" IS 'Stage of the best value: HEAD or FINE_TUNE.';
COMMENT ON COLUMN "runs"."best_epoch" IS 'Epoch of the best value within its stage, from 1.';
COMMENT ON COLUMN "runs"."best_val_loss" IS 'Validation loss at the best epoch.';
COMMENT ON COLUMN "runs"."best_val_accuracy" IS 'Validation accuracy at the best epoch, 0 to 1.';
COMMENT ON COLUMN "runs"."last_value" IS 'The objective''s value of the last validated epoch.';
COMMENT ON COLUMN "runs"."peak_memory_bytes" IS 'Highest memory that a worker process held while it trained this run.';
COMMENT ON COLUMN "runs"."create_time" IS 'When it was made.';
COMMENT ON COLUMN "runs"."start_time" IS 'When a slot first worked on it.';
COMMENT ON COLUMN "runs"."end_time" IS 'When it came to a final state.';

COMMENT ON TABLE "run_parameters" IS 'One row per run and parameter, typed, defaults included. Exactly one of the values is set.';
COMMENT ON COLUMN "run_parameters"."run_id" IS 'The run.';
COMMENT ON COLUMN "run_parameters"."name" IS 'Dotted name, for example optimizer.learning_rate.';
COMMENT ON COLUMN "run_parameters"."number_value" IS 'Value of a real parameter.';
COMMENT ON COLUMN "run_parameters"."int_value" IS 'Value of a whole-number parameter.';
COMMENT ON COLUMN "run_parameters"."bool_value" IS 'Value of a yes/no parameter.';
COMMENT ON COLUMN "run_parameters"."string_value" IS 'Value of a parameter with words.';

COMMENT ON TABLE "tasks" IS 'The unit of leasing: one stage of one or many runs.';
COMMENT ON COLUMN "tasks"."task_id" IS 'Identity.';
COMMENT ON COLUMN "tasks"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "tasks"."stage" IS 'INDEX, FEATURES, HEAD, FINE_TUNE or EVALUATE.';
COMMENT ON COLUMN "tasks"."state" IS 'WAITING (for other tasks), READY, LEASED, RUNNING, SUCCEEDED, FAILED or CANCELLED.';
COMMENT ON COLUMN "tasks"."position" IS 'Order within the sweep; lower ones are leased first.';
COMMENT ON COLUMN "tasks"."description" IS 'What it does, in words.';
COMMENT ON COLUMN "tasks"."lease_epoch" IS 'Fencing number: +1 at each lease, carried by every write of its holder.';
COMMENT ON COLUMN "tasks"."lease_expire_time" IS 'The lease ends then unless a heartbeat extends it; null when not leased.';
COMMENT ON COLUMN "tasks"."trainer_id" IS 'Trainer that holds the lease; null when not leased.';
COMMENT ON COLUMN "tasks"."slot_index" IS 'Slot that holds the lease; null when not leased.';
COMMENT ON COLUMN "tasks"."lease_request_id" IS 'The slot''s request that got the lease; the same request gets it again.';
COMMENT ON COLUMN "tasks"."command" IS 'What the holder is told with its next heartbeat: PAUSE, STOP, KILL, CHECKPOINT_NOW or ABANDON; null: go on.';
COMMENT ON COLUMN "tasks"."not_before_time" IS 'Not leased before then (back-off after a failure).';
COMMENT ON COLUMN "tasks"."failure_count" IS 'Failed attempts that count; three end the task.';
COMMENT ON COLUMN "tasks"."infrastructure_count" IS 'Attempts in a row lost to machines, devices or the network since the last new checkpoint; ten end the task.';
COMMENT ON COLUMN "tasks"."memory_count" IS 'Attempts that ran out of memory; each halves the micro-batch.';
COMMENT ON COLUMN "tasks"."progress_step_count" IS 'Steps done by the current attempt.';
COMMENT ON COLUMN "tasks"."progress_step_limit" IS 'Steps the current attempt has to do; 0 where unknown.';
COMMENT ON COLUMN "tasks"."progress_detail" IS 'What the current attempt does, in words.';
COMMENT ON COLUMN "tasks"."create_time" IS 'When it was planned.';
COMMENT ON COLUMN "tasks"."start_time" IS 'When it was first leased.';
COMMENT ON COLUMN "tasks"."end_time" IS 'When it came to a final state.';

COMMENT ON TABLE "task_runs" IS 'Which runs a task serves and how each left it.';
COMMENT ON COLUMN "task_runs"."task_id" IS 'The task.';
COMMENT ON COLUMN "task_runs"."run_id" IS 'The run.';
COMMENT ON COLUMN "task_runs"."position" IS 'Order within the task.';
COMMENT ON COLUMN "task_runs"."state" IS 'PENDING, SUCCEEDED, EARLY_STOPPED, FAILED or STOPPED.';
COMMENT ON COLUMN "task_runs"."role" IS 'Why the run is evaluated: WINNER, BASELINE or EVERY_RUN; null for stages other than EVALUATE.';
COMMENT ON COLUMN "task_runs"."source_checkpoint_id" IS 'The checkpoint it starts from (FINE_TUNE) or evaluates (EVALUATE); null until known.';

COMMENT ON TABLE "task_dependencies" IS 'A task waits until the others have succeeded.';
COMMENT ON COLUMN "task_dependencies"."task_id" IS 'The task that waits.';
COMMENT ON COLUMN "task_dependencies"."depends_on_id" IS 'The task it waits for.';

COMMENT ON TABLE "feature_sets" IS 'Stored outputs of a frozen prefix of a backbone for one split, shared by all sweeps.';
COMMENT ON COLUMN "feature_sets"."feature_key" IS 'SHA-256 over everything the outputs depend on.';
COMMENT ON COLUMN "feature_sets"."dataset_digest" IS 'Digest of the data set.';
COMMENT ON COLUMN "feature_sets"."split" IS 'train, validation or test.';
COMMENT ON COLUMN "feature_sets"."backbone" IS 'The backbone.';
COMMENT ON COLUMN "feature_sets"."weights_digest" IS 'Digest of its weights.';
COMMENT ON COLUMN "feature_sets"."cut" IS 'Layer the prefix ends with; null: the whole base.';
COMMENT ON COLUMN "feature_sets"."image_size" IS 'Height and width of the images in pixels.';
COMMENT ON COLUMN "feature_sets"."pooling" IS 'Global pooling applied to the outputs: avg, max or none.';
COMMENT ON COLUMN "feature_sets"."state" IS 'PLANNED or COMPUTED.';
COMMENT ON COLUMN "feature_sets"."uri" IS 'Place in the artifact store; null until computed.';
COMMENT ON COLUMN "feature_sets"."shape" IS 'Shape of one image''s output.';
COMMENT ON COLUMN "feature_sets"."row_count" IS 'Images.';
COMMENT ON COLUMN "feature_sets"."sha256" IS 'SHA-256 of the file, hexadecimal; null until computed.';
COMMENT ON COLUMN "feature_sets"."size_bytes" IS 'Size of the file.';
COMMENT ON COLUMN "feature_sets"."compute_seconds" IS 'Seconds it took to compute.';
COMMENT ON COLUMN "feature_sets"."computed_by_task_id" IS 'Task that computed it.';
COMMENT ON COLUMN "feature_sets"."create_time" IS 'When it was first planned.';

COMMENT ON TABLE "task_feature_sets" IS 'Which feature sets a task computes (FEATURES) or reads (other stages).';
COMMENT ON COLUMN "task_feature_sets"."task_id" IS 'The task.';
COMMENT ON COLUMN "task_feature_sets"."feature_key" IS 'The feature set.';

COMMENT ON TABLE "attempts" IS 'Executions of tasks: one row per task and lease.';
COMMENT ON COLUMN "attempts"."task_id" IS 'The task.';
COMMENT ON COLUMN "attempts"."lease_epoch" IS 'The lease, from 1.';
COMMENT ON COLUMN "attempts"."trainer_id" IS 'The trainer.';
COMMENT ON COLUMN "attempts"."slot_index" IS 'The slot.';
COMMENT ON COLUMN "attempts"."request_id" IS 'Request of the slot that got the lease; unique per slot, so that a repeated request gets the same lease.';
COMMENT ON COLUMN "attempts"."state" IS 'LEASED, RUNNING, SUCCEEDED, RELEASED (handed back), FAILED or EXPIRED (taken back).';
COMMENT ON COLUMN "attempts"."error_class" IS 'INFRASTRUCTURE, MEMORY, PERMANENT, NUMERIC or COUNTED; decides about a retry. Null: no error.';
COMMENT ON COLUMN "attempts"."error_code" IS 'Name of the error, for example DATASET_INVALID.';
COMMENT ON COLUMN "attempts"."message" IS 'What happened, in words.';
COMMENT ON COLUMN "attempts"."last_sequence" IS 'Number of the last metric batch that was stored; 0: none.';
COMMENT ON COLUMN "attempts"."thread_count" IS 'Intra-op threads it computed with; results on a CPU are the same bits only for the same number.';
COMMENT ON COLUMN "attempts"."create_time" IS 'When it was leased.';
COMMENT ON COLUMN "attempts"."end_time" IS 'When it ended.';

COMMENT ON TABLE "epoch_metrics" IS 'One metric of one epoch as one attempt measured it. Never updated but for superseded_by, never deleted. NaN and infinities are kept.';
COMMENT ON COLUMN "epoch_metrics"."run_id" IS 'The run.';
COMMENT ON COLUMN "epoch_metrics"."stage" IS 'HEAD or FINE_TUNE.';
COMMENT ON COLUMN "epoch_metrics"."epoch" IS 'Epoch within the stage, from 1.';
COMMENT ON COLUMN "epoch_metrics"."name" IS 'loss, accuracy, val_loss, val_accuracy, learning_rate, seconds or images_per_second.';
COMMENT ON COLUMN "epoch_metrics"."lease_epoch" IS 'Lease of the task under which it was measured.';
COMMENT ON COLUMN "epoch_metrics"."task_id" IS 'The task.';
COMMENT ON COLUMN "epoch_metrics"."value" IS 'The value.';
COMMENT ON COLUMN "epoch_metrics"."superseded_by" IS 'Lease epoch of the later attempt that trained this epoch again; null: this row counts.';
COMMENT ON COLUMN "epoch_metrics"."create_time" IS 'When it was stored.';

COMMENT ON TABLE "checkpoints" IS 'Saved trained tensors. A checkpoint exists only when its row does.';
COMMENT ON COLUMN "checkpoints"."checkpoint_id" IS 'Identity.';
COMMENT ON COLUMN "checkpoints"."run_id" IS 'The run.';
COMMENT ON COLUMN "checkpoints"."task_id" IS 'The task.';
COMMENT ON COLUMN "checkpoints"."lease_epoch" IS 'Lease of the task under which it was saved.';
COMMENT ON COLUMN "checkpoints"."stage" IS 'HEAD or FINE_TUNE.';
COMMENT ON COLUMN "checkpoints"."epoch" IS 'Epochs done in the stage when it was saved.';
COMMENT ON COLUMN "checkpoints"."kind" IS 'BEST (by validation so far) or LAST (training resumes from it).';
COMMENT ON COLUMN "checkpoints"."uri" IS 'Place in the artifact store.';
COMMENT ON COLUMN "checkpoints"."sha256" IS 'SHA-256 of the file, hexadecimal.';
COMMENT ON COLUMN "checkpoints"."size_bytes" IS 'Size of the file.';
COMMENT ON COLUMN "checkpoints"."value" IS 'The objective''s value at that epoch.';
COMMENT ON COLUMN "checkpoints"."state" IS 'STORED, DELETING (the file may be gone) or DELETED.';
COMMENT ON COLUMN "checkpoints"."create_time" IS 'When it was registered.';
COMMENT ON COLUMN "checkpoints"."delete_time" IS 'When the file was deleted.';

COMMENT ON TABLE "test_results" IS 'What a run''s best checkpoint does on the test split. Selection never reads it.';
COMMENT ON COLUMN "test_results"."run_id" IS 'The run.';
COMMENT ON COLUMN "test_results"."checkpoint_id" IS 'The checkpoint that was evaluated.';
COMMENT ON COLUMN "test_results"."role" IS 'Why: WINNER, BASELINE or EVERY_RUN.';
COMMENT ON COLUMN "test_results"."accuracy" IS 'Part of the images that are right, 0 to 1.';
COMMENT ON COLUMN "test_results"."accuracy_low" IS 'Lower end of the 95 % Wilson interval.';
COMMENT ON COLUMN "test_results"."accuracy_high" IS 'Upper end of the 95 % Wilson interval.';
COMMENT ON COLUMN "test_results"."loss" IS 'Mean loss.';
COMMENT ON COLUMN "test_results"."roc_auc" IS 'Area under the ROC curve; null for other than two classes.';
COMMENT ON COLUMN "test_results"."image_count" IS 'Images.';
COMMENT ON COLUMN "test_results"."correct_count" IS 'Images that are right.';
COMMENT ON COLUMN "test_results"."confusion_matrix" IS 'Row by row: true class, column: called class; class count squared numbers.';
COMMENT ON COLUMN "test_results"."create_time" IS 'When it was stored.';

COMMENT ON TABLE "test_class_results" IS 'Precision, recall and F1 of one class on the test split.';
COMMENT ON COLUMN "test_class_results"."run_id" IS 'The run.';
COMMENT ON COLUMN "test_class_results"."class_index" IS 'Label of the class.';
COMMENT ON COLUMN "test_class_results"."class_name" IS 'Name of the class.';
COMMENT ON COLUMN "test_class_results"."precision" IS 'Right among those called so.';
COMMENT ON COLUMN "test_class_results"."recall" IS 'Found among those that are so.';
COMMENT ON COLUMN "test_class_results"."f1" IS 'Harmonic mean of the two.';
COMMENT ON COLUMN "test_class_results"."support" IS 'Images of the class.';

COMMENT ON TABLE "test_predictions" IS 'What a run''s best checkpoint says of each test image.';
COMMENT ON COLUMN "test_predictions"."run_id" IS 'The run.';
COMMENT ON COLUMN "test_predictions"."path" IS 'Path of the image within the data set.';
COMMENT ON COLUMN "test_predictions"."label" IS 'True label.';
COMMENT ON COLUMN "test_predictions"."predicted_label" IS 'Called label.';
COMMENT ON COLUMN "test_predictions"."probabilities" IS 'Probability of each class.';

COMMENT ON TABLE "events" IS 'What happened to a sweep, in order; the cursor of WatchSweep.';
COMMENT ON COLUMN "events"."event_id" IS 'Its number; grows.';
COMMENT ON COLUMN "events"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "events"."kind" IS 'SWEEP_STATE, RUN_STATE, EPOCH, TASK or TEST_RESULT.';
COMMENT ON COLUMN "events"."payload" IS 'The event. Numbers that JSON does not have are {"$number": "NaN"}, "Infinity" or "-Infinity".';
COMMENT ON COLUMN "events"."create_time" IS 'When it happened.';

COMMENT ON TABLE "trainers" IS 'Processes on GPU nodes that offer slots.';
COMMENT ON COLUMN "trainers"."trainer_id" IS 'Identity, given by the trainer and stable over its restarts.';
COMMENT ON COLUMN "trainers"."hostname" IS 'Host it runs on.';
COMMENT ON COLUMN "trainers"."version" IS 'Version of Graft.';
COMMENT ON COLUMN "trainers"."engine_version" IS 'TensorFlow''s version.';
COMMENT ON COLUMN "trainers"."state" IS 'READY, DRAINING (takes no new work) or LOST (no heartbeat).';
COMMENT ON COLUMN "trainers"."heartbeat_time" IS 'Last sign of life.';
COMMENT ON COLUMN "trainers"."create_time" IS 'When it first registered.';

COMMENT ON TABLE "slots" IS 'Schedulable devices of trainers.';
COMMENT ON COLUMN "slots"."trainer_id" IS 'The trainer.';
COMMENT ON COLUMN "slots"."slot_index" IS 'Number within the trainer, from 0.';
COMMENT ON COLUMN "slots"."device_kind" IS 'cpu or gpu.';
COMMENT ON COLUMN "slots"."device_name" IS 'As the device calls itself.';
COMMENT ON COLUMN "slots"."memory_bytes" IS 'Memory it may use; 0 where unknown.';
COMMENT ON COLUMN "slots"."thread_count" IS 'Intra-op threads.';
