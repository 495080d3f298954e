import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { LocalCluster } from './support/local-cluster.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-rounds-'));
  await writeTinyDataset(join(folder, 'data'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SWEEP = `
base: { backbone: efficientnet_lite0, image_size: 32, batch_size: 8, epochs: 3 }
parameters:
  optimizer.learning_rate: { min: 1e-4, max: 1e-1, scale: log }
  head.dropout: { min: 0, max: 0.6 }
  head.units: [16, 32, 64]
strategy: gp
max_runs: 8
seed: 3
search: { startup_runs: 4, round_runs: 4 }
`;

it(
  'asks for rounds of heads, trains each as one group, and says where a run came from',
  { timeout: 300_000 },
  async () => {
    await using cluster = await LocalCluster.start();
    const file = join(folder, 'search.yaml');
    writeFileSync(file, `dataset: { path: ${join(folder, 'data')} }\n${SWEEP}`);
    const plan = await cluster.cli(['sweep', 'plan', file]);
    expect(plan.stdout).toMatch(/strategy gp, 8 runs in 2 rounds of 4/i);
    const watched = await cluster.cli(['sweep', 'submit', file, '--watch']);
    expect(watched.stdout + watched.stderr).toContain('SUCCEEDED');
    const runs = (await cluster.cliJson(['run', 'list', 'latest'])) as readonly {
      readonly round: number;
      readonly sampler: string;
      readonly state: string;
    }[];
    expect(runs.map(({ round }) => round)).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect(runs.map(({ state }) => state)).toEqual(Array<string>(8).fill('SUCCEEDED'));
    expect(runs.at(-1)?.sampler).toBe('gp@1');
    const { stdout } = await cluster.cli(['run', 'explain', 'latest/7']);
    expect(stdout).toMatch(
      /It was suggested round 1, place 4 of 4, by gp@1 from 4 scored runs: predicted val_loss [\d.]+ ± [\d.]+/,
    );
    const get = await cluster.cli(['sweep', 'get', 'latest']);
    expect(get.stdout).toContain('gp, 8 runs in 2 rounds, at most 8');
    const replay = await cluster.cli(['sweep', 'explain', 'latest', '--replay']);
    expect(replay.stdout).toMatch(/recomputed/i);
  },
);
