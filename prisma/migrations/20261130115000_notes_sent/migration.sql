-- Notes of a run that are cleared are cleared in MLflow, but only where Graft wrote them.
ALTER TABLE "mlflow_runs" ADD COLUMN "notes_sent" BOOLEAN NOT NULL DEFAULT false;
COMMENT ON COLUMN "mlflow_runs"."notes_sent" IS 'True if notes of the run are its description in MLflow.';
