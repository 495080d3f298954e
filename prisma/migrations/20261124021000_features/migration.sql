-- How feature sets are stored, and what memory a slot must have for a task.

ALTER TABLE "feature_sets"
    ADD COLUMN "dtype" TEXT NOT NULL DEFAULT 'float32',
    ADD CONSTRAINT "feature_sets_dtype_check" CHECK ("dtype" IN ('float32', 'float16'));
COMMENT ON COLUMN "feature_sets"."dtype" IS 'How the file stores the values: float32 or float16. They are computed and read as float32.';

ALTER TABLE "tasks"
    ADD COLUMN "required_memory_bytes" BIGINT,
    ADD COLUMN "peak_memory_bytes" BIGINT;
COMMENT ON COLUMN "tasks"."required_memory_bytes" IS 'Slots with less memory are not given the task: its forecast, corrected by the peaks of earlier tasks of its cost class; null: not known.';
COMMENT ON COLUMN "tasks"."peak_memory_bytes" IS 'Most memory that the worker held in the attempt that succeeded; null: not measured.';

-- What required memory is corrected by: the latest measured tasks of a cost class.
CREATE INDEX "tasks_peak_memory_idx" ON "tasks"("cost_class", "end_time") WHERE "peak_memory_bytes" > 0 AND "forecast_memory_bytes" > 0;

CREATE OR REPLACE VIEW "feature_set_uses" AS
SELECT
    f.feature_key,
    f.backbone,
    f.cut,
    f.image_size,
    f.pooling,
    f.split,
    f.state,
    f.row_count,
    f.size_bytes,
    f.compute_seconds,
    f.dataset_digest,
    f.weights_digest,
    t.sweep_id,
    u.task_id,
    t.stage,
    u.task_id IS NOT DISTINCT FROM f.computed_by_task_id AS computed_here,
    f.dtype
FROM feature_sets f
JOIN task_feature_sets u ON u.feature_key = f.feature_key
JOIN tasks t ON t.task_id = u.task_id;

COMMENT ON COLUMN "feature_set_uses"."dtype" IS 'How the file stores the values: float32 or float16.';
