-- Slots that wait are notified when a sweep may use more of them. A command to a slot has its reason.

ALTER TABLE "tasks" ADD COLUMN "command_reason" TEXT NOT NULL DEFAULT '';
COMMENT ON COLUMN "tasks"."command_reason" IS 'Reason of the command, for people; empty: there is no command.';

CREATE TRIGGER "sweeps_notify_schedule" AFTER UPDATE OF "priority", "max_parallel_slots" ON "sweeps" FOR EACH ROW
    WHEN (NEW."state" = 'ACTIVE' AND (NEW."priority", NEW."max_parallel_slots") IS DISTINCT FROM (OLD."priority", OLD."max_parallel_slots"))
    EXECUTE FUNCTION "notify_task"();

-- A sweep with a bound has a free place when a slot ends its work on it; other slots may wait for that.
CREATE FUNCTION "notify_place"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM sweeps WHERE sweep_id = NEW.sweep_id AND max_parallel_slots IS NOT NULL) THEN
        PERFORM pg_notify('graft_tasks', NEW.sweep_id);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION "notify_place"() IS 'Tells channel graft_tasks the sweep that has a free place for a slot.';
CREATE TRIGGER "tasks_notify_place" AFTER UPDATE OF "state" ON "tasks" FOR EACH ROW
    WHEN (OLD."state" IN ('LEASED', 'RUNNING') AND NEW."state" NOT IN ('LEASED', 'RUNNING'))
    EXECUTE FUNCTION "notify_place"();
