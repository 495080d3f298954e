/**
 * Settings that change the meaning or the results of statements, fixed in each session. ALTER ROLE and ALTER DATABASE
 * can't override them, because they are set after the session has started. They are not sent as startup parameters,
 * most of which PgBouncer refuses.
 *
 * - TimeZone, DateStyle, IntervalStyle: Prisma writes times without a zone, and drops the zone of those it reads.
 * - extra_float_digits: below 1, a double loses digits in its text format.
 * - array_nulls: if off, NULL in an array is a string.
 * - default_transaction_…: a statement outside a transaction is READ COMMITTED and may write.
 * - …_timeout: a session that waits for notifications may be idle, and a long transaction may be long.
 */
const FIXED: Readonly<Record<string, string>> = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
  array_nulls: 'on',
  standard_conforming_strings: 'on',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
  lock_timeout: '0',
  transaction_timeout: '0',
  idle_session_timeout: '0',
};

export interface SessionLimits {
  /** Milliseconds; 0 disables the limit. */
  readonly statementTimeoutMs: number;
  /** Milliseconds; 0 disables the limit. */
  readonly idleInTransactionMs: number;
  /** The only schema of `search_path`; null keeps the server's setting. */
  readonly schema: string | null;
}

/**
 * Returns the statement that fixes the settings, sent before any other. Settings that the server's version lacks are
 * skipped.
 */
export function sessionSettings({ statementTimeoutMs, idleInTransactionMs, schema }: SessionLimits): string {
  const settings = {
    ...FIXED,
    statement_timeout: String(statementTimeoutMs),
    idle_in_transaction_session_timeout: String(idleInTransactionMs),
    ...(schema === null ? {} : { search_path: `"${schema.replaceAll('"', '""')}"` }),
  };
  const rows = Object.entries(settings).map(([name, value]) => `('${name}', ${literal(value)})`);
  return `SELECT set_config(s.name, v.value, false) FROM (VALUES ${rows.join(', ')}) v (name, value) JOIN pg_settings s USING (name)`;
}

/** Quotes a string as E'', whose meaning does not depend on `standard_conforming_strings`. */
function literal(value: string): string {
  return `E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
