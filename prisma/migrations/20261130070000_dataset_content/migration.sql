-- A data set's row holds content, which sweeps share. The folder, and what indexing let pass there under the sweep's own flags,
-- belong to the sweep: a copy that another sweep indexed elsewhere says nothing about this one.

-- Null until INDEX has succeeded, and in sweeps that were indexed before this column existed: readers fall back to the data
-- set's problems then.
ALTER TABLE "sweeps" ADD COLUMN "dataset_problems" JSONB;

COMMENT ON COLUMN "sweeps"."dataset_problems" IS 'Problems that indexing found in the sweep''s own folder and let pass: [{"code", "path", "message", "fatal"}]; null before indexing.';
COMMENT ON TABLE "datasets" IS 'Contents of indexed folders of labelled images, identified by the digest of their manifest; sweeps say where they read them.';
COMMENT ON COLUMN "datasets"."path" IS 'Folder in which the content was first indexed; the folder of a sweep is in its spec.';
COMMENT ON COLUMN "datasets"."problems" IS 'Problems that the first indexing let pass: [{"code", "path", "message", "fatal"}]; those of a sweep are in sweeps.dataset_problems.';

CREATE OR REPLACE VIEW "sweep_summaries" AS
SELECT
    s.sweep_id,
    s.display_name,
    s.state,
    s.state_reason,
    s.objective_metric,
    s.objective_goal,
    s.varied_names,
    s.dataset_id,
    d.digest AS dataset_digest,
    COALESCE((s.spec -> 'dataset') ->> 'path', d.path) AS dataset_path,
    d.class_names,
    runs.run_count,
    runs.succeeded_count,
    runs.failed_count,
    work.attempt_count,
    work.slot_seconds,
    s.create_time,
    s.start_time,
    s.end_time
FROM sweeps s
LEFT JOIN datasets d ON d.dataset_id = s.dataset_id
CROSS JOIN LATERAL (
    SELECT
        count(*)::integer AS run_count,
        (count(*) FILTER (WHERE r.state = 'SUCCEEDED'))::integer AS succeeded_count,
        (count(*) FILTER (WHERE r.state IN ('FAILED', 'INFEASIBLE')))::integer AS failed_count
    FROM runs r
    WHERE r.sweep_id = s.sweep_id
) runs
CROSS JOIN LATERAL (
    SELECT
        count(*)::integer AS attempt_count,
        COALESCE(EXTRACT(EPOCH FROM sum(COALESCE(a.end_time, now()) - a.create_time)), 0)::double precision AS slot_seconds
    FROM tasks t
    JOIN attempts a ON a.task_id = t.task_id
    WHERE t.sweep_id = s.sweep_id
) work;
COMMENT ON COLUMN "sweep_summaries"."dataset_path" IS 'Folder of images that the sweep reads.';
SELECT grant_reader();
