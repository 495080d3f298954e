-- What INDEX has found while it looks for missing weights on other machines.

ALTER TABLE "tasks" ADD COLUMN "partial_index" JSONB;
COMMENT ON COLUMN "tasks"."partial_index" IS 'INDEX: the images and weights that earlier attempts have found, while missing weights are looked for on other machines.';
