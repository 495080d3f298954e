import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { LocalCluster, eventually } from './support/local-cluster.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-screen-'));
  await writeTinyDataset(join(folder, 'data'), { imagesPerClass: { train: 24, validation: 12, test: 8 } });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Sweep over three image sizes. */
const SWEEP = `
dataset: { path: DATASET }
base: { backbone: efficientnet_lite0, batch_size: 8, epochs: 2 }
parameters: { image_size: [32, 40, 48], head.units: [0, 8] }
screen: { keep: 1, images: 60 }
`;

interface ScreenJson {
  readonly image_size: number;
  readonly kept: boolean;
  readonly correct_count: number;
  readonly latency_seconds: number;
}

it('screens image sizes by real probes, and trains what it keeps', { timeout: 180_000 }, async () => {
  await using cluster = await LocalCluster.start();
  const file = join(folder, 'sweep.yaml');
  writeFileSync(file, SWEEP.replace('DATASET', join(folder, 'data')));
  const { stdout: plan } = await cluster.cli(['sweep', 'plan', file]);
  expect(plan).toMatch(/The screen probes 3 candidates on 60 images each/);
  expect(plan).toMatch(/1 probe: efficientnet_lite0 at 32 px, average pooling: 40 training and 20 validation images/);

  const { sweep } = (await cluster.cliJson(['sweep', 'submit', file])) as { sweep: { sweep_id: string } };
  const id = sweep.sweep_id;
  const state = await eventually('the end of the sweep', 120_000, async () => {
    const { state } = (await cluster.cliJson(['sweep', 'get', id])) as { readonly state: string };
    return state === 'ACTIVE' ? undefined : state;
  });
  expect(state).toBe('SUCCEEDED');
  const { entries } = (await cluster.cliJson(['leaderboard', id])) as {
    readonly entries: readonly { readonly run: { readonly run_id: string; readonly end_cause: string } }[];
  };
  const runs = entries.map(({ run }) => run);
  const explained = (await cluster.cliJson(['sweep', 'explain', id, '--replay'])) as {
    readonly screen: readonly ScreenJson[];
    readonly replay: { readonly difference_count: number };
  };
  expect(explained.replay.difference_count).toBe(0);
  expect(explained.screen).toHaveLength(3);
  for (const { correct_count: right, latency_seconds: latency } of explained.screen) {
    expect(right).toBeGreaterThan(50);
    expect(latency).toBeGreaterThan(0);
  }
  const kept = explained.screen.filter((entry) => entry.kept).length;
  expect(runs.filter(({ end_cause: cause }) => cause === 'ALL_EPOCHS')).toHaveLength(2 * kept);
  const screened = runs.filter(({ end_cause: cause }) => cause === 'SCREENED');
  expect(screened).toHaveLength(2 * (3 - kept));
  const { stdout: why } = await cluster.cli(['run', 'explain', screened[0]?.run_id ?? '']);
  expect(why).toMatch(/efficientnet_lite0 at \d+ px was screened out: \d\.\d{3} of 60 images predicted correctly/);
  const table = await cluster.cli(['sweep', 'explain', id]);
  expect(table.code, table.stderr).toBe(0);
  expect(table.stdout).toMatch(/Screen: \d of 3 candidates kept, by the part of 60 images that is right/);
});
