-- A machine's fault is the machine's: tasks that failed by one go to another slot first, and a slot by which two failed is benched.
ALTER TABLE "slots"
    ADD COLUMN "bench_reason" TEXT NOT NULL DEFAULT '',
    ADD COLUMN "benched_by_faults" BOOLEAN NOT NULL DEFAULT false;

ALTER TABLE "tasks" ADD COLUMN "machine_round_count" INTEGER NOT NULL DEFAULT 0;

CREATE TABLE "machine_faults" (
    "task_id" TEXT NOT NULL,
    "trainer_id" TEXT NOT NULL,
    "slot_index" INTEGER NOT NULL,
    "code" TEXT NOT NULL,
    "message" TEXT NOT NULL,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "machine_faults_pkey" PRIMARY KEY ("task_id", "trainer_id", "slot_index"),
    CONSTRAINT "machine_faults_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "tasks"("task_id") ON DELETE NO ACTION ON UPDATE NO ACTION,
    CONSTRAINT "machine_faults_trainer_id_fkey" FOREIGN KEY ("trainer_id") REFERENCES "trainers"("trainer_id") ON DELETE NO ACTION ON UPDATE NO ACTION
);

-- Faults are few, and gone after an hour: no index on them would ever be read.
COMMENT ON COLUMN "slots"."bench_reason" IS 'Why it gets no tasks; empty: it gets some.';
COMMENT ON COLUMN "slots"."benched_by_faults" IS 'Whether failed tasks benched it, and not what its trainer said when it registered.';
COMMENT ON COLUMN "tasks"."machine_round_count" IS 'How often every slot that could take it has failed it by a fault of its machine, since the sweep was last paused for that.';
COMMENT ON TABLE "machine_faults" IS 'Tasks that failed by a fault of a machine (store, data path, disk, device) and may do well on another one. Rows go when the trainer is found healthy, when every other slot has failed the task too (then it says nothing of the machine), and after an hour.';
COMMENT ON COLUMN "machine_faults"."task_id" IS 'The task.';
COMMENT ON COLUMN "machine_faults"."trainer_id" IS 'The trainer it failed on.';
COMMENT ON COLUMN "machine_faults"."slot_index" IS 'The slot.';
COMMENT ON COLUMN "machine_faults"."code" IS 'Name of the error, for example DATA_MISSING; DEVICE_LOST is about the slot, the others about the machine.';
COMMENT ON COLUMN "machine_faults"."message" IS 'For a person: what, where, and how to fix it.';
COMMENT ON COLUMN "machine_faults"."create_time" IS 'When the attempt ended.';
