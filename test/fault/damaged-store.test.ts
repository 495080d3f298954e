import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, it } from 'vitest';
import { FILE_DAMAGES, damageFile } from '../support/damage-file.ts';
import { ChaosCluster } from './chaos-cluster.ts';
import { ChaosSweeps } from './chaos-sweeps.ts';
import { describeFindings, settledFindings } from './checker.ts';

const SWEEP_MS = 150_000;

/** Damages each file of a folder, in turn by each kind of damage. */
function damageAll(folder: string): number {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  for (const [index, { name }] of names.entries()) {
    damageFile(join(folder, name), FILE_DAMAGES[index % FILE_DAMAGES.length] ?? 'flip', 0.6);
  }
  return names.length;
}

it(
  'trains a second sweep to the same numbers after all files of the first one were damaged, and counts no failure',
  { timeout: 400_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'graft-damaged-store-'));
    await trainTwice(folder);
    // The folder is kept after a failure, for its logs.
    rmSync(folder, { recursive: true, force: true });
  },
);

async function trainTwice(folder: string): Promise<void> {
  await using cluster = await ChaosCluster.start({
    folder,
    trainerCount: 2,
    coordinatorCount: 1,
    leaseMs: 6_000,
    orphanMs: 15_000,
    say: () => undefined,
  });
  const size = { cached: 6, augmented: 4, fineTune: 2 };
  using sweeps = await ChaosSweeps.prepare(folder, size, cluster.coordinatorAddresses, { isReusing: true });
  const first = await sweeps.submit();
  expect(await sweeps.ended(first, SWEEP_MS)).toBe('SUCCEEDED');
  const setCount = damageAll(join(cluster.artifactsDir, 'features'));
  expect(setCount).toBeGreaterThan(0);
  expect(damageAll(join(cluster.cacheDir, 'images'))).toBeGreaterThan(0);
  expect(damageAll(join(cluster.artifactsDir, 'datasets'))).toBe(1);
  const second = await sweeps.submit();
  expect(await sweeps.ended(second, SWEEP_MS)).toBe('SUCCEEDED');
  await using database = await connect(cluster.databaseUrl);
  const counted = await database.client.query(
    `SELECT task_id FROM tasks WHERE sweep_id = $1 AND failure_count + infrastructure_count + memory_count > 0`,
    [second],
  );
  expect(counted.rows).toEqual([]);
  // Each set that the sweep reads was recomputed once; the first sweep had computed all of them.
  const made = await database.client.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM task_feature_sets u JOIN tasks t USING (task_id)
      WHERE t.sweep_id = $1 AND t.stage = 'FEATURES' GROUP BY u.feature_key`,
    [second],
  );
  expect(made.rows).toEqual(Array.from({ length: setCount }, () => ({ count: 1 })));
  const { databaseUrl, artifactsDir } = cluster;
  const options = { databaseUrl, artifactsDir, referenceSweepId: first, fileGraceMs: 60_000 };
  const findings = await settledFindings({ ...options, sweepIds: [second] }, 30_000);
  expect(describeFindings(findings), folder).not.toContain('VIOLATED');
}

async function connect(connectionString: string): Promise<AsyncDisposable & { readonly client: pg.Client }> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return { client, [Symbol.asyncDispose]: () => client.end() };
}
