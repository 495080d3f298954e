-- Scheduling and budget of a sweep: as in its spec, until a person changes them.

ALTER TABLE "sweeps" ADD COLUMN "priority" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN "max_parallel_slots" INTEGER,
  ADD COLUMN "budget" JSONB;
ALTER TABLE "sweeps" ADD CONSTRAINT "sweeps_priority_check" CHECK ("priority" BETWEEN -1000 AND 1000);
ALTER TABLE "sweeps" ADD CONSTRAINT "sweeps_max_parallel_slots_check" CHECK ("max_parallel_slots" > 0);
COMMENT ON COLUMN "sweeps"."priority" IS 'Sweeps of a higher priority are leased first, and preempt lower ones at a checkpoint.';
COMMENT ON COLUMN "sweeps"."max_parallel_slots" IS 'Maximum number of slots that work on the sweep at once; null: all.';
COMMENT ON COLUMN "sweeps"."budget" IS 'Current bounds of its work (slotSeconds, wallSeconds, target); null: none. The spec keeps the submitted ones.';
