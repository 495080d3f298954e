/**
 * Settings that change what statements mean or give, fixed in each session. ALTER ROLE and ALTER DATABASE can't undo them, because
 * they are set after the session has begun. They are not sent as startup parameters, most of which PgBouncer refuses.
 *
 * - TimeZone, DateStyle, IntervalStyle: Prisma writes times without a zone, and drops the zone of those it reads.
 * - extra_float_digits: below 1 a double loses digits on its way as text.
 * - array_nulls: off, NULL in an array is the string.
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
  /** Milliseconds; 0: none. */
  readonly statementTimeoutMs: number;
  /** Milliseconds; 0: none. */
  readonly idleInTransactionMs: number;
  /** The only schema of `search_path`; null: the server's. */
  readonly schema: string | null;
}

/** The statement that fixes them, sent before any other one. A setting that the server's version lacks is left out. */
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

/** E'' means the same whatever `standard_conforming_strings` is. */
function literal(value: string): string {
  return `E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
