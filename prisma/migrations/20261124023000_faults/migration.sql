-- In how many parts an attempt works off its batches after others ran out of memory.

ALTER TABLE "attempts"
    ADD COLUMN "micro_batch_divisor" INTEGER NOT NULL DEFAULT 1,
    ADD CONSTRAINT "attempts_micro_batch_divisor_check" CHECK ("micro_batch_divisor" IN (1, 2, 4, 8));

COMMENT ON COLUMN "attempts"."micro_batch_divisor" IS 'Batches are worked off in so many parts with accumulated gradients: 2, 4, 8 after attempts that ran out of memory, else 1.';
