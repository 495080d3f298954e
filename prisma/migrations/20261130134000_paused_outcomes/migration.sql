-- A run may leave a training task paused at an epoch, to be continued by a later task.

ALTER TABLE "task_runs" DROP CONSTRAINT "task_runs_state_check";
ALTER TABLE "task_runs" ADD CONSTRAINT "task_runs_state_check"
    CHECK ("state" IN ('PENDING', 'SUCCEEDED', 'EARLY_STOPPED', 'FAILED', 'STOPPED', 'PAUSED'));
COMMENT ON COLUMN "task_runs"."state" IS 'PENDING, SUCCEEDED, EARLY_STOPPED, FAILED, STOPPED or PAUSED.';
