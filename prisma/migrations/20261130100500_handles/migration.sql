-- Indexes for handles: prefixes of identities and display names. text_pattern_ops serves LIKE 'prefix%' under any
-- collation.

CREATE INDEX "sweeps_handle_id_idx" ON "sweeps" (lower("sweep_id") text_pattern_ops);
CREATE INDEX "sweeps_handle_name_idx" ON "sweeps" (lower("display_name") text_pattern_ops) WHERE "display_name" <> '';
CREATE INDEX "checkpoints_handle_idx" ON "checkpoints" ("checkpoint_id" text_pattern_ops) WHERE "state" = 'STORED';
