import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { newToken } from '../../../services/coordinator/new-token.ts';
import { connectionOf, withoutConnectionSettings } from '../../../services/cli/context/connection-options.ts';
import { ConfigError } from '../../../services/platform/config/read-config.ts';
import { clientSecurity } from '../../../services/platform/rpc/security/client-security.ts';
import { tokenSource } from '../../../services/platform/rpc/security/token-source.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { readTrainerConfig } from '../../../services/trainer/config.ts';

const log = createLogger('test', 'silent');
const TOKEN = newToken().secret;
const folder = mkdtempSync(join(tmpdir(), 'graft-connection-'));
afterAll(() => rmSync(folder, { recursive: true }));

function problemsOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.join('\n');
    throw error;
  }
  return 'no problem';
}

describe('settings of a connection', () => {
  it('are the same for trainers and the CLI, whose options take precedence', () => {
    const env = { GRAFT_TLS_CA: '/ca.crt', GRAFT_TLS_CERT: '/c.crt', GRAFT_TLS_KEY: '/c.key', GRAFT_TOKEN: TOKEN };
    expect(readTrainerConfig(env).connection).toEqual(connectionOf(env, {}));
    expect(connectionOf(env, { tlsCa: 'public', tokenFile: '/token', insecure: true })).toEqual({
      tls: { ca: 'public', identity: { certificate: '/c.crt', key: '/c.key' }, serverName: null },
      token: { file: '/token' },
      isInsecureAllowed: true,
    });
    expect(connectionOf({}, {})).toEqual({ tls: null, token: null, isInsecureAllowed: false });
  });

  it.each([
    [{ GRAFT_TLS_CA: 'x', GRAFT_TLS_CERT: 'x' }, /^GRAFT_TLS_KEY: must be set together with GRAFT_TLS_CERT/],
    [{ GRAFT_TLS_CERT: 'x', GRAFT_TLS_KEY: 'x' }, /^GRAFT_TLS_CA: must be set for TLS/],
    [{ GRAFT_TLS_SERVER_NAME: 'x' }, /^GRAFT_TLS_CA: must be set for TLS/],
    [{ GRAFT_TOKEN: TOKEN, GRAFT_TOKEN_FILE: 'x' }, /^GRAFT_TOKEN: must not be set together with GRAFT_TOKEN_FILE/],
    [{ GRAFT_TLS_CAA: 'x' }, /^GRAFT_TLS_CAA: no such setting/],
  ])('are refused where they contradict each other: %o', (env, text) => {
    expect(problemsOf(() => connectionOf(env, {}))).toMatch(text);
    expect(problemsOf(() => readTrainerConfig(env))).toMatch(text);
  });

  it('never show a token, even a mistyped one', () => {
    const mistyped = TOKEN.slice(0, -1);
    const text = problemsOf(() => connectionOf({ GRAFT_TOKEN: mistyped }, {}));
    expect(text).toContain('GRAFT_TOKEN: must be a token');
    expect(text).toContain('48 characters; a token has 49');
    expect(text).not.toContain(mistyped.slice(6));
    expect(JSON.stringify(readTrainerConfig({ GRAFT_TOKEN: TOKEN }))).not.toContain(TOKEN.slice(6));
  });

  it('are refused for the cluster of `graft up`, which does not use them', () => {
    const env = {
      GRAFT_TLS_CA: 'x',
      GRAFT_TOKEN: 'x',
      GRAFT_TOKEN_FILE: 'x',
      GRAFT_INSECURE: 'on',
      GRAFT_COORDINATOR_TLS_CERT: 'x',
      GRAFT_COORDINATOR_TOKENS: 'on',
      GRAFT_COORDINATOR_KEEP_BEST: '3',
      PATH: '/bin',
    };
    expect(withoutConnectionSettings(env)).toEqual({ GRAFT_COORDINATOR_KEEP_BEST: '3', PATH: '/bin' });
  });
});

describe('a token without TLS', () => {
  const withToken = connectionOf({ GRAFT_TOKEN: TOKEN }, {});

  it.each(['127.0.0.1:1', 'localhost:1', '[::1]:1', 'dns:///localhost:1', 'unix:/run/graft.sock'])(
    'may go to %s',
    (address) => expect(clientSecurity(withToken, [address], log).token()).toBe(TOKEN),
  );

  it.each(['10.0.0.1:1', 'gpu:50051', 'dns:///gpu:50051', '[fd00::1]:1', 'localhost.evil.com:1', '127.evil.com:1'])(
    'may not go to %s, unless that is allowed',
    (address) => {
      const text = problemsOf(() => clientSecurity(withToken, ['127.0.0.1:1', address], log));
      expect(text).toContain(`the token would be sent unencrypted to ${address}`);
      expect(text).toMatch(/--insecure or GRAFT_INSECURE=on/);
      expect(text).not.toContain(TOKEN.slice(6));
      const allowed = connectionOf({ GRAFT_TOKEN: TOKEN, GRAFT_INSECURE: 'on' }, {});
      expect(clientSecurity(allowed, [address], log).token()).toBe(TOKEN);
    },
  );
});

describe('a file with a token', () => {
  it('is read again when it changes; while it is unusable, the last token stays', () => {
    const file = join(folder, 'token');
    const next = newToken().secret;
    let now = 0;
    writeFileSync(file, `${TOKEN}\n`);
    const source = tokenSource({ file }, log, () => now);
    writeFileSync(file, next.slice(0, 20));
    expect(source()).toBe(TOKEN);
    now += 1_000;
    expect(source()).toBe(TOKEN);
    rmSync(file);
    now += 1_000;
    expect(source()).toBe(TOKEN);
    writeFileSync(file, next);
    now += 1_000;
    expect(source()).toBe(next);
  });

  it('must contain one at the start, and an error does not reveal its content', () => {
    const file = join(folder, 'other');
    expect(problemsOf(() => tokenSource({ file }, log))).toMatch(/^GRAFT_TOKEN_FILE: .*other does not exist\./);
    writeFileSync(file, 'hunter2');
    const text = problemsOf(() => tokenSource({ file }, log));
    expect(text).toMatch(
      /other must have a token and nothing else\. Received: 7 characters that do not begin with graft_/,
    );
    expect(text).not.toContain('hunter2');
  });
});
