-- What an extension must not change: time that counts, and which run the others are compared with.

ALTER TABLE "sweeps"
    ADD COLUMN "ended_seconds" DOUBLE PRECISION NOT NULL DEFAULT 0,
    ADD COLUMN "has_baseline" BOOLEAN;

COMMENT ON COLUMN "sweeps"."ended_seconds" IS 'Seconds between its ends and their extensions or retries; no bound on its time counts them.';
COMMENT ON COLUMN "sweeps"."has_baseline" IS 'Whether run 0 is the baseline that the others are compared with, as the specification said before its first extension; null: it was not extended.';
