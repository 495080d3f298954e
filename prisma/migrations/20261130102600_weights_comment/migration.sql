-- INDEX reports digests only; every service derives a base's layers from its name.
COMMENT ON COLUMN sweeps.weights IS 'Pretrained weights that INDEX resolved: [{"backbone", "weights", "digest"}].';
