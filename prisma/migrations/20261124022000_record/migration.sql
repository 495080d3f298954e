-- Metrics and events by the ten thousand a second.

-- A foreign key is checked row by row: 4 of the 15 µs that a metric costs the server. A batch has few runs and many rows, so
-- the same is checked once per statement. The other direction is a trigger of "runs".
ALTER TABLE "epoch_metrics" DROP CONSTRAINT "epoch_metrics_run_id_fkey";

CREATE FUNCTION "check_metric_runs"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    missing text;
BEGIN
    -- The lock of a foreign key: nobody deletes a run while its metrics are being written.
    PERFORM FROM runs r WHERE r.run_id IN (SELECT a.run_id FROM added a) FOR KEY SHARE;
    SELECT a.run_id INTO missing
      FROM (SELECT DISTINCT run_id FROM added) a
     WHERE NOT EXISTS (SELECT FROM runs r WHERE r.run_id = a.run_id)
     LIMIT 1;
    IF missing IS NOT NULL THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('metrics can only be stored of a run that exists; received %L', missing),
            TABLE = 'epoch_metrics', CONSTRAINT = 'epoch_metrics_check_runs';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION "check_metric_runs"() IS 'Refuses metrics of runs that do not exist, once per statement: a foreign key would look for each row.';

CREATE TRIGGER "epoch_metrics_check_runs" AFTER INSERT ON "epoch_metrics" REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION "check_metric_runs"();

CREATE FUNCTION "keep_measured_run"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM epoch_metrics m WHERE m.run_id = OLD.run_id) THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('run %L has metrics; delete them first', OLD.run_id),
            TABLE = 'runs', CONSTRAINT = 'runs_keep_measured';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION "keep_measured_run"() IS 'Refuses to delete or rename a run that has metrics.';

CREATE TRIGGER "runs_keep_measured_delete" AFTER DELETE ON "runs" FOR EACH ROW EXECUTE FUNCTION "keep_measured_run"();
CREATE TRIGGER "runs_keep_measured_update" AFTER UPDATE OF "run_id" ON "runs" FOR EACH ROW
    WHEN (OLD."run_id" <> NEW."run_id") EXECUTE FUNCTION "keep_measured_run"();

-- One notification per statement and sweep instead of one per row.
DROP TRIGGER "events_notify" ON "events";
CREATE OR REPLACE FUNCTION "notify_event"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('graft_events', a.sweep_id) FROM (SELECT DISTINCT sweep_id FROM added) a;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION "notify_event"() IS 'Tells channel graft_events the sweeps that have new events.';
CREATE TRIGGER "events_notify" AFTER INSERT ON "events" REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION "notify_event"();

-- A later migration that makes a view has only to call it.
CREATE OR REPLACE FUNCTION "grant_reader"() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    IF to_regrole('graft_reader') IS NULL THEN
        RAISE NOTICE 'There is no role graft_reader. Have an administrator run CREATE ROLE graft_reader NOLOGIN, then run SELECT grant_reader() in this database.';
        RETURN;
    END IF;
    GRANT USAGE ON SCHEMA public TO graft_reader;
    FOR name IN
        SELECT c.relname FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'v' AND pg_has_role(c.relowner, 'USAGE')
           -- Those of extensions are not ours to grant.
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('GRANT SELECT ON public.%I TO graft_reader', name);
    END LOOP;
END
$$;
COMMENT ON FUNCTION "grant_reader"() IS 'Lets the role graft_reader read every view of Graft. For the owner of the views, after the role was made by hand.';
SELECT grant_reader();
