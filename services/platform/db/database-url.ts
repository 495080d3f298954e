import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { DatabaseSetupError } from './database-setup-error.ts';

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

/** The TLS modes of libpq. */
export type SslMode = (typeof SSL_MODES)[number];

/** Modes that `pg` and Prisma know in addition to libpq's, with their equivalent. */
const OTHER_MODES: Readonly<Record<string, SslMode>> = { 'no-verify': 'require' };

/** Parameters that are interpreted here and hidden from `pg`, which gives some of them another meaning. */
const OWN_PARAMETERS = [
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'ssl',
  'sslnegotiation',
  'uselibpqcompat',
  'schema',
] as const;

export interface DatabaseSsl {
  readonly mode: SslMode;
  /** Path of a PEM file with the CA's certificates; `system` or null selects the well-known authorities. */
  readonly rootCert: string | null;
  /** Paths of the client's certificate and its key, PEM. */
  readonly cert: string | null;
  readonly key: string | null;
  /** true if TLS starts without asking the server first (PostgreSQL 17 or later). */
  readonly isDirect: boolean;
}

export interface DatabaseUrl {
  /** Connection string for `pg`, with user and password, without the parameters interpreted here. */
  readonly connectionString: string;
  /** Schema from `?schema=`; null selects the first existing one of the server's `search_path`. */
  readonly schema: string | null;
  readonly ssl: DatabaseSsl;
}

/**
 * Parses a connection string. TLS parameters have libpq's meaning. They default to libpq's environment variables
 * (PGSSLMODE, PGSSLROOTCERT, PGSSLCERT, PGSSLKEY), then to `prefer` and `~/.postgresql/root.crt`. There are two
 * differences: `verify-full` without a root certificate uses the well-known authorities, as `sslrootcert=system` does,
 * and a Unix socket never uses TLS.
 *
 * @throws {DatabaseSetupError} when the TLS mode does not exist, or gives no protection.
 */
export function parseDatabaseUrl(
  url: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): DatabaseUrl {
  const [base, query] = splitOnce(url, '?');
  const parameters = new URLSearchParams(query);
  const own = new Map(OWN_PARAMETERS.map((name) => [name, parameters.get(name) || null]));
  for (const name of OWN_PARAMETERS) parameters.delete(name);
  const rest = parameters.toString().replaceAll('+', '%20');
  const isSocket = /^postgres(ql)?:\/\/([^/]*@)?%2f/i.test(base) || parameters.get('host')?.startsWith('/') === true;
  const mode = isSocket ? 'disable' : modeOf(own.get('sslmode') ?? null, own.get('ssl') ?? null, env);
  const rootCert = own.get('sslrootcert') ?? env['PGSSLROOTCERT'] ?? defaultRootCert(mode);
  if (rootCert === 'system' && mode.startsWith('verify') && mode !== 'verify-full') throw weakMode(mode);
  if (rootCert === null && mode === 'verify-ca') throw weakMode(mode);
  const schema = own.get('schema') ?? null;
  if (schema?.includes('"') === true) {
    throw new DatabaseSetupError(`schema of DATABASE_URL must not contain the character ". Received: ${schema}.`);
  }
  const isDirect = own.get('sslnegotiation') === 'direct';
  if (isDirect && ['disable', 'allow', 'prefer'].includes(mode)) {
    throw new DatabaseSetupError(
      `sslnegotiation=direct of DATABASE_URL needs sslmode=require, verify-ca or verify-full. Received: sslmode=${mode}.`,
    );
  }
  return {
    connectionString: rest === '' ? base : `${base}?${rest}`,
    schema,
    ssl: {
      mode,
      rootCert,
      cert: own.get('sslcert') ?? env['PGSSLCERT'] ?? null,
      key: own.get('sslkey') ?? env['PGSSLKEY'] ?? null,
      isDirect,
    },
  };
}

/**
 * Returns the TLS options to try, in order; false means without TLS. Each call reads the files again, so the next
 * connection uses a renewed certificate.
 *
 * @throws {DatabaseSetupError} when a file can't be read.
 */
export function sslAttempts(ssl: DatabaseSsl): readonly (ConnectionOptions | false)[] {
  const { mode } = ssl;
  if (mode === 'disable') return [false];
  const files = {
    ...(ssl.cert === null ? {} : { cert: readPem('sslcert', ssl.cert) }),
    ...(ssl.key === null ? {} : { key: readPem('sslkey', ssl.key) }),
  };
  const unverified = { ...files, rejectUnauthorized: false };
  if (mode === 'allow') return [false, unverified];
  if (mode === 'prefer') return [unverified, false];
  const ca = ssl.rootCert === null || ssl.rootCert === 'system' ? null : readPem('sslrootcert', ssl.rootCert);
  if (mode === 'require' && ca === null) return [unverified];
  const verified = ca === null ? files : { ...files, ca };
  // With a root certificate, `require` means `verify-ca`, as in libpq: the certificate is verified, the host name is
  // not.
  return [mode === 'verify-full' ? verified : { ...verified, checkServerIdentity: () => undefined }];
}

/** Describes the TLS settings for messages. */
export function describeSsl({ mode, rootCert }: DatabaseSsl): string {
  return `sslmode=${mode}, sslrootcert=${rootCert ?? 'not set'}`;
}

function modeOf(
  sslmode: string | null,
  ssl: string | null,
  env: Readonly<Record<string, string | undefined>>,
): SslMode {
  const given = sslmode ?? legacyMode(ssl) ?? (env['PGSSLMODE'] || 'prefer');
  const mode = OTHER_MODES[given] ?? SSL_MODES.find((each) => each === given);
  if (mode !== undefined) return mode;
  throw new DatabaseSetupError(
    `sslmode of DATABASE_URL (or PGSSLMODE) must be one of ${SSL_MODES.join(', ')}. Received: ${JSON.stringify(given)}.`,
  );
}

/** Translates `ssl=true`, which `pg` supports in place of `sslmode`; it verifies the certificate. */
function legacyMode(ssl: string | null): string | null {
  if (ssl === null) return null;
  if (ssl === 'true' || ssl === '1') return 'verify-full';
  return ssl === 'false' || ssl === '0' ? 'disable' : ssl;
}

function defaultRootCert(mode: SslMode): string | null {
  if (mode === 'disable' || mode === 'allow' || mode === 'prefer') return null;
  const file = join(homedir(), '.postgresql', 'root.crt');
  return existsSync(file) ? file : null;
}

function weakMode(mode: SslMode): DatabaseSetupError {
  return new DatabaseSetupError(
    `sslmode=${mode} of DATABASE_URL needs sslrootcert=/path/of/ca.crt: with the well-known authorities it would accept anyone's ` +
      'certificate. Name the file of your CA, or use sslmode=verify-full.',
  );
}

function readPem(parameter: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseSetupError(
      `${parameter} of DATABASE_URL can't be read: ${reason}. It must be the path of a PEM file that this process may read; ` +
        `received: ${path}.`,
      { cause: error },
    );
  }
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}
