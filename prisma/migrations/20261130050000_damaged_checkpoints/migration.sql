-- A checkpoint whose file was lost or damaged is never used again; calls for it report what was found.
ALTER TABLE checkpoints ADD COLUMN damage text;

COMMENT ON COLUMN checkpoints.damage IS 'What a coordinator found wrong with the file; null: nothing. Such a checkpoint is not STORED.';
