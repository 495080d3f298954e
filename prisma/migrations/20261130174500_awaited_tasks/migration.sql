-- Ready tasks that other sweeps may wait for: leases look for them by the priority of these sweeps.

CREATE INDEX "tasks_ready_shared_idx" ON "tasks"("sweep_id") WHERE "state" = 'READY' AND "stage" IN ('INDEX', 'FEATURES');

COMMENT ON COLUMN "epoch_metrics"."superseded_by" IS 'Lease epoch of the attempt that retrained this epoch, or would have: the run has ended, and of this epoch nothing is stored; null: this row counts.';
