import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readMigrationStatus } from '../../../services/platform/db/apply-migrations.ts';
import { openClient } from '../../../services/platform/db/database-client.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { TestAuthority } from '../../support/certificates.ts';
import { PostgresServer } from '../../support/postgres-server.ts';

const log = createLogger('test', 'silent');
const folder = mkdtempSync(join(tmpdir(), 'graft-database-tls-'));
const authority = new TestAuthority();
const CA = join(folder, 'ca.crt');
const FOREIGN_CA = join(folder, 'foreign.crt');
let server: PostgresServer;
let plain: PostgresServer;

beforeAll(async () => {
  writeFileSync(CA, authority.certificate);
  writeFileSync(FOREIGN_CA, new TestAuthority('Somebody else').certificate);
  // For a name that is not the one we connect with.
  const { certificate, key } = authority.issue({ names: ['database.example.com'] });
  [server, plain] = await Promise.all([
    PostgresServer.start({
      settings: { ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' },
      files: { 'server.crt': certificate, 'server.key': key },
      hba: [
        'hostssl   only_tls   graft 127.0.0.1/32 trust',
        'hostnossl only_plain graft 127.0.0.1/32 trust',
        'host      either     graft 127.0.0.1/32 trust',
        'host      postgres   graft 127.0.0.1/32 trust',
      ],
    }),
    PostgresServer.start(),
  ]);
  const admin = await openClient({ connectionString: server.url('postgres') });
  for (const name of ['only_tls', 'only_plain', 'either']) await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await plain[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** `tls` or `plain` as the server sees the connection, or the message of the refusal. */
async function connectTo(url: string): Promise<string> {
  try {
    const client = await openClient({ connectionString: url });
    try {
      const { rows } = await client.query<{ ssl: boolean }>('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
      return rows[0]?.ssl === true ? 'tls' : 'plain';
    } finally {
      await client.end();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe('sslmode as libpq has it', () => {
  const REFUSED = /pg_hba\.conf/;
  const UNTRUSTED =
    /certificate of the database is not accepted \(sslmode=verify-[a-z]+, sslrootcert=.*sslrootcert=\/path/s;
  const NO_TLS = /does not offer TLS.*sslmode=(require|verify)/s;

  // Columns: a server that allows both, one that wants TLS, one that refuses it, one that has none.
  test.each([
    ['?application_name=none', 'tls', 'tls', 'plain', 'plain'],
    ['?sslmode=disable', 'plain', REFUSED, 'plain', 'plain'],
    ['?sslmode=allow', 'plain', 'tls', 'plain', 'plain'],
    ['?sslmode=prefer', 'tls', 'tls', 'plain', 'plain'],
    ['?sslmode=require', 'tls', 'tls', REFUSED, NO_TLS],
    ['?sslmode=no-verify', 'tls', 'tls', REFUSED, NO_TLS],
    ['?sslmode=require&sslrootcert=OWN', 'tls', 'tls', REFUSED, NO_TLS],
    ['?sslmode=verify-ca&sslrootcert=OWN', 'tls', 'tls', REFUSED, NO_TLS],
    ['?sslmode=verify-ca&sslrootcert=FOREIGN', UNTRUSTED, UNTRUSTED, UNTRUSTED, NO_TLS],
    ['?sslmode=verify-full', UNTRUSTED, UNTRUSTED, UNTRUSTED, NO_TLS],
    ['?sslmode=verify-full&sslrootcert=OWN', UNTRUSTED, UNTRUSTED, UNTRUSTED, NO_TLS],
  ] as const)('%s', async (given, both, onlyTls, onlyPlain, none) => {
    const parameters = given.replace('=OWN', `=${CA}`).replace('=FOREIGN', `=${FOREIGN_CA}`);
    const urls = [
      server.url('either', parameters),
      server.url('only_tls', parameters),
      server.url('only_plain', parameters),
      plain.url('postgres', parameters),
    ];
    for (const [index, right] of [both, onlyTls, onlyPlain, none].entries()) {
      const found = await connectTo(urls[index] ?? '');
      if (typeof right === 'string') expect(found, urls[index]).toBe(right);
      else expect(found, urls[index]).toMatch(right);
    }
  });

  test('verify-full accepts the name of the certificate, by a pool as well', async () => {
    const issued = authority.issue({ names: ['localhost', '127.0.0.1'] });
    await using named = await PostgresServer.start({
      settings: { ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' },
      files: { 'server.crt': issued.certificate, 'server.key': issued.key },
    });
    const url = named.url('postgres', `?sslmode=verify-full&sslrootcert=${CA}`);
    expect(await connectTo(url)).toBe('tls');
    const pool = createPool(url, { applicationName: 'test', log });
    expect((await pool.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows).toEqual([
      { ssl: true },
    ]);
    await pool.end();
  });

  test('a pool finds out by itself that a server wants TLS, or none', async () => {
    for (const url of [
      server.url('only_tls', '?sslmode=allow'),
      server.url('only_plain', '?sslmode=prefer&application_name=x'),
    ]) {
      const pool = createPool(url, { applicationName: 'test', log, max: 5 });
      const answers = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => pool.query('SELECT $1::int AS n', [n])));
      expect(answers.map(({ rows }) => rows as unknown)).toEqual([1, 2, 3, 4, 5, 6].map((n) => [{ n }]));
      await pool.end();
    }
  });

  test.each([
    [
      '?sslmode=verify-full&sslrootcert=/nowhere/ca.crt',
      /sslrootcert of DATABASE_URL can't be read: ENOENT.*\/nowhere\/ca\.crt/,
    ],
    ['?sslmode=verify-ca', /sslmode=verify-ca of DATABASE_URL needs sslrootcert=/],
    ['?sslmode=verify-ca&sslrootcert=system', /needs sslrootcert=/],
    [
      '?sslmode=on',
      /sslmode of DATABASE_URL.*one of disable, allow, prefer, require, verify-ca, verify-full\. Received: "on"/,
    ],
    ['?sslmode=prefer&sslnegotiation=direct', /sslnegotiation=direct of DATABASE_URL needs sslmode=require/],
  ])('%s is refused by what it lacks', async (parameters, message) => {
    await expect(readMigrationStatus(server.url('either', parameters))).rejects.toThrow(message);
    const pool = createPool(server.url('either', parameters), { applicationName: 'test', log });
    await expect(pool.query('SELECT 1')).rejects.toThrow(message);
    await pool.end();
  });

  test('a certificate authority that is renewed is read by the next connection', async () => {
    const file = join(folder, 'renewed.crt');
    writeFileSync(file, new TestAuthority('The one before').certificate);
    const url = server.url('either', `?sslmode=verify-ca&sslrootcert=${file}`);
    const pool = createPool(url, { applicationName: 'test', log });
    await expect(pool.query('SELECT 1')).rejects.toThrow(`sslrootcert=${file}`);
    writeFileSync(file, authority.certificate);
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await pool.end();
  });
});
