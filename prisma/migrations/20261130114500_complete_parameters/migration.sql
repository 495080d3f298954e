-- run_parameters is complete, for views; runs.parameters is what the digest covers.
COMMENT ON COLUMN runs.parameters IS 'Canonical parameters by dotted name. Parameters of later versions are absent at their default, so that digests stay equal; run_parameters has them.';
