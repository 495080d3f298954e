import { expect, test } from 'vitest';
import { describeConfig, readCoordinatorConfig } from '../../../../services/coordinator/config.ts';
import type { CoordinatorConfig } from '../../../../services/coordinator/config.ts';

function read(settings: Readonly<Record<string, string>>): CoordinatorConfig {
  return readCoordinatorConfig({ DATABASE_URL: 'postgresql://localhost/graft', ...settings });
}

const URI = { GRAFT_MLFLOW_TRACKING_URI: 'https://mlflow.example/tracking/' };

test('mirroring is off without a tracking URI', () => {
  expect(read({}).mlflow).toBeNull();
  expect(read({ GRAFT_MLFLOW_TOKEN: 'secret' }).mlflow).toBeNull();
});

test('settings are parsed, and shown without secrets', () => {
  const config = read({ ...URI, GRAFT_MLFLOW_USERNAME: 'ana', GRAFT_MLFLOW_PASSWORD: 'secret' });
  expect(config.mlflow).toEqual({
    server: {
      trackingUri: 'https://mlflow.example/tracking',
      auth: { kind: 'basic', username: 'ana', password: 'secret' },
      ca: null,
      timeoutMs: 30_000,
    },
    experiment: 'graft',
    intervalMs: 2_000,
  });
  const shown = JSON.stringify(describeConfig(config));
  expect(shown).toContain('https://mlflow.example/tracking');
  expect(shown).not.toContain('secret');
});

test.each([
  [{ GRAFT_MLFLOW_TRACKING_URI: 'mlflow.example:5000' }, /GRAFT_MLFLOW_TRACKING_URI: must be http/],
  [{ GRAFT_MLFLOW_TRACKING_URI: 'https://ana:secret@mlflow.example' }, /without credentials/],
  [{ ...URI, GRAFT_MLFLOW_USERNAME: 'ana' }, /GRAFT_MLFLOW_PASSWORD: is missing/],
  [{ ...URI, GRAFT_MLFLOW_USERNAME: 'ana', GRAFT_MLFLOW_TOKEN: 't' }, /keep one of the two ways/],
  [{ ...URI, GRAFT_MLFLOW_CA_FILE: '/no/such.pem' }, /GRAFT_MLFLOW_CA_FILE: can't be read/],
  [{ ...URI, GRAFT_MLFLOW_CA_FILE: 'package.json' }, /holds no PEM certificate/],
  [{ ...URI, GRAFT_MLFLOW_TRACKING_URL: 'x' }, /GRAFT_MLFLOW_TRACKING_URL: no such setting/],
])('%j is refused', (settings, message) => {
  expect(() => read(settings as Record<string, string>)).toThrow(message);
});
