-- A data set's row holds content, which sweeps share. The folder, and what indexing let pass there under the sweep's own flags,
-- belong to the sweep: a copy that another sweep indexed elsewhere says nothing about this one.

-- Null until INDEX has succeeded, and in sweeps that were indexed before this column existed: readers fall back to the data
-- set's problems then.
ALTER TABLE "sweeps" ADD COLUMN "dataset_problems" JSONB;

COMMENT ON COLUMN "sweeps"."dataset_problems" IS 'Problems that indexing found in the sweep''s own folder and let pass: [{"code", "path", "message", "fatal"}]; null before indexing.';
COMMENT ON TABLE "datasets" IS 'Contents of indexed folders of labelled images, identified by the digest of their manifest; sweeps say where they read them.';
COMMENT ON COLUMN "datasets"."path" IS 'Folder in which the content was first indexed; the folder of a sweep is in its spec.';
COMMENT ON COLUMN "datasets"."problems" IS 'Problems that the first indexing let pass: [{"code", "path", "message", "fatal"}]; those of a sweep are in sweeps.dataset_problems.';

-- Only this column changes, whatever others the view has by now.
DO $$
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW "sweep_summaries" AS ' || replace(
        pg_get_viewdef('"sweep_summaries"'::regclass),
        'd.path AS dataset_path',
        'COALESCE((s.spec -> ''dataset'') ->> ''path'', d.path) AS dataset_path'
    );
END
$$;
COMMENT ON COLUMN "sweep_summaries"."dataset_path" IS 'Folder of images that the sweep reads.';
SELECT grant_reader();
