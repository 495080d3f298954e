import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestContext } from 'vitest';
import { createStore } from '../../../services/coordinator/store/store.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { insertSampleSearch, SEARCH_SWEEP } from '../../support/sample-search.ts';
import { startHarness } from '../coordinator/harness.ts';
import { mirroredSpec, paramsOfRecord, pointsOfRecord, untilMirrored } from './drive-sweep.ts';
import { Forwarder } from './forwarder.ts';
import { MlflowReader } from './mlflow-record.ts';
import type { MlflowRunRecord } from './mlflow-record.ts';
import { MlflowServerProcess } from './mlflow-server.ts';
import { mlflowVenv } from './mlflow-venv.ts';
import type { PythonVenv } from '../../support/python-venv.ts';

const log = createLogger('test', 'silent');
let venv: PythonVenv;
let folder: string;
let server: MlflowServerProcess | null = null;

beforeAll(async () => {
  venv = await mlflowVenv();
  folder = await mkdtemp(join(tmpdir(), 'graft-mlflow-test-'));
  if (!('python' in venv)) return;
  server = await MlflowServerProcess.create(venv.python, folder);
  await server.start();
}, 600_000);
afterAll(async () => {
  await server?.kill();
  await rm(folder, { recursive: true, force: true });
});

/** The running server, or the test is skipped with the reason. */
function needServer(context: TestContext): MlflowServerProcess {
  if (server !== null) return server;
  context.skip(`no MLflow on this machine: ${'reason' in venv ? venv.reason : 'it did not start'}`);
  throw new Error('unreachable');
}

interface Tags {
  readonly addTags: string[];
  readonly removeTags: string[];
}

function settings(url: string, experiment: string): Record<string, string> {
  return {
    GRAFT_MLFLOW_TRACKING_URI: url,
    GRAFT_MLFLOW_EXPERIMENT: experiment,
    GRAFT_MLFLOW_TIMEOUT_MS: '10000',
    GRAFT_MLFLOW_INTERVAL_MS: '50',
  };
}

test('after a sweep with MLflow killed twice, the server has every row once, and files and model', async (context) => {
  const mlflow = needServer(context);
  let isUp = true;
  let batchCount = 0;
  const restarts: Promise<void>[] = [];
  const killAndRestart = async (): Promise<void> => {
    await mlflow.kill();
    restarts.push(
      mlflow.start().then(() => {
        isUp = true;
      }),
    );
  };
  // The first time MLflow has written the batch and its answer is lost; the second time the batch never arrives.
  await using forwarder = await Forwarder.start(mlflow.url, ({ path }) => {
    // What is tried while the server is down fails by itself; it must not be killed while it starts.
    if (!isUp || !path.endsWith('/runs/log-batch')) return { fate: 'PASS' };
    batchCount += 1;
    if (batchCount !== 6 && batchCount !== 8) return { fate: 'PASS' };
    isUp = false;
    return { fate: batchCount === 6 ? 'LOSE_ANSWER' : 'LOSE', after: killAndRestart };
  });
  await using harness = await startHarness({ env: settings(forwarder.url, 'killed twice') });
  const trainer = await harness.trainer('mirrored', 1);
  const spec = mirroredSpec({
    mlflow: { experiment: '', registerModel: 'cats-dogs' },
    objective: { metric: 'val_macro_f1', goal: 'maximize' },
  });
  const sweepId = await harness.submit(spec);
  await trainer.workAll();
  const [sweep] = await harness.query<{ state: string; start: number; end: number }>(
    `SELECT state, floor(extract(epoch FROM create_time) * 1000)::float8 AS start,
            floor(extract(epoch FROM end_time) * 1000)::float8 AS end FROM sweeps WHERE sweep_id = $1`,
    [sweepId],
  );
  expect(sweep?.state).toBe('SUCCEEDED');
  await untilMirrored(harness);
  expect(restarts).toHaveLength(2);
  await Promise.all(restarts);

  const dead = await harness.query('SELECT kind, error_code, error_message FROM outbox');
  expect(dead).toEqual([]);
  const reader = new MlflowReader(mlflow.url);
  const all = await reader.runs('killed twice');
  const parents = all.filter(({ tags }) => tags['mlflow.parentRunId'] === undefined);
  expect(parents).toHaveLength(1);
  const [parent] = parents;
  expect(parent).toMatchObject({
    name: 'mirrored',
    status: 'FINISHED',
    startMs: sweep?.start,
    endMs: sweep?.end,
    tags: { 'graft.sweep_id': sweepId, 'graft.state': 'SUCCEEDED', 'graft.objective': 'maximize val_macro_f1' },
  });
  const runs = await harness.query<{ run_id: string; digest: string }>(
    `SELECT r.run_id, d.digest FROM runs r JOIN sweeps s USING (sweep_id) JOIN datasets d USING (dataset_id)
      WHERE sweep_id = $1 ORDER BY run_id`,
    [sweepId],
  );
  const nested = all.filter(({ tags }) => tags['mlflow.parentRunId'] === parent?.mlflowRunId);
  expect(nested.map(({ name }) => name).sort()).toEqual(runs.map(({ run_id }) => run_id));
  expect(all).toHaveLength(runs.length + 1);
  for (const { run_id, digest } of runs) {
    const mirrored = nested.find(({ name }) => name === run_id)!;
    expect(mirrored.status).toBe('FINISHED');
    expect(mirrored.tags).toMatchObject({ 'graft.end_cause': 'ALL_EPOCHS', 'graft.rung': '' });
    expect(mirrored.params).toEqual(await paramsOfRecord(harness, run_id));
    expect(mirrored.inputs).toEqual([{ name: 'animals', digest: digest.slice(0, 32) }]);
    const points = await reader.points(mirrored);
    const recorded = await pointsOfRecord(harness, run_id);
    expect(recorded.length).toBe((5 + 3) * 6);
    expect(points.filter(({ key }) => !/^(best|test)\//.test(key))).toEqual(recorded);
    const [best] = await harness.query<{ best_value: number; best_val_loss: number; best_epoch: number }>(
      'SELECT best_value, best_val_loss, best_epoch FROM runs WHERE run_id = $1',
      [run_id],
    );
    // The value that ranks the run.
    expect(points.filter(({ key }) => key === 'best/val_macro_f1')).toMatchObject([
      { step: best?.best_epoch, value: best?.best_value },
    ]);
    expect(points.filter(({ key }) => key === 'best/val_loss')).toMatchObject([
      { step: best?.best_epoch, value: best?.best_val_loss },
    ]);
  }
  // Winner and baseline were tested.
  const tested = await harness.query<{
    run_id: string;
    role: string;
    accuracy: number;
    macro_f1: number;
    balanced_accuracy: number;
    checkpoint_id: string;
  }>('SELECT run_id, role, accuracy, macro_f1, balanced_accuracy, checkpoint_id FROM test_results ORDER BY role');
  expect(tested.length).toBeGreaterThan(0);
  for (const { run_id, role, accuracy, macro_f1, balanced_accuracy } of tested) {
    const mirrored = nested.find(({ name }) => name === run_id)!;
    expect(mirrored.tags['graft.test_role']).toBe(role);
    const points = await reader.points(mirrored);
    for (const [key, value] of Object.entries({ accuracy, macro_f1, balanced_accuracy })) {
      expect(points.filter((point) => point.key === `test/${key}`)).toMatchObject([{ step: 0, value }]);
    }
  }

  // The report with the sweep; the best checkpoint with the best run, and as a version of the registered model.
  expect(await reader.artifacts(parent!)).toEqual(['report.html']);
  expect((await reader.artifact(parent!, 'report.html')).toString()).toContain('</html>');
  expect(parent?.tags['mlflow.note.content']).toContain('90.0 % (69.9 % to 97.2 %)');
  const { run_id: winnerId, checkpoint_id: checkpointId } = tested.find(({ role }) => role === 'WINNER')!;
  const winner = nested.find(({ name }) => name === winnerId)!;
  expect(await reader.artifacts(winner, 'model')).toEqual(['model/MLmodel', 'model/checkpoint.safetensors']);
  const [checkpoint] = await harness.query<{ sha256: string }>(
    'SELECT sha256 FROM checkpoints WHERE checkpoint_id = $1',
    [checkpointId],
  );
  const bytes = await reader.artifact(winner, 'model/checkpoint.safetensors');
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(checkpoint?.sha256);
  const versions = await reader.get(`model-versions/search?filter=${encodeURIComponent("name = 'cats-dogs'")}`);
  expect(versions).toMatchObject({
    model_versions: [{ name: 'cats-dogs', version: '1', run_id: winner.mlflowRunId, status: 'READY' }],
  });

  // What people write about a sweep and a run, and what they take back.
  const read = async (mlflowRunId: string | undefined): Promise<MlflowRunRecord> =>
    (await reader.runs('killed twice')).find((run) => run.mlflowRunId === mlflowRunId)!;
  const annotate = async (displayName: string, notes: string, tags: Tags): Promise<void> => {
    await harness.sweeps.updateSweep({ sweepId, displayName, notes, ...tags });
    await harness.sweeps.updateRun({ runId: winnerId, notes, ...tags });
    await untilMirrored(harness);
  };
  await annotate('Heads, renamed', 'the one to ship', { addTags: ['final', 'b'], removeTags: [] });
  const written = { 'graft.notes': 'the one to ship', 'graft.tags': 'b, final' };
  expect(await read(parent?.mlflowRunId)).toMatchObject({ name: 'Heads, renamed', tags: written });
  expect(await read(winner.mlflowRunId)).toMatchObject({
    name: winnerId,
    tags: { ...written, 'mlflow.note.content': 'the one to ship' },
  });
  await annotate('Heads', '', { addTags: [], removeTags: ['b'] });
  const left = { 'graft.notes': '', 'graft.tags': 'final' };
  expect(await read(parent?.mlflowRunId)).toMatchObject({ name: 'Heads', tags: left });
  expect(await read(winner.mlflowRunId)).toMatchObject({ tags: { ...left, 'mlflow.note.content': '' } });
  // A description that a person writes in MLflow remains.
  const description = { run_id: winner.mlflowRunId, key: 'mlflow.note.content', value: 'written in MLflow' };
  await reader.get('runs/set-tag', JSON.stringify(description));
  await annotate('Heads', '', { addTags: ['kept'], removeTags: [] });
  expect(await read(winner.mlflowRunId)).toMatchObject({
    tags: { 'graft.tags': 'final, kept', 'mlflow.note.content': 'written in MLflow' },
  });
}, 480_000);

test('a search is mirrored with its rungs, pauses and causes of ends', async (context) => {
  const mlflow = needServer(context);
  await using harness = await startHarness({ env: settings(mlflow.url, 'a search') });
  const pool = createPool(harness.databaseUrl, { applicationName: 'test', max: 2, log });
  const store = createStore({ pool, log, leaseMs: 30_000 });
  await insertSampleSearch(store);
  // As if the search had not ended for this run.
  const paused = `${SEARCH_SWEEP}-r008`;
  const reason = 'place 9 of 9 at rung 0';
  await harness.query(
    `UPDATE runs SET state = 'PAUSED', paused_rung = 0, end_cause = NULL, end_time = NULL, state_reason = $2 WHERE run_id = $1`,
    [paused, reason],
  );
  await harness.sweeps.resendToMlflow({ sweepId: SEARCH_SWEEP });
  await untilMirrored(harness);
  const all = await new MlflowReader(mlflow.url).runs('a search');
  const named = (name: string): MlflowRunRecord | undefined => all.find((run) => run.name === name);
  expect(named('head, then fine-tune')?.tags).toMatchObject({
    'graft.stopping_rule': 'promotion@2',
    'graft.stopping_policy': expect.stringContaining('the best ⌊n/3⌋ + 1 of n are promoted') as string,
    'graft.rungs': '0 (end of the head); 1 (fine-tuning, epoch 3); 2 (fine-tuning, epoch 9); 3 (end of fine-tuning)',
    'graft.winner_statement': expect.stringMatching(/^Run 4 is not distinguishable from the baseline/) as string,
    'graft.search_end': 'ALL_DECIDED',
  });
  expect(named(`${SEARCH_SWEEP}-r004`)).toMatchObject({
    status: 'FINISHED',
    tags: { 'graft.state': 'SUCCEEDED', 'graft.end_cause': 'ALL_EPOCHS', 'graft.rung': '3 (end of fine-tuning)' },
  });
  expect(named(`${SEARCH_SWEEP}-r003`)).toMatchObject({
    status: 'FINISHED',
    tags: {
      'graft.state': 'STOPPED',
      'graft.end_cause': 'NOT_PROMOTED',
      'graft.rung': '0 (end of the head)',
      'graft.decision': expect.stringMatching(/^PAUSE by promotion@2: place \d of \d/) as string,
      'graft.state_reason': 'not promoted; place 8 of 9 at rung 0 (end of the head)',
    },
  });
  expect(named(paused)).toMatchObject({
    status: 'RUNNING',
    tags: {
      'graft.state': 'PAUSED',
      'graft.paused_rung': '0 (end of the head)',
      'graft.end_cause': '',
      'graft.state_reason': reason,
    },
  });
  await store.prisma.$disconnect();
  await pool.end();
}, 240_000);
