ALTER TABLE "runs" ADD COLUMN "duration_seconds" DOUBLE PRECISION
  GENERATED ALWAYS AS (extract(epoch FROM "end_time" - "start_time")::float8) STORED;
COMMENT ON COLUMN "runs"."duration_seconds" IS 'Time from the first lease to the end; null until then.';
