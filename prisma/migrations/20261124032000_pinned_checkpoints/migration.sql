-- A person may keep a checkpoint that retention would remove.
ALTER TABLE checkpoints ADD COLUMN pinned boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN checkpoints.pinned IS 'Kept until somebody unpins it, whatever retention would do.';
