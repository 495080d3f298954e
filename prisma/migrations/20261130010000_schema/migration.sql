-- Which coordinator runs the loops. A row instead of a session's advisory lock: a pooler may give a session to two of them, and two
-- installations in two schemas of one database need a leader each.
CREATE TABLE "leader_leases" (
    "name" TEXT NOT NULL,
    "holder" TEXT NOT NULL,
    "term" BIGINT NOT NULL,
    "expire_time" TIMESTAMPTZ(6) NOT NULL,
    CONSTRAINT "leader_leases_pkey" PRIMARY KEY ("name")
);

COMMENT ON TABLE "leader_leases" IS 'Which coordinator runs the loops, and until when by the clock of the database.';
COMMENT ON COLUMN "leader_leases"."name" IS 'What the lease is for: loops.';
COMMENT ON COLUMN "leader_leases"."holder" IS 'The process that holds or last held it: a random identity of its own.';
COMMENT ON COLUMN "leader_leases"."term" IS 'One more with each change of the holder.';
COMMENT ON COLUMN "leader_leases"."expire_time" IS 'From then on another coordinator may take it.';

-- Views are granted in every schema that Graft was installed to by this owner, whatever the search path of the caller is.
CREATE OR REPLACE FUNCTION "grant_reader"() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    own_schema name;
    view_name name;
BEGIN
    IF to_regrole('graft_reader') IS NULL THEN
        RAISE NOTICE 'There is no role graft_reader. Have an administrator run CREATE ROLE graft_reader NOLOGIN, then run SELECT grant_reader() in this database.';
        RETURN;
    END IF;
    FOR own_schema IN
        SELECT n.nspname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE p.proname = 'grant_reader' AND p.pronargs = 0 AND pg_has_role(p.proowner, 'USAGE')
           AND EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = '_prisma_migrations')
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO graft_reader', own_schema);
        FOR view_name IN
            SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = own_schema AND c.relkind = 'v' AND pg_has_role(c.relowner, 'USAGE')
               -- Those of extensions are not ours to grant.
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        LOOP
            EXECUTE format('GRANT SELECT ON %I.%I TO graft_reader', own_schema, view_name);
        END LOOP;
    END LOOP;
END
$$;
SELECT grant_reader();
