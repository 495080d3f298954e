-- Screen: probes of the backbones before their features are computed, and what was kept.

ALTER TABLE "tasks" DROP CONSTRAINT "tasks_stage_check",
    ADD CONSTRAINT "tasks_stage_check" CHECK ("stage" IN ('INDEX', 'PROBE', 'FEATURES', 'HEAD', 'FINE_TUNE', 'EVALUATE'));
ALTER TABLE "runs" DROP CONSTRAINT "runs_stage_check",
    ADD CONSTRAINT "runs_stage_check" CHECK ("stage" IN ('INDEX', 'PROBE', 'FEATURES', 'HEAD', 'FINE_TUNE', 'EVALUATE'));
ALTER TABLE "decisions" DROP CONSTRAINT "decisions_kind_check",
    ADD CONSTRAINT "decisions_kind_check" CHECK ("kind" IN ('CONTINUE', 'STOP', 'PAUSE', 'PROMOTE', 'END', 'STOP_RUN', 'EXTEND', 'CHANGE_BUDGET', 'RETRY_RUN', 'PREEMPT', 'SCREEN'));
ALTER TABLE "runs" DROP CONSTRAINT "runs_end_cause_check",
    ADD CONSTRAINT "runs_end_cause_check" CHECK ("end_cause" IN ('ALL_EPOCHS', 'EARLY_STOPPING', 'RULE', 'NOT_PROMOTED', 'BUDGET', 'TARGET', 'USER', 'ERROR', 'REUSED', 'SCREENED'));

ALTER TABLE "trainers"
    ADD COLUMN "stages" TEXT[] NOT NULL DEFAULT ARRAY['INDEX', 'FEATURES', 'HEAD', 'FINE_TUNE', 'EVALUATE'];

CREATE TABLE "probes" (
    "sweep_id" TEXT NOT NULL,
    "position" INTEGER NOT NULL,
    "task_id" TEXT NOT NULL,
    "backbone" TEXT NOT NULL,
    "weights" TEXT NOT NULL,
    "weights_digest" TEXT NOT NULL,
    "cut" TEXT,
    "image_size" INTEGER NOT NULL,
    "pooling" TEXT NOT NULL,
    "train_image_count" INTEGER NOT NULL,
    "validation_image_count" INTEGER NOT NULL,
    "feature_seconds" DOUBLE PRECISION NOT NULL,
    "is_baseline" BOOLEAN NOT NULL,
    "correct" BYTEA,
    "correct_count" INTEGER,
    "log_me" DOUBLE PRECISION,
    "penalty" DOUBLE PRECISION,
    "feature_count" INTEGER,
    "latency_seconds" DOUBLE PRECISION,
    "seconds" DOUBLE PRECISION,
    "kept" BOOLEAN,
    "place" INTEGER,
    "best_only_count" INTEGER,
    "this_only_count" INTEGER,
    "p_value" DOUBLE PRECISION,
    "reason" TEXT NOT NULL DEFAULT '',

    CONSTRAINT "probes_pkey" PRIMARY KEY ("sweep_id", "position"),
    CONSTRAINT "probes_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "searches"("sweep_id") ON DELETE NO ACTION ON UPDATE NO ACTION,
    CONSTRAINT "probes_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "tasks"("task_id") ON DELETE NO ACTION ON UPDATE NO ACTION,
    CONSTRAINT "probes_pooling_check" CHECK ("pooling" IN ('avg', 'max')),
    CONSTRAINT "probes_result_check" CHECK (num_nulls("correct", "correct_count", "log_me", "penalty", "feature_count", "latency_seconds", "seconds") IN (0, 7))
);
CREATE UNIQUE INDEX "probes_task_id_key" ON "probes"("task_id");

COMMENT ON TABLE "probes" IS 'A candidate of a sweep''s screen: a base up to a cut, at an image size and with a pooling. Its PROBE task measures how many images a ridge regression on its features predicts that it has not seen.';
COMMENT ON COLUMN "probes"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "probes"."position" IS 'Number of the candidate within the sweep, from 0.';
COMMENT ON COLUMN "probes"."task_id" IS 'Task that measures it.';
COMMENT ON COLUMN "probes"."backbone" IS 'Name of the backbone.';
COMMENT ON COLUMN "probes"."weights" IS 'imagenet, random or a path, as in the parameters.';
COMMENT ON COLUMN "probes"."weights_digest" IS 'SHA-256 of the weights.';
COMMENT ON COLUMN "probes"."cut" IS 'Last layer of the prefix; null: the whole base.';
COMMENT ON COLUMN "probes"."image_size" IS 'Height and width of the images in pixels.';
COMMENT ON COLUMN "probes"."pooling" IS 'avg or max. Heads that flatten are probed with avg.';
COMMENT ON COLUMN "probes"."train_image_count" IS 'Training images that are drawn, in each class the same part; the same ones for all candidates.';
COMMENT ON COLUMN "probes"."validation_image_count" IS 'The same for validation images. Test images are never drawn.';
COMMENT ON COLUMN "probes"."feature_seconds" IS 'Forecast slot-seconds of the features of all training and validation images: what keeping it costs.';
COMMENT ON COLUMN "probes"."is_baseline" IS 'Whether the sweep''s baseline has it, so that it is kept in any case.';
COMMENT ON COLUMN "probes"."correct" IS 'One bit per probed image, training images first in the order of the manifest, the lowest bit of a byte first: 1 if a model without its fold predicts its class; null: no result.';
COMMENT ON COLUMN "probes"."correct_count" IS 'Number of images predicted correctly; null: no result.';
COMMENT ON COLUMN "probes"."log_me" IS 'LogME of the features, which decides nothing; null: no result.';
COMMENT ON COLUMN "probes"."penalty" IS 'Penalty of the ridge regression by generalised cross-validation; null: no result.';
COMMENT ON COLUMN "probes"."feature_count" IS 'Number of features of an image; null: no result.';
COMMENT ON COLUMN "probes"."latency_seconds" IS 'Median seconds of the forward pass of one image on the trainer''s device; null: no result.';
COMMENT ON COLUMN "probes"."seconds" IS 'Seconds of the probe; null: no result.';
COMMENT ON COLUMN "probes"."kept" IS 'Whether its runs are trained; null: not decided yet.';
COMMENT ON COLUMN "probes"."place" IS 'Place by images predicted correctly, from 1; null: not decided, or no result.';
COMMENT ON COLUMN "probes"."best_only_count" IS 'Images on which only the best candidate is right; null: it is the best, or was not compared.';
COMMENT ON COLUMN "probes"."this_only_count" IS 'Images on which only this one is right; null: it is the best, or was not compared.';
COMMENT ON COLUMN "probes"."p_value" IS 'McNemar''s one-sided mid-p value that it is worse than the best; null: it is the best, or was not compared.';
COMMENT ON COLUMN "probes"."reason" IS 'Why it was kept or left out, for people.';
COMMENT ON COLUMN "trainers"."stages" IS 'Stages that it executes, as it reports them; it gets no task of another one.';
COMMENT ON COLUMN "tasks"."stage" IS 'INDEX, PROBE, FEATURES, HEAD, FINE_TUNE or EVALUATE.';
COMMENT ON COLUMN "run_attempts"."stage" IS 'INDEX, PROBE, FEATURES, HEAD, FINE_TUNE or EVALUATE.';
COMMENT ON COLUMN "stage_forecasts"."stage" IS 'INDEX, PROBE, FEATURES, HEAD, FINE_TUNE or EVALUATE.';
COMMENT ON COLUMN "decisions"."kind" IS 'At a rung: CONTINUE, STOP or PAUSE. About a paused run: PROMOTE. About the search: END. About backbones before training: SCREEN. By people and the scheduler: STOP_RUN, EXTEND, CHANGE_BUDGET, RETRY_RUN, PREEMPT.';
COMMENT ON COLUMN "runs"."end_cause" IS 'Why it ended: ALL_EPOCHS, EARLY_STOPPING (its own patience), RULE (a stopping rule), NOT_PROMOTED, BUDGET, TARGET, USER, ERROR, REUSED or SCREENED (its backbone was left out); null: it has not ended, or ended before causes were recorded.';

CREATE VIEW "screen_tables" AS
SELECT
    p.sweep_id,
    p.place,
    p.backbone,
    p.weights,
    p.cut,
    p.image_size,
    p.pooling,
    p.train_image_count + p.validation_image_count AS image_count,
    p.correct_count,
    p.correct_count::double precision / NULLIF(p.train_image_count + p.validation_image_count, 0) AS accuracy,
    p.best_only_count,
    p.this_only_count,
    p.p_value,
    p.kept,
    p.is_baseline,
    p.log_me,
    p.latency_seconds,
    p.feature_seconds,
    p.seconds,
    p.reason,
    t.state AS task_state
FROM probes p
JOIN tasks t ON t.task_id = p.task_id;

COMMENT ON VIEW "screen_tables" IS 'The candidates of a sweep''s screen, with what their probes measured and whether they were kept.';
COMMENT ON COLUMN "screen_tables"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "screen_tables"."place" IS 'Place by images predicted correctly, from 1; null: not decided, or no result.';
COMMENT ON COLUMN "screen_tables"."backbone" IS 'Name of the backbone.';
COMMENT ON COLUMN "screen_tables"."weights" IS 'imagenet, random or a path.';
COMMENT ON COLUMN "screen_tables"."cut" IS 'Last layer of the prefix; null: the whole base.';
COMMENT ON COLUMN "screen_tables"."image_size" IS 'Height and width of the images in pixels.';
COMMENT ON COLUMN "screen_tables"."pooling" IS 'avg or max.';
COMMENT ON COLUMN "screen_tables"."image_count" IS 'Probed training and validation images.';
COMMENT ON COLUMN "screen_tables"."correct_count" IS 'Images that a model predicts correctly which has not seen them; null: no result.';
COMMENT ON COLUMN "screen_tables"."accuracy" IS 'Part of the images predicted correctly; null: no result.';
COMMENT ON COLUMN "screen_tables"."best_only_count" IS 'Images on which only the best candidate is right.';
COMMENT ON COLUMN "screen_tables"."this_only_count" IS 'Images on which only this one is right.';
COMMENT ON COLUMN "screen_tables"."p_value" IS 'Mid-p value of McNemar''s test that it is worse than the best.';
COMMENT ON COLUMN "screen_tables"."kept" IS 'Whether its runs are trained; null: not decided yet.';
COMMENT ON COLUMN "screen_tables"."is_baseline" IS 'Whether the sweep''s baseline has it.';
COMMENT ON COLUMN "screen_tables"."log_me" IS 'LogME, which decides nothing.';
COMMENT ON COLUMN "screen_tables"."latency_seconds" IS 'Median seconds of the forward pass of one image on the trainer''s device.';
COMMENT ON COLUMN "screen_tables"."feature_seconds" IS 'Forecast slot-seconds of the features of all training and validation images.';
COMMENT ON COLUMN "screen_tables"."seconds" IS 'Seconds of the probe.';
COMMENT ON COLUMN "screen_tables"."reason" IS 'Why it was kept or left out.';
COMMENT ON COLUMN "screen_tables"."task_state" IS 'State of the task that measures it.';
SELECT grant_reader();
