-- A checkpoint whose file was lost or damaged is never used again; what was found is told to whoever asks for it.
ALTER TABLE checkpoints ADD COLUMN damage text;

COMMENT ON COLUMN checkpoints.damage IS 'What a coordinator found wrong with the file; null: nothing. Such a checkpoint is not STORED.';
