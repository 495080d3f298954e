import { describe, expect, it } from 'vitest';
import { describeConfig, readCoordinatorConfig } from '../../../services/coordinator/config.ts';
import { ConfigError } from '../../../services/platform/config/read-config.ts';

const DATABASE_URL = 'postgresql://graft:hunter2@db:5432/graft';
const TLS = { GRAFT_COORDINATOR_TLS_CERT: '/tls.crt', GRAFT_COORDINATOR_TLS_KEY: '/tls.key' };

function read(env: Readonly<Record<string, string>>) {
  return readCoordinatorConfig({ DATABASE_URL, ...env });
}

function problemsOf(env: Readonly<Record<string, string>>): string {
  try {
    read(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.join('\n');
  }
  return 'no problem';
}

describe('the gRPC port', () => {
  it.each(['127.0.0.1:0', '127.3.2.1:50051', 'localhost:50051', '[::1]:50051'])(
    'needs no protection on %s',
    (listen) => {
      expect(read({ GRAFT_COORDINATOR_LISTEN: listen }).security).toMatchObject({ tls: null, needsTokens: false });
    },
  );

  it.each(['0.0.0.0:50051', '[::]:50051', '10.1.2.3:50051', 'coordinator.example:50051', '128.0.0.1:1'])(
    'needs TLS and tokens on %s, and the refusal names the settings',
    (listen) => {
      const env = { GRAFT_COORDINATOR_LISTEN: listen };
      const text = problemsOf(env);
      expect(text).toContain(`GRAFT_COORDINATOR_LISTEN: ${listen} can be reached from other machines`);
      for (const setting of ['_TLS_CERT', '_TLS_KEY', '_TOKENS=on', '_INSECURE=on']) {
        expect(text).toContain(`GRAFT_COORDINATOR${setting}`);
      }
      expect(problemsOf({ ...env, GRAFT_COORDINATOR_TOKENS: 'on' })).toMatch(/needs TLS \(set/);
      expect(problemsOf({ ...env, ...TLS, GRAFT_COORDINATOR_TOKENS: 'off' })).toMatch(/needs tokens \(set/);
      expect(read({ ...env, ...TLS }).security).toMatchObject({ needsTokens: true, tls: { clientCa: null } });
      expect(read({ ...env, GRAFT_COORDINATOR_INSECURE: 'on' }).security).toMatchObject({
        tls: null,
        needsTokens: false,
      });
    },
  );

  it('has both a certificate and its key, or neither', () => {
    expect(problemsOf({ GRAFT_COORDINATOR_TLS_CERT: '/tls.crt' })).toMatch(/^GRAFT_COORDINATOR_TLS_KEY: /);
    expect(problemsOf({ GRAFT_COORDINATOR_TLS_CLIENT_CA: '/ca.crt' })).toMatch(/^GRAFT_COORDINATOR_TLS_CERT: /);
  });
});

describe('the password of the database', () => {
  it('is in no error and no description', () => {
    expect(JSON.stringify(describeConfig(read({})))).not.toContain('hunter2');
    const text = problemsOf({ DATABASE_URL: 'mysql://graft:hunter2@db/graft' });
    expect(text).toMatch(/^DATABASE_URL: must begin with postgresql:\/\/\. Received: 30 characters that are not shown/);
  });
});
