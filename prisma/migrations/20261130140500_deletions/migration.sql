-- A deleted sweep leaves its files to the retention loop, and a record of its deletion.

CREATE TABLE "file_removals" (
    "uri" TEXT NOT NULL,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "file_removals_pkey" PRIMARY KEY ("uri")
);

CREATE TABLE "deleted_sweeps" (
    "sweep_id" TEXT NOT NULL,
    "display_name" TEXT NOT NULL,
    "run_count" INTEGER NOT NULL,
    "checkpoint_count" INTEGER NOT NULL,
    "feature_set_count" INTEGER NOT NULL,
    "manifest_count" INTEGER NOT NULL,
    "size_bytes" BIGINT NOT NULL,
    "deleted_by" TEXT NOT NULL DEFAULT '',
    "delete_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "deleted_sweeps_pkey" PRIMARY KEY ("sweep_id")
);

-- A result can't be deleted while another run has taken it over.
ALTER TABLE "runs" ADD CONSTRAINT "runs_reused_run_id_fkey" FOREIGN KEY ("reused_run_id") REFERENCES "runs"("run_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
CREATE INDEX "runs_reused_run_id_idx" ON "runs"("reused_run_id") WHERE "reused_run_id" IS NOT NULL;

COMMENT ON TABLE "file_removals" IS 'Files of deleted sweeps that are still to be removed from the artifact store.';
COMMENT ON COLUMN "file_removals"."uri" IS 'Name in the artifact store.';
COMMENT ON COLUMN "file_removals"."create_time" IS 'Time of the deletion.';
COMMENT ON TABLE "deleted_sweeps" IS 'Deletions of sweeps, so that a repeated call gets the same answer and people can see who deleted what.';
COMMENT ON COLUMN "deleted_sweeps"."sweep_id" IS 'Identity of the sweep, whose row no longer exists.';
COMMENT ON COLUMN "deleted_sweeps"."display_name" IS 'Its last name.';
COMMENT ON COLUMN "deleted_sweeps"."run_count" IS 'Number of its runs.';
COMMENT ON COLUMN "deleted_sweeps"."checkpoint_count" IS 'Number of its checkpoints that had files.';
COMMENT ON COLUMN "deleted_sweeps"."feature_set_count" IS 'Number of stored feature sets that no other sweep used.';
COMMENT ON COLUMN "deleted_sweeps"."manifest_count" IS '1 if no other sweep used its data set, else 0.';
COMMENT ON COLUMN "deleted_sweeps"."size_bytes" IS 'Size of these checkpoints and feature sets.';
COMMENT ON COLUMN "deleted_sweeps"."deleted_by" IS 'Name of the token that deleted it; empty: calls needed no tokens.';
COMMENT ON COLUMN "deleted_sweeps"."delete_time" IS 'Time of the deletion.';
