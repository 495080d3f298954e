import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { cleanKey } from '../../../services/platform/mlflow/limits.ts';
import { createTestDatabase, databaseServerStarted } from '../../support/database.ts';
import { startHarness } from '../coordinator/harness.ts';
import type { Harness } from '../coordinator/harness.ts';
import {
  graft,
  mirroredSpec,
  DIVERGED_METRIC,
  paramsOfRecord,
  pointsOfRecord,
  trainWithLoss,
  untilMirrored,
} from './drive-sweep.ts';
import { sortPoints } from './mlflow-record.ts';
import type { Point } from './mlflow-record.ts';
import { ScriptedMlflow } from './scripted-mlflow.ts';
import type { Fault, ScriptedRun } from './scripted-mlflow.ts';

const TIMEOUT_MS = 1_000;
/** Waits for failures to pass are real: 0.5 s and more after each. */
vi.setConfig({ testTimeout: 240_000 });

/** Two runs. */
const SPEC = mirroredSpec({
  parameters: [{ name: 'optimizer.learning_rate', domain: { kind: 'values', values: [0.001, 0.01] }, conditions: [] }],
});

let mlflow: ScriptedMlflow;
beforeEach(async () => {
  await databaseServerStarted();
  mlflow = await ScriptedMlflow.start();
});
afterEach(() => mlflow[Symbol.asyncDispose]());

function env(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    GRAFT_MLFLOW_TRACKING_URI: mlflow.url,
    GRAFT_MLFLOW_TIMEOUT_MS: String(TIMEOUT_MS),
    GRAFT_MLFLOW_INTERVAL_MS: '50',
    ...more,
  };
}

/** Points of the stages as MLflow was sent them, in the form of the record. */
function pointsOf(run: ScriptedRun): Point[] {
  const points = run.points.map(({ key, value, timestamp, step }) => ({
    key,
    step,
    value: Number(value),
    timeMs: timestamp,
  }));
  return sortPoints(points.filter(({ key }) => !/^(best|test)\//.test(key)));
}

async function expectMirrored(harness: Harness, sweepId: string): Promise<void> {
  const runs = await harness.query<{ run_id: string }>('SELECT run_id FROM runs WHERE sweep_id = $1', [sweepId]);
  for (const { run_id } of runs) {
    const mirrored = mlflow.run(run_id);
    const recorded = (await pointsOfRecord(harness, run_id)).map((point) => ({ ...point, key: cleanKey(point.key) }));
    expect(recorded.length).toBeGreaterThan(0);
    expect(pointsOf(mirrored)).toEqual(sortPoints(recorded));
    expect(Object.fromEntries(mirrored.params)).toEqual(await paramsOfRecord(harness, run_id));
    expect(mirrored.status).toBe('FINISHED');
    expect(new Set(mirrored.points.map((point) => JSON.stringify(point))).size).toBe(mirrored.points.length);
  }
}

const HTML = '<!doctype html><title>Bad Gateway</title><h1>502</h1>';
const FAULTS: readonly Fault[] = [
  { kind: 'ANSWER', status: 429, body: '{}', type: 'application/json', retryAfter: '2', applied: false },
  {
    kind: 'ANSWER',
    status: 500,
    body: '{"error_code": "INTERNAL_ERROR", "message": "database is locked"}',
    type: 'application/json',
    applied: true,
  },
  { kind: 'CLOSE', applied: true },
  { kind: 'ANSWER', status: 502, body: HTML, type: 'text/html', applied: false },
  { kind: 'HANG', applied: true },
  { kind: 'ANSWER', status: 200, body: '<form>Sign in</form>', type: 'text/html', applied: true },
  { kind: 'CLOSE', applied: false },
  { kind: 'ANSWER', status: 500, body: HTML, type: 'text/html; charset=utf-8', applied: false },
  { kind: 'HANG', applied: false },
  { kind: 'ANSWER', status: 503, body: '', type: 'text/plain', applied: true },
];

test('a server that answers 429, 500, HTML, closes and hangs has every row once in the end', async () => {
  const waits: { readonly fromMs: number; readonly forMs: number }[] = [];
  const used = new Set<Fault>();
  let [faultCount, nextAt] = [0, 3];
  mlflow.fault = (request, count) => {
    if (count < nextAt) return null;
    const fault = FAULTS[faultCount % FAULTS.length]!;
    used.add(fault);
    // Uneven, or a request that is always the fourth after a failure would never get through.
    nextAt = count + [5, 4, 7, 6, 5, 8, 4][faultCount % 7]!;
    faultCount += 1;
    if (fault.kind === 'ANSWER' && fault.retryAfter !== undefined) {
      waits.push({ fromMs: request.atMs, forMs: Number(fault.retryAfter) * 1000 });
    }
    return fault;
  };
  await using harness = await startHarness({ env: env() });
  const sweepId = await harness.submit(SPEC);
  await trainWithLoss(await harness.trainer('t', 1));
  await untilMirrored(harness);

  expect(await harness.query('SELECT * FROM outbox')).toEqual([]);
  await expectMirrored(harness, sweepId);
  expect(mlflow.run('mirrored').status).toBe('FINISHED');
  expect(used.size).toBe(FAULTS.length);
  const points = mlflow.runs.flatMap((run) => run.points).filter(({ key }) => key === `head/${DIVERGED_METRIC}`);
  expect(points.map(({ value }) => value)).toEqual(expect.arrayContaining(['Infinity', 'NaN']));
  // Requests that were on their way at the moment of the answer are none of the sender's choice.
  const onTheWayMs = 300;
  for (const { fromMs, forMs } of waits) {
    const during = mlflow.requests.filter(({ atMs }) => atMs > fromMs + onTheWayMs && atMs < fromMs + forMs - 50);
    expect(during).toEqual([]);
  }
  expect(waits.length).toBeGreaterThan(0);
});

test('a server that hangs keeps no sweep back; what was measured meanwhile arrives with its own times', async () => {
  mlflow.fault = () => ({ kind: 'HANG', applied: false });
  await using harness = await startHarness({ env: env() });
  const sweepId = await harness.submit(SPEC);
  const trainer = await harness.trainer('t', 1);
  await trainer.workAll();
  const [sweep] = await harness.query<{ state: string }>('SELECT state FROM sweeps');
  expect(sweep?.state).toBe('SUCCEEDED');
  const [waiting] = await harness.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM outbox WHERE kind = 'METRICS' AND dead_time IS NULL`,
  );
  // One entry per run and batch, not one per point.
  expect(waiting?.count).toBe(2 * (5 + 3));
  // The sweep may end before the first request is given up.
  await expect
    .poll(() => harness.sweeps.getMlflowStatus({}), { timeout: 20_000 })
    .toMatchObject({ trackingUri: mlflow.url, errorCode: 'TIMEOUT', deadLetterCount: 0 });
  const status = await harness.sweeps.getMlflowStatus({});
  expect(status.pendingEntryCount).toBeGreaterThan(16);
  expect(status.oldestPendingTime).toBeInstanceOf(Date);
  const [end] = await harness.query<{ ms: number }>(`SELECT extract(epoch FROM now())::float8 * 1000 AS ms`);
  mlflow.fault = () => null;
  await untilMirrored(harness);
  await expectMirrored(harness, sweepId);
  const times = mlflow.runs.flatMap(({ points }) => points.map(({ timestamp }) => timestamp));
  expect(Math.max(...times)).toBeLessThan(end?.ms ?? 0);
  expect(await harness.sweeps.getMlflowStatus({})).toMatchObject({ pendingEntryCount: 0, failureCount: 0 });
});

test('a coordinator that ends between sending and noting it doubles nothing', async () => {
  let harness = await startHarness({ env: env() });
  try {
    const sweepId = await harness.submit(SPEC);
    await (await harness.trainer('t', 1)).workAll();
    await untilMirrored(harness);
    // All is sent. Now the points a second time, with responses that never arrive, and a coordinator that ends while it
    // waits for one.
    const before = new Map(mlflow.runs.map(({ name, points }) => [name, points.length]));
    for (const run of mlflow.runs) run.points.length = 0;
    const hanging = new Promise<void>((resolve) => {
      mlflow.fault = ({ path, json }) => {
        if (path !== 'mlflow/runs/log-batch' || (json['metrics'] as unknown[]).length === 0) return null;
        resolve();
        return { kind: 'HANG', applied: true };
      };
    });
    await harness.sweeps.resendToMlflow({ sweepId });
    await hanging;
    harness = await harness.restart();
    mlflow.fault = () => null;
    await untilMirrored(harness);
    await expectMirrored(harness, sweepId);
    expect(new Map(mlflow.runs.map(({ name, points }) => [name, points.length]))).toEqual(before);
  } finally {
    await harness[Symbol.asyncDispose]();
  }
});

test('a change that MLflow refuses is a dead letter: shown, and sent on request; the rest continues', async () => {
  const refusal = JSON.stringify({ error_code: 'INVALID_PARAMETER_VALUE', message: 'not these parameters' });
  mlflow.fault = ({ path, json }) =>
    path === 'mlflow/runs/log-batch' && (json['params'] as unknown[]).length > 0
      ? { kind: 'ANSWER', status: 400, body: refusal, type: 'application/json', applied: false }
      : null;
  await using harness = await startHarness({ env: env() });
  const sweepId = await harness.submit(SPEC);
  await (await harness.trainer('t', 1)).workAll();
  await untilMirrored(harness);
  const { deadLetters } = await harness.sweeps.listMlflowDeadLetters({ sweepId, pageSize: 0, pageToken: '' });
  expect(deadLetters).toHaveLength(2);
  for (const letter of deadLetters) {
    expect(letter).toMatchObject({ sweepId, kind: 'RUN', errorCode: 'INVALID_PARAMETER_VALUE' });
    expect(letter.errorMessage).toContain('not these parameters');
  }
  // Metrics and states are not kept back by it.
  expect(mlflow.runs.map(({ status }) => status)).toEqual(['FINISHED', 'FINISHED', 'FINISHED']);
  const shown = await graft(harness, 'mlflow', 'status');
  expect(shown).toContain(`server        ${mlflow.url}\nqueued        nothing\nrefused       2;`);
  expect(shown).toMatch(/RUN +\d× +INVALID_PARAMETER_VALUE: .*not these parameters/);
  mlflow.fault = () => null;
  const retried: unknown = JSON.parse(await graft(harness, '--output', 'json', 'mlflow', 'retry'));
  expect(retried).toEqual({ sweep_id: null, entry_count: deadLetters.length });
  await untilMirrored(harness);
  await expectMirrored(harness, sweepId);
  expect(await harness.sweeps.getMlflowStatus({})).toMatchObject({ deadLetterCount: 0, pendingEntryCount: 0 });
});

test('artifacts that clients are to write to a store themselves are refused with what to do', async () => {
  await using s3 = await ScriptedMlflow.start({ artifactRoot: 's3://bucket/mlflow' });
  await using harness = await startHarness({ env: env({ GRAFT_MLFLOW_TRACKING_URI: s3.url }) });
  const sweepId = await harness.submit(SPEC);
  await (await harness.trainer('t', 1)).workAll();
  await untilMirrored(harness);
  const { deadLetters } = await harness.sweeps.listMlflowDeadLetters({ sweepId, pageSize: 0, pageToken: '' });
  expect(deadLetters.map(({ kind }) => kind).sort()).toEqual(['MODEL', 'REPORT']);
  expect(deadLetters[0]).toMatchObject({ errorCode: 'ARTIFACT_STORE', runId: '' });
  expect(deadLetters[0]?.errorMessage).toContain('--serve-artifacts');
  expect(s3.run('mirrored').status).toBe('FINISHED');
});

test('a deleted experiment keeps one sweep back, and no other', async () => {
  await using harness = await startHarness({ env: env() });
  mlflow.experiments.set('gone', { id: '77', isDeleted: true });
  const lost = await harness.submit({
    ...SPEC,
    displayName: 'lost',
    mlflow: { experiment: 'gone', registerModel: '' },
  });
  const sound = await harness.submit({ ...SPEC, seed: 2 });
  await (await harness.trainer('t', 1)).workAll();
  const finished = async (): Promise<boolean> => {
    const [row] = await harness.query<{ left: number }>(
      'SELECT count(*)::int AS left FROM outbox WHERE sweep_id = $1',
      [sound],
    );
    return row?.left === 0;
  };
  while (!(await finished())) await harness.coordinator.loops.passes();
  await expectMirrored(harness, sound);
  const { deadLetters } = await harness.sweeps.listMlflowDeadLetters({ sweepId: lost, pageSize: 0, pageToken: '' });
  expect(deadLetters[0]).toMatchObject({ kind: 'SWEEP', errorCode: 'EXPERIMENT_DELETED' });
  mlflow.experiments.get('gone')!.isDeleted = false;
  await harness.sweeps.retryMlflowDeadLetters({ sweepId: lost });
  await untilMirrored(harness);
  await expectMirrored(harness, lost);
});

test('a sweep that is older than the mirror is sent when a person asks for it, and only once', async () => {
  await using database = await createTestDatabase();
  const sweepId = await withoutMirror(database.url);
  // The store of the previous coordinator is removed.
  await using harness = await startHarness({
    databaseUrl: database.url,
    env: { ...env(), GRAFT_COORDINATOR_ADOPT_STORE: 'on' },
  });
  for (let times = 0; times < 2; times += 1) {
    expect(await graft(harness, 'mlflow', 'resend', sweepId)).toContain('changes are queued');
    await untilMirrored(harness);
  }
  await expectMirrored(harness, sweepId);
  expect(mlflow.runs).toHaveLength(3);
  // So is the checkpoint.
  const { deadLetters } = await harness.sweeps.listMlflowDeadLetters({ sweepId, pageSize: 0, pageToken: '' });
  expect(deadLetters.map(({ kind, errorCode }) => [kind, errorCode])).toEqual([['MODEL', 'ARTIFACT_MISSING']]);
});

async function withoutMirror(databaseUrl: string): Promise<string> {
  await using harness = await startHarness({ databaseUrl });
  const sweepId = await harness.submit(SPEC);
  await trainWithLoss(await harness.trainer('t', 1));
  expect(await harness.query('SELECT * FROM outbox')).toEqual([]);
  await expect(harness.sweeps.resendToMlflow({ sweepId })).rejects.toThrow(/GRAFT_MLFLOW_TRACKING_URI/);
  expect(await harness.sweeps.getMlflowStatus({})).toMatchObject({ trackingUri: '', pendingEntryCount: 0 });
  return sweepId;
}
