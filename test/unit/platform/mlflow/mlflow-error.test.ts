import { describe, expect, test } from 'vitest';
import { backOffMs, MAX_SERVER_WAIT_MS } from '../../../../services/coordinator/loops/mlflow/back-off.ts';
import { artifactPath, artifactSource } from '../../../../services/platform/mlflow/artifact-path.ts';
import { errorOfAnswer, parseRetryAfter } from '../../../../services/platform/mlflow/mlflow-error.ts';
import type { FailureKind } from '../../../../services/platform/mlflow/mlflow-error.ts';

const NOW_MS = Date.parse('2026-03-01T10:00:00Z');
const REQUEST = 'POST https://mlflow.example/api/2.0/mlflow/runs/create';

function answer(status: number, type: string, body: string, headers: Record<string, string> = {}) {
  return errorOfAnswer({ request: REQUEST, status, headers: { 'content-type': type, ...headers }, body }, NOW_MS);
}

/** Statuses by code, from `ERROR_CODE_TO_HTTP_STATUS` of mlflow/exceptions.py. */
const CODES: readonly (readonly [code: string, status: number, kind: FailureKind])[] = [
  ['INVALID_PARAMETER_VALUE', 400, 'REFUSED'],
  ['BAD_REQUEST', 400, 'REFUSED'],
  ['RESOURCE_ALREADY_EXISTS', 400, 'REFUSED'],
  ['RESOURCE_DOES_NOT_EXIST', 404, 'REFUSED'],
  ['ENDPOINT_NOT_FOUND', 404, 'REFUSED'],
  ['UNAUTHENTICATED', 401, 'UNAVAILABLE'],
  ['CUSTOMER_UNAUTHORIZED', 401, 'UNAVAILABLE'],
  ['PERMISSION_DENIED', 403, 'FAILED'],
  ['ABORTED', 409, 'FAILED'],
  ['RESOURCE_CONFLICT', 409, 'FAILED'],
  ['REQUEST_LIMIT_EXCEEDED', 429, 'UNAVAILABLE'],
  ['RESOURCE_EXHAUSTED', 429, 'UNAVAILABLE'],
  ['CANCELLED', 499, 'FAILED'],
  ['INTERNAL_ERROR', 500, 'FAILED'],
  ['INVALID_STATE', 500, 'FAILED'],
  ['DATA_LOSS', 500, 'FAILED'],
  ['NOT_IMPLEMENTED', 501, 'REFUSED'],
  ['TEMPORARILY_UNAVAILABLE', 503, 'UNAVAILABLE'],
  ['DEADLINE_EXCEEDED', 504, 'FAILED'],
];

describe('the kind of a failure', () => {
  test.each(CODES)('%s (%d) is %s', (code, status, kind) => {
    const error = answer(status, 'application/json', JSON.stringify({ error_code: code, message: 'why' }));
    expect(error).toMatchObject({ kind, code });
    expect(error.message).toBe(`${REQUEST} answered ${status} ${code}: why`);
  });

  test.each([
    [200, 'UNAVAILABLE', 'GRAFT_MLFLOW_TRACKING_URI'],
    [302, 'UNAVAILABLE', 'to https://login.example'],
    [401, 'UNAVAILABLE', 'GRAFT_MLFLOW_TOKEN'],
    [403, 'UNAVAILABLE', '--allowed-hosts'],
    [404, 'UNAVAILABLE', 'GRAFT_MLFLOW_TRACKING_URI'],
    [408, 'UNAVAILABLE', ''],
    [413, 'REFUSED', 'larger bodies'],
    [429, 'UNAVAILABLE', ''],
    [500, 'FAILED', ''],
    [502, 'UNAVAILABLE', ''],
    [503, 'UNAVAILABLE', ''],
    [504, 'UNAVAILABLE', ''],
  ] as const)('HTML with status %d is %s', (status, kind, hint) => {
    const error = answer(status, 'text/html', '<h1>Sign  in</h1>\n', { location: 'https://login.example' });
    expect(error).toMatchObject({ kind, code: `HTTP_${status}` });
    expect(error.message).toContain('text/html instead of JSON: Sign in');
    expect(error.message).toContain(hint);
  });

  test('JSON without an error code is not an error of MLflow', () => {
    expect(answer(429, 'application/json', '{"detail": "slow down"}')).toMatchObject({ code: 'HTTP_429' });
    expect(answer(500, 'application/json', '{"error_code"')).toMatchObject({ code: 'HTTP_500', kind: 'FAILED' });
  });
});

test.each([
  [undefined, null],
  ['', null],
  ['soon', null],
  ['0', 0],
  ['7', 7_000],
  ['Sun, 01 Mar 2026 10:00:30 GMT', 30_000],
  ['Sun, 01 Mar 2026 09:59:00 GMT', 0],
  ['99999999', 3_600_000],
])('Retry-After %j is %j ms', (text, expected) => {
  expect(parseRetryAfter(text, NOW_MS)).toBe(expected);
  expect(answer(429, 'text/plain', '', text === undefined ? {} : { 'retry-after': text }).retryAfterMs).toBe(expected);
});

test('delays double up to the limit, with jitter, and are never shorter than requested', () => {
  expect([1, 2, 3, 4].map((count) => backOffMs(count, MAX_SERVER_WAIT_MS, null, 1))).toEqual([1000, 2000, 4000, 8000]);
  expect(backOffMs(1, MAX_SERVER_WAIT_MS, null, 0)).toBe(500);
  expect(backOffMs(1000, MAX_SERVER_WAIT_MS, null, 1)).toBe(60_000);
  expect(backOffMs(1, MAX_SERVER_WAIT_MS, 90_000, 0.5)).toBe(90_000);
});

describe('artifacts', () => {
  const uri = 'https://mlflow.example:8443/tracking';

  test('go through the server', () => {
    expect(artifactPath('mlflow-artifacts:/1/ab/artifacts', 'model/a b.txt', uri)).toBe(
      '1/ab/artifacts/model/a%20b.txt',
    );
    expect(artifactPath('mlflow-artifacts://mlflow.example:8443/1/ab', 'x', uri)).toBe('1/ab/x');
    expect(artifactSource('mlflow-artifacts:/1/ab/artifacts/', 'model')).toBe('mlflow-artifacts:/1/ab/artifacts/model');
  });

  test.each([
    's3://bucket/1/ab',
    'file:///var/mlruns/1/ab',
    '/var/mlruns/1/ab',
    'mlflow-artifacts://other.example/1/ab',
  ])('%s is refused', (artifactUri) => {
    expect(() => artifactPath(artifactUri, 'x', uri)).toThrow(
      expect.objectContaining({ kind: 'REFUSED', code: 'ARTIFACT_STORE' }) as Error,
    );
  });
});
