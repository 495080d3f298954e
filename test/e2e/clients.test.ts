import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pythonWithGrpc } from '../support/python-grpc.ts';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { LocalCluster, REPOSITORY } from './support/local-cluster.ts';

interface PythonReport {
  readonly sweep_id: string;
  readonly violations: Readonly<Record<string, string>>;
  readonly state: string;
  readonly event_kinds: readonly string[];
  readonly epoch_events: number;
  readonly test_look_count: number;
  readonly leaderboard: readonly { rank: number; run_id: string; best_value: number; test_accuracy: number | null }[];
}

describe('clients of other software', () => {
  let cluster: LocalCluster;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'graft-clients-'));
    cluster = await LocalCluster.start();
  });
  afterAll(async () => {
    await (cluster as LocalCluster | undefined)?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it(
    'Python with grpcio submits, watches and reads a sweep; SQL returns the same leaderboard',
    { timeout: 300_000 },
    async (test) => {
      const found = pythonWithGrpc();
      if ('reason' in found) return test.skip(found.reason);
      await writeTinyDataset(join(folder, 'data'));
      const stubs = join(folder, 'stubs');
      mkdirSync(stubs);
      cpSync(join(REPOSITORY, 'proto/graft'), join(folder, 'proto/graft'), { recursive: true });
      cpSync(join(REPOSITORY, 'proto/google'), join(folder, 'proto/google'), { recursive: true });
      const protos = execFileSync('find', ['.', '-name', '*.proto'], { cwd: join(folder, 'proto'), encoding: 'utf8' });
      const out = ['--python_out', '--grpc_python_out'].map((flag) => `${flag}=${stubs}`);
      execFileSync(found.python, ['-m', 'grpc_tools.protoc', '-I', '.', ...out, ...protos.trim().split('\n')], {
        cwd: join(folder, 'proto'),
      });
      const printed = execFileSync(
        found.python,
        [join(REPOSITORY, 'test/e2e/python/sweep_client.py'), stubs, cluster.address, join(folder, 'data')],
        { encoding: 'utf8', timeout: 280_000 },
      );
      const report = JSON.parse(printed) as PythonReport;

      expect(Object.keys(report.violations)).toEqual(
        expect.arrayContaining(['dataset.path', 'parameters[0].name', 'parameters[0]']),
      );
      expect(report.state).toBe('SWEEP_STATE_SUCCEEDED');
      expect(report.event_kinds).toEqual(['epoch', 'run_state', 'sweep_state', 'task', 'test_result']);
      expect(report.epoch_events).toBe(4);
      expect(report.leaderboard.map(({ rank }) => rank)).toEqual([1, 2]);
      expect(report.test_look_count).toBeGreaterThanOrEqual(1);

      const client = new pg.Client({ connectionString: cluster.databaseUrl });
      await client.connect();
      const { rows } = await client.query(
        'select rank::int, run_id, best_value, test_accuracy from leaderboard where sweep_id = $1 order by rank',
        [report.sweep_id],
      );
      await client.end();
      expect(rows).toEqual(report.leaderboard);
    },
  );

  it(
    'a data folder with a corrupt image, an empty class and a missing split gets one answer with all problems',
    { timeout: 120_000 },
    async () => {
      const data = join(folder, 'bad');
      await writeTinyDataset(data);
      rmSync(join(data, 'test'), { recursive: true });
      writeFileSync(join(data, 'train', 'red', '000.png'), 'not a picture');
      mkdirSync(join(data, 'train', 'green'));
      const file = join(folder, 'bad.yaml');
      writeFileSync(
        file,
        `dataset: { path: ${data} }\nbase: { weights: random, image_size: 32, epochs: 1 }\nstrategy: list\nvariants: [{}]\n`,
      );
      const submitted = (await cluster.cliJson(['sweep', 'submit', file])) as { sweep: { sweep_id: string } };
      const { sweep_id: sweepId } = submitted.sweep;
      const watched = await cluster.cli(['sweep', 'watch', sweepId]);
      expect(watched.code).toBe(4);
      const { stdout } = await cluster.cli(['sweep', 'get', sweepId]);
      expect(stdout).toMatch(/train\/red\/000\.png/);
      expect(stdout).toMatch(/green/);
      expect(stdout).toMatch(/test/);
      expect(stdout).toMatch(/FAILED/);
    },
  );
});
