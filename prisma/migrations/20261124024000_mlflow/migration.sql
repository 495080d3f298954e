-- The MLflow mirror: what is still to be sent, which MLflow run mirrors what, and how the server answers.

CREATE TABLE "outbox" (
    "outbox_id" BIGSERIAL NOT NULL,
    "sweep_id" TEXT NOT NULL,
    "run_id" TEXT,
    "kind" TEXT NOT NULL,
    "stage" TEXT,
    "lease_epoch" INTEGER,
    "epochs" INTEGER[] NOT NULL DEFAULT ARRAY[]::INTEGER[],
    "attempt_count" INTEGER NOT NULL DEFAULT 0,
    "error_code" TEXT,
    "error_message" TEXT NOT NULL DEFAULT '',
    "dead_time" TIMESTAMPTZ(6),
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "outbox_pkey" PRIMARY KEY ("outbox_id"),
    CONSTRAINT "outbox_kind_check" CHECK ("kind" IN ('SWEEP', 'RUN', 'METRICS', 'TEST_RESULT', 'REPORT', 'MODEL')),
    CONSTRAINT "outbox_run_check" CHECK (("run_id" IS NOT NULL) = ("kind" = 'RUN' OR "kind" = 'METRICS' OR "kind" = 'TEST_RESULT')),
    CONSTRAINT "outbox_stage_check" CHECK ("stage" IN ('HEAD', 'FINE_TUNE')),
    CONSTRAINT "outbox_metrics_check" CHECK (num_nonnulls("stage", "lease_epoch") = CASE WHEN "kind" = 'METRICS' THEN 2 ELSE 0 END),
    CONSTRAINT "outbox_attempt_count_check" CHECK ("attempt_count" >= 0),
    CONSTRAINT "outbox_dead_check" CHECK ("dead_time" IS NULL OR "error_code" IS NOT NULL)
);

CREATE TABLE "mlflow_runs" (
    "subject_id" TEXT NOT NULL,
    "sweep_id" TEXT NOT NULL,
    "run_id" TEXT,
    "tracking_uri" TEXT,
    "experiment_id" TEXT,
    "mlflow_run_id" TEXT,
    "artifact_uri" TEXT,
    "described" BOOLEAN NOT NULL DEFAULT false,
    "failure_count" INTEGER NOT NULL DEFAULT 0,
    "next_try_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "claim_epoch" INTEGER NOT NULL DEFAULT 0,
    "claim_expire_time" TIMESTAMPTZ(6),

    CONSTRAINT "mlflow_runs_pkey" PRIMARY KEY ("subject_id"),
    CONSTRAINT "mlflow_runs_subject_check" CHECK ("subject_id" = coalesce("run_id", "sweep_id")),
    CONSTRAINT "mlflow_runs_place_check" CHECK (num_nulls("tracking_uri", "experiment_id", "mlflow_run_id", "artifact_uri") IN (0, 4)),
    CONSTRAINT "mlflow_runs_counts_check" CHECK ("failure_count" >= 0 AND "claim_epoch" >= 0)
);

CREATE TABLE "mlflow_servers" (
    "tracking_uri" TEXT NOT NULL,
    "success_time" TIMESTAMPTZ(6),
    "failure_time" TIMESTAMPTZ(6),
    "failure_count" INTEGER NOT NULL DEFAULT 0,
    "error_code" TEXT,
    "error_message" TEXT NOT NULL DEFAULT '',
    "next_try_time" TIMESTAMPTZ(6),

    CONSTRAINT "mlflow_servers_pkey" PRIMARY KEY ("tracking_uri"),
    CONSTRAINT "mlflow_servers_failure_count_check" CHECK ("failure_count" >= 0)
);

-- Unique keys and foreign keys of schema.prisma.
CREATE UNIQUE INDEX "mlflow_runs_run_id_key" ON "mlflow_runs"("run_id");
ALTER TABLE "outbox" ADD CONSTRAINT "outbox_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "sweeps"("sweep_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "outbox" ADD CONSTRAINT "outbox_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("run_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "mlflow_runs" ADD CONSTRAINT "mlflow_runs_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "sweeps"("sweep_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "mlflow_runs" ADD CONSTRAINT "mlflow_runs_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs"("run_id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- The sender looks for subjects that have something to send, and then for all a subject has.
CREATE INDEX "outbox_pending_idx" ON "outbox"((coalesce("run_id", "sweep_id")), "outbox_id") WHERE "dead_time" IS NULL;
-- A person looks at what was refused.
CREATE INDEX "outbox_dead_idx" ON "outbox"("outbox_id") WHERE "dead_time" IS NOT NULL;

COMMENT ON TABLE "outbox" IS 'What is still to be mirrored to MLflow: a pointer to rows, written in the transaction that wrote them, removed when MLflow has them. Empty where no MLflow server is set.';
COMMENT ON COLUMN "outbox"."outbox_id" IS 'Identity; grows with time, though not strictly with the order of commits.';
COMMENT ON COLUMN "outbox"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "outbox"."run_id" IS 'The run; null for what belongs to the sweep as a whole.';
COMMENT ON COLUMN "outbox"."kind" IS 'SWEEP, RUN: its row changed. METRICS: rows of epoch_metrics. TEST_RESULT: its row of test_results. REPORT, MODEL: the sweep has ended, so its report and its best checkpoint follow.';
COMMENT ON COLUMN "outbox"."stage" IS 'METRICS only: stage of the rows.';
COMMENT ON COLUMN "outbox"."lease_epoch" IS 'METRICS only: lease epoch of the attempt that measured them.';
COMMENT ON COLUMN "outbox"."epochs" IS 'METRICS only: their epochs.';
COMMENT ON COLUMN "outbox"."attempt_count" IS 'How often it was sent, written before each attempt: above 0, MLflow may have a part of it already.';
COMMENT ON COLUMN "outbox"."error_code" IS 'Why MLflow refused it, as MLflow names it (INVALID_PARAMETER_VALUE).';
COMMENT ON COLUMN "outbox"."error_message" IS 'The same in words.';
COMMENT ON COLUMN "outbox"."dead_time" IS 'Since when it is a dead letter: refused for good, not sent again until a person asks for it (graft mlflow retry). Null: to be sent.';
COMMENT ON COLUMN "outbox"."create_time" IS 'When it was written.';

COMMENT ON TABLE "mlflow_runs" IS 'Which MLflow run mirrors a sweep or a run, and who sends to it at the moment.';
COMMENT ON COLUMN "mlflow_runs"."subject_id" IS 'The run, or the sweep for the parent run.';
COMMENT ON COLUMN "mlflow_runs"."sweep_id" IS 'The sweep.';
COMMENT ON COLUMN "mlflow_runs"."run_id" IS 'The run; null for the sweep itself.';
COMMENT ON COLUMN "mlflow_runs"."tracking_uri" IS 'The MLflow server that has the MLflow run; null until it is made there.';
COMMENT ON COLUMN "mlflow_runs"."experiment_id" IS 'MLflow experiment it lies in.';
COMMENT ON COLUMN "mlflow_runs"."mlflow_run_id" IS 'Identity that MLflow gave it.';
COMMENT ON COLUMN "mlflow_runs"."artifact_uri" IS 'Where MLflow keeps its artifacts, for example mlflow-artifacts:/1/<run>/artifacts.';
COMMENT ON COLUMN "mlflow_runs"."described" IS 'Whether what never changes (parameters, data set input) was sent, or refused.';
COMMENT ON COLUMN "mlflow_runs"."failure_count" IS 'Failures in a row; decides how long it waits.';
COMMENT ON COLUMN "mlflow_runs"."next_try_time" IS 'Not sent before.';
COMMENT ON COLUMN "mlflow_runs"."claim_epoch" IS 'Fencing number of the sender, +1 at each claim; checked before every request.';
COMMENT ON COLUMN "mlflow_runs"."claim_expire_time" IS 'Until when a sender has it for itself; null: nobody.';

COMMENT ON TABLE "mlflow_servers" IS 'How an MLflow server answered last; only for people (graft mlflow status).';
COMMENT ON COLUMN "mlflow_servers"."tracking_uri" IS 'Its address.';
COMMENT ON COLUMN "mlflow_servers"."success_time" IS 'When something was sent last.';
COMMENT ON COLUMN "mlflow_servers"."failure_time" IS 'When something failed last.';
COMMENT ON COLUMN "mlflow_servers"."failure_count" IS 'Failures in a row; 0 after a success.';
COMMENT ON COLUMN "mlflow_servers"."error_code" IS 'Of the last failure: as MLflow names it, or UNREACHABLE, TIMEOUT, HTTP_429 and the like.';
COMMENT ON COLUMN "mlflow_servers"."error_message" IS 'The same in words.';
COMMENT ON COLUMN "mlflow_servers"."next_try_time" IS 'Nothing is sent before; null after a success.';
