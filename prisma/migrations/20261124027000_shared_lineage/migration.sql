-- A checkpoint of a head that runs share may be tested for another run than the one that trained it.

CREATE INDEX "test_results_checkpoint_id_idx" ON "test_results"("checkpoint_id");

CREATE OR REPLACE VIEW "checkpoint_lineage" AS
SELECT
    r.sweep_id,
    c.run_id,
    r.run_index,
    c.checkpoint_id,
    c.stage,
    c.epoch,
    c.kind,
    c.state,
    c.value,
    c.stage = r.best_stage AND c.epoch = r.best_epoch AND c.kind = 'BEST' AS best_of_run,
    e.role AS test_role,
    COALESCE(resumed.checkpoint_id, tr.source_checkpoint_id) AS parent_checkpoint_id,
    CASE
        WHEN resumed.checkpoint_id IS NOT NULL THEN 'RESUMED'
        WHEN tr.source_checkpoint_id IS NOT NULL THEN 'STARTED_FROM'
        ELSE 'PRETRAINED'
    END AS origin,
    (
        SELECT w.value ->> 'digest'
        FROM jsonb_array_elements(CASE jsonb_typeof(s.weights) WHEN 'array' THEN s.weights ELSE '[]' END) w
        WHERE w.value ->> 'backbone' = r.parameters ->> 'backbone'
          AND COALESCE(w.value ->> 'weights', 'imagenet') = COALESCE(r.parameters ->> 'weights', 'imagenet')
        LIMIT 1
    ) AS weights_digest,
    d.digest AS dataset_digest,
    c.task_id,
    c.lease_epoch,
    a.trainer_id,
    a.slot_index,
    a.thread_count,
    c.uri,
    c.sha256,
    c.size_bytes,
    c.create_time,
    c.delete_time
FROM checkpoints c
JOIN runs r ON r.run_id = c.run_id
JOIN sweeps s ON s.sweep_id = r.sweep_id
LEFT JOIN datasets d ON d.dataset_id = s.dataset_id
LEFT JOIN attempts a ON a.task_id = c.task_id AND a.lease_epoch = c.lease_epoch
LEFT JOIN task_runs tr ON tr.task_id = c.task_id AND tr.run_id = c.run_id
-- A shared head's checkpoint may be what several runs were tested with; the most telling role is shown.
LEFT JOIN LATERAL (
    SELECT t.role
    FROM test_results t
    WHERE t.checkpoint_id = c.checkpoint_id
    ORDER BY array_position(ARRAY['WINNER', 'BASELINE', 'EVERY_RUN'], t.role)
    LIMIT 1
) e ON true
-- What the attempt went on from. Files of earlier leases can't be registered once a later lease exists, and the resume point
-- is the one with the most epochs; that it has been deleted since does not matter here.
LEFT JOIN LATERAL (
    SELECT p.checkpoint_id
    FROM checkpoints p
    WHERE p.run_id = c.run_id AND p.stage = c.stage AND p.kind = 'LAST' AND p.lease_epoch < c.lease_epoch
    ORDER BY p.epoch DESC, p.create_time DESC
    LIMIT 1
) resumed ON true;

COMMENT ON VIEW "checkpoint_lineage" IS 'One row per checkpoint: what it was made from, by which attempt, and whether a test result is its. Follow parent_checkpoint_id to the pretrained weights; it may be of another run, whose head this one shares.';
COMMENT ON COLUMN "checkpoint_lineage"."test_role" IS 'Why it was evaluated on the test split, for its run or one that shares its head: WINNER, BASELINE or EVERY_RUN; null: it was not.';
