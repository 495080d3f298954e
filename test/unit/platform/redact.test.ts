import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { newToken } from '../../../services/coordinator/new-token.ts';
import { Secret } from '../../../services/platform/config/secret.ts';
import { redact } from '../../../services/platform/telemetry/redact.ts';

const TOKEN = newToken().secret;

/** Content of a log line, and the part of it that must not appear in the file. */
const SECRETS: readonly (readonly [string, unknown, string])[] = [
  ['a token by name', { token: 'abcdefgh' }, 'abcdefgh'],
  ['a token deep inside', { config: { mlflow: { server: { auth: { token: 'abcdefgh' } } } } }, 'abcdefgh'],
  ['a token in a string', { reason: `received '${TOKEN}' twice` }, TOKEN.slice(6)],
  [
    'a header',
    { headers: { authorization: `Bearer ${TOKEN}`, Authorization: 'Basic YW5hOnNlY3JldA==' } },
    'YW5hOnNlY3JldA',
  ],
  ['a header in a string', { reason: 'sent Authorization: Basic YW5hOnNlY3JldA==' }, 'YW5hOnNlY3JldA'],
  ['a password with quotes in it', { password: 'a"b\\c' }, 'b\\\\c'],
  ['DATABASE_URL', { databaseUrl: 'postgresql://graft:hunter2@db:5432/graft?sslmode=require' }, 'hunter2'],
  ['DATABASE_URL with signs in its password', { url: 'postgresql://graft:p@s:w0rd@db/graft' }, 'w0rd'],
  ['an address in an error', { err: { message: 'connect postgres://graft:hunter2@db failed' } }, 'hunter2'],
  ['keywords of libpq', { dsn: "host=db user=graft password='hunter 2' dbname=graft" }, 'hunter 2'],
  [
    'keys of AWS',
    { env: { AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI' }, credentials: { secretAccessKey: 'wJalrXUtnFEMI' } },
    'wJalrXUtnFEMI',
  ],
  ['the session token of AWS', { credentials: { sessionToken: 'FwoGZXIvYXdzE' } }, 'FwoGZXIvYXdzE'],
  [
    'a signed address',
    { uri: 'https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIAX%2F1&X-Amz-Signature=0badc0de' },
    '0badc0de',
  ],
];

describe('redact', () => {
  it.each(SECRETS)('redacts %s, and the line remains JSON', (_what, fields, secret) => {
    const line = JSON.stringify(fields);
    expect(line).toContain(secret);
    const written = redact(line);
    expect(written).not.toContain(secret);
    expect(written).toContain('[redacted]');
    expect(() => JSON.parse(written) as unknown).not.toThrow();
  });

  it('leaves everything else unchanged', () => {
    const line = JSON.stringify({
      token_id: 't123456789',
      token_name: 'ana',
      page: 'https://example.com:8080/a@b?c=d',
      database: 'postgresql://db:5432/graft',
      reason: 'set GRAFT_TOKEN or GRAFT_TOKEN_FILE; the bearer of a token',
      artifact: 's3://bucket/path@2x.png',
    });
    expect(redact(line)).toBe(line);
  });
});

describe('redact on long lines', () => {
  it.each([['password'], ['a.'], ['"token'], ['x://a:'], ['Bearer '], ['\\\\"']])('takes linear time: %s', (piece) => {
    // Processor time, and the least of several: other work on the machine must not count.
    const leastTime = (length: number): number => {
      const line = piece.repeat(length / piece.length);
      const times = Array.from({ length: 5 }, () => {
        const before = process.cpuUsage();
        redact(line);
        return process.cpuUsage(before).user / 1_000;
      });
      return Math.min(...times);
    };
    leastTime(100_000);
    // Quadratic time would be 256 times as long.
    expect(leastTime(1_600_000)).toBeLessThan(100 * Math.max(1, leastTime(100_000)));
  });
});

describe('the log of a service', () => {
  it('contains no secret, whatever is logged', () => {
    const logger = new URL('../../../services/platform/telemetry/logger.ts', import.meta.url).href;
    const script = `
      const { createLogger } = await import(${JSON.stringify(logger)});
      const log = createLogger('test').child({ child: { token: 'child-secret' } });
      for (const fields of ${JSON.stringify(SECRETS.map(([, fields]) => fields))}) log.info(fields, 'logged');
      log.error({ err: new Error('postgresql://graft:hunter2@db/graft refused ${TOKEN}') }, 'Bearer ${TOKEN}');
    `;
    const root = fileURLToPath(new URL('../../..', import.meta.url));
    const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      cwd: root,
      encoding: 'utf8',
    });
    const lines = child.stderr.trim().split('\n');
    expect(lines).toHaveLength(SECRETS.length + 1);
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ service: 'test', child: { token: '[redacted]' } });
    for (const secret of [...SECRETS.map(([, , text]) => text), 'child-secret', TOKEN.slice(6)]) {
      expect(child.stderr).not.toContain(secret);
    }
  });
});

describe('a secret', () => {
  it('is exposed by reveal only', () => {
    const secret = new Secret(TOKEN);
    const shown = [secret.toString(), JSON.stringify({ secret }), inspect({ secret }), inspect(secret)];
    for (const text of shown) {
      expect(text).not.toContain(TOKEN.slice(6));
      expect(text).toContain('[redacted]');
    }
    expect(secret.reveal()).toBe(TOKEN);
  });
});
