import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { beforeAll, expect, test } from 'vitest';
import { MlflowClient } from '../../../services/platform/mlflow/mlflow-client.ts';
import { MlflowTransport } from '../../../services/platform/mlflow/transport.ts';
import { ScriptedMlflow } from '../../integration/mlflow/scripted-mlflow.ts';
import { mlflowVenv } from '../../integration/mlflow/mlflow-venv.ts';
import { runCommand } from '../../support/python-venv.ts';

interface Shape {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

let shapes: readonly Shape[];

/** Makes every call of the client once, against a server that records the requests. */
beforeAll(async () => {
  await using scripted = await ScriptedMlflow.start();
  const server = { trackingUri: scripted.url, auth: { kind: 'none' }, ca: null, timeoutMs: 10_000 } as const;
  await using transport = new MlflowTransport(server);
  const client = new MlflowClient(server, transport, new AbortController().signal);
  await client.findExperiment('graft');
  const experimentId = await client.createExperiment('graft');
  await client.findRun(experimentId, { key: 'graft.subject_id', value: 's1-r000' });
  const run = await client.createRun({
    experimentId,
    runName: 's1-r000',
    startTime: 1_772_359_200_000,
    tags: [
      { key: 'mlflow.parentRunId', value: '0123' },
      { key: 'graft.subject_id', value: 's1-r000' },
    ],
  });
  await client.logBatch(run.mlflowRunId, {
    params: [{ key: 'optimizer.learning_rate', value: '1e-05' }],
    tags: [{ key: 'graft.state', value: 'RUNNING' }],
    metrics: [
      { key: 'head/val_loss', value: 0.25, timestamp: 1_772_359_260_123, step: 2 },
      { key: 'head/val_loss', value: Number.NaN, timestamp: 1_772_359_230_007, step: 1 },
      { key: 'head/loss', value: Number.NEGATIVE_INFINITY, timestamp: 1_772_359_230_007, step: 1 },
    ],
  });
  await client.logInput(run.mlflowRunId, {
    name: 'cats-dogs',
    digest: '0123456789abcdef'.repeat(2),
    sourceType: 'local',
    source: '{"uri":"/data/cats-dogs"}',
    profile: '{"num_images":800}',
    tags: [{ key: 'mlflow.data.context', value: 'training' }],
  });
  await client.readHistory(run.mlflowRunId, 'head/val_loss');
  await client.updateRun(run.mlflowRunId, { status: 'RUNNING', endTime: null, runName: 'renamed' });
  await client.updateRun(run.mlflowRunId, { status: 'FINISHED', endTime: 1_772_359_290_000 });
  await client.putArtifact(run.artifactUri, 'report.html', Buffer.from('<html>'), 'text/html');
  await client.ensureRegisteredModel('cats-dogs');
  await client.hasModelVersion("cat's", run.mlflowRunId);
  await client.createModelVersion({
    name: 'cats-dogs',
    source: `${run.artifactUri}/model`,
    mlflowRunId: run.mlflowRunId,
    description: 'best checkpoint',
    tags: [{ key: 'graft.sweep_id', value: 's1' }],
  });
  shapes = scripted.requests.map(({ method, path, json }) => ({ method, path, body: json }));
});

test('requests equal the recorded ones', async () => {
  const config = await resolveConfig(fileURLToPath(import.meta.url));
  const text = await format(JSON.stringify(shapes), { ...config, parser: 'json' });
  await expect(text).toMatchFileSnapshot('./requests.json');
});

test("MLflow's own messages define every field that is sent", async (context) => {
  const venv = await mlflowVenv();
  if ('reason' in venv) return context.skip(`no MLflow on this machine: ${venv.reason}`);
  const script = fileURLToPath(new URL('check-requests.py', import.meta.url));
  const golden = fileURLToPath(new URL('requests.json', import.meta.url));
  const report = JSON.parse(await runCommand(venv.python, [script, golden])) as {
    readonly checked: number;
    readonly problems: readonly string[];
  };
  expect(report.problems).toEqual([]);
  expect(report.checked).toBe(shapes.filter(({ path }) => path.startsWith('mlflow/')).length);
}, 600_000);
