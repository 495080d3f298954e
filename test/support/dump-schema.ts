import { runOn } from './database-server.ts';

/** The table of the migration runner, which is not part of the schema. */
const NOT_OURS = `('_prisma_migrations')`;

const HEADER = `-- The result of all migrations, written by a test from the catalogs of PostgreSQL.
-- To read, not to edit: after a new migration run
--   npx vitest run --config test/vitest.config.ts test/contract/database/golden-schema.test.ts -u
`;

/** Queries that return rows of one column `sql`, in an order in which an empty database accepts them. */
const SECTIONS: readonly (readonly [title: string, query: string])[] = [
  [
    'Sequences',
    `SELECT format('CREATE SEQUENCE %I AS %s;', c.relname, format_type(s.seqtypid, NULL)) AS sql
       FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
      WHERE c.relnamespace = 'public'::regnamespace ORDER BY c.relname COLLATE "C"`,
  ],
  [
    'Tables',
    `SELECT format(E'CREATE TABLE %I (\\n%s\\n);\\n', c.relname, (
              SELECT string_agg(line, E',\\n' ORDER BY part, place, line COLLATE "C") FROM (
                SELECT 1 AS part, a.attnum AS place,
                       format('    %I %s', a.attname, format_type(a.atttypid, a.atttypmod))
                         || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
                         || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') AS line
                  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                UNION ALL
                SELECT 2, CASE k.contype WHEN 'p' THEN 1 WHEN 'u' THEN 2 ELSE 3 END,
                       format('    CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid, true))
                  FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'c')
              ) AS lines)) AS sql
       FROM pg_class c
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname NOT IN ${NOT_OURS}
      ORDER BY c.relname COLLATE "C"`,
  ],
  [
    'Owners of sequences',
    `SELECT format('ALTER SEQUENCE %I OWNED BY %I.%I;', c.relname, t.relname, a.attname) AS sql
       FROM pg_depend d
       JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
       JOIN pg_class t ON t.oid = d.refobjid
       JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a'
        AND c.relnamespace = 'public'::regnamespace
      ORDER BY c.relname COLLATE "C"`,
  ],
  [
    'Foreign keys',
    `SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s;', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid, true)) AS sql
       FROM pg_constraint k
      WHERE k.connamespace = 'public'::regnamespace AND k.contype = 'f'
      ORDER BY k.conrelid::regclass::text COLLATE "C", k.conname COLLATE "C"`,
  ],
  [
    'Indexes',
    `SELECT pg_get_indexdef(i.indexrelid, 0, true) || ';' AS sql
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
      WHERE c.relnamespace = 'public'::regnamespace AND t.relname NOT IN ${NOT_OURS}
        AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
      ORDER BY c.relname COLLATE "C"`,
  ],
  [
    'Functions',
    `SELECT rtrim(pg_get_functiondef(p.oid), E'\\n') || E';\\n' AS sql
       FROM pg_proc p
      WHERE p.pronamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
      ORDER BY p.oid::regprocedure::text COLLATE "C"`,
  ],
  [
    'Triggers',
    `SELECT pg_get_triggerdef(t.oid, true) || ';' AS sql
       FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
      WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal
      ORDER BY c.relname COLLATE "C", t.tgname COLLATE "C"`,
  ],
  [
    'Views, in the order in which they were made',
    `SELECT format(E'CREATE VIEW %I AS\\n%s\\n', c.relname, pg_get_viewdef(c.oid, true)) AS sql
       FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'v' ORDER BY c.oid`,
  ],
  [
    'Rights. The role is one for all databases of a server, and may be missing (prisma/README.md)',
    `SELECT sql FROM (
       SELECT 1 AS part, '' AS name, format('GRANT %s ON SCHEMA public TO graft_reader;', a.privilege_type) AS sql
         FROM pg_namespace n, aclexplode(n.nspacl) a
        WHERE n.nspname = 'public' AND a.grantee = to_regrole('graft_reader')
       UNION ALL
       SELECT 2, c.relname, format('GRANT %s ON %I TO graft_reader;', a.privilege_type, c.relname)
         FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = to_regrole('graft_reader')
       UNION ALL
       SELECT 3, p.proname, format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC;', p.oid::regprocedure)
         FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.proacl IS NOT NULL
          AND NOT EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0)
     ) r ORDER BY part, name COLLATE "C", sql COLLATE "C"`,
  ],
  [
    'Comments',
    `SELECT format('COMMENT ON %s %s IS %L;', o.kind, o.name, o.comment) AS sql FROM (
       SELECT c.relname AS relation, 0 AS place, CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind,
              quote_ident(c.relname) AS name, obj_description(c.oid, 'pg_class') AS comment
         FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
       UNION ALL
       SELECT c.relname, a.attnum, 'COLUMN', format('%I.%I', c.relname, a.attname), col_description(c.oid, a.attnum)
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
       UNION ALL
       SELECT p.proname, 0, 'FUNCTION', p.oid::regprocedure::text, obj_description(p.oid, 'pg_proc')
         FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
     ) o WHERE o.comment IS NOT NULL ORDER BY o.relation COLLATE "C", o.place, o.kind, o.name COLLATE "C"`,
  ],
];

/**
 * Returns the schema `public` of a database as SQL that recreates it in an empty one. Equal schemas have equal SQL, in whatever order
 * they were created. pg_dump is not used, because the embedded server lacks it.
 */
export async function dumpSchema(url: string): Promise<string> {
  const results = await runOn(
    url,
    SECTIONS.map(([, query]) => query),
  );
  const sections = SECTIONS.map(([title], index) => {
    const lines = (results[index] ?? []).map((row) => String(row['sql']));
    return `-- ${title}.\n\n${lines.join('\n').trimEnd()}\n`;
  });
  return [HEADER, ...sections].join('\n');
}
