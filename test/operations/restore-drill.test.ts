import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGraftClient } from '../../services/cli/client/grpc-client.ts';
import { loadSweepFile } from '../../services/cli/sweep-file/parse-sweep-file.ts';
import { REPOSITORY, eventually } from '../e2e/support/local-cluster.ts';
import { checkFiles } from '../fault/check-files.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { postgresTools } from '../support/postgres-tools.ts';
import { runCommand } from '../support/python-venv.ts';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { SmallCluster } from './support/small-cluster.ts';

const SWEEP = `
display_name: drill
dataset: { path: DATA }
base: { backbone: efficientnet_lite0, image_size: 32, batch_size: 8, epochs: 40, method: augmented }
strategy: list
seed: 5
variants:
  - { head.units: 8 }
  - { head.units: 16, method: cached }
`;

/** Query of the numbers that must be bit-identical in the end; the duration of an epoch is not. */
const CURVES = `
  SELECT r.run_index, m.stage, m.epoch, m.name, encode(float8send(m.value), 'hex') AS value
    FROM epoch_metrics m JOIN runs r USING (run_id)
   WHERE m.superseded_by IS NULL AND m.name NOT IN ('seconds', 'images_per_second')
   ORDER BY 1, 2, 3, 4`;
const RESULTS = `SELECT run_id, role, accuracy, loss, confusion_matrix FROM test_results ORDER BY 1, 2`;

const folder = mkdtempSync(join(tmpdir(), 'graft-drill-'));
const database = await createTestDatabase();
const tools = await postgresTools(database.url);
if ('reason' in tools) console.log(`The restore drill is not done: ${tools.reason}`);

/** The commands of the runbook, verbatim. */
const commands = [
  ...readFileSync(join(REPOSITORY, 'deploy/README.md'), 'utf8').matchAll(/^```sh\n# (\w+): .*\n([^]*?)^```$/gm),
];

function runbook(name: string, env: Readonly<Record<string, string>>): Promise<string> {
  const text = commands.find(([, found]) => found === name)?.[2];
  if (text === undefined) throw new Error(`deploy/README.md has no commands '${name}'.`);
  const path = 'path' in tools ? tools.path : '';
  return runCommand('bash', ['-euo', 'pipefail', '-c', text], {
    ...process.env,
    ...env,
    PATH: [path, dirname(process.execPath)].join(delimiter),
  });
}

async function query<R extends pg.QueryResultRow>({ url }: TestDatabase, sql: string): Promise<readonly R[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<R>(sql)).rows;
  } finally {
    await client.end();
  }
}

function stateOf(of: TestDatabase): Promise<readonly { state: string; state_reason: string }[]> {
  return query(of, 'SELECT state, state_reason FROM sweeps');
}

async function submit(address: string): Promise<void> {
  const client = createGraftClient(address);
  await client.createSweep('drill', await loadSweepFile(join(folder, 'sweep.yaml'), folder));
  client.close();
}

/** Waits for the end of the only sweep. */
async function ended(of: TestDatabase): Promise<void> {
  const state = await eventually('the end of the sweep', 60_000, async () => {
    const [sweep] = await stateOf(of);
    return sweep?.state === 'ACTIVE' ? undefined : sweep;
  });
  expect(state).toEqual({ state: 'SUCCEEDED', state_reason: '' });
}

beforeAll(async () => {
  await writeTinyDataset(join(folder, 'data'));
  writeFileSync(join(folder, 'sweep.yaml'), SWEEP.replace('DATA', join(folder, 'data')));
});

afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf('reason' in tools)('a backup of a sweep that is half done', { timeout: 150_000 }, () => {
  it('resumes after database and store were lost, and ends with the same numbers', async () => {
    const artifacts = join(folder, 'artifacts');
    const before = { DATABASE_URL: database.url, GRAFT_ARTIFACTS_DIR: artifacts, BACKUP: join(folder, 'backup') };
    mkdirSync(before.BACKUP);

    // As in the runbook: nothing is deleted while the backup is created; everything else continues.
    const env = { GRAFT_COORDINATOR_RETENTION_MS: '86400000' };
    const cluster = await SmallCluster.start({ databaseUrl: database.url, folder, artifacts, env });
    try {
      await submit(cluster.address);
      await eventually('a sweep half done', 60_000, async () => {
        const saved = await query(
          database,
          `SELECT 1 FROM checkpoints c JOIN runs r USING (run_id)
            WHERE c.kind = 'LAST' AND c.epoch BETWEEN 1 AND 34 AND r.state = 'RUNNING'`,
        );
        return saved.length > 0 ? saved : undefined;
      });
      await runbook('Backup', before);
      // The backup is older than the loss, as in reality.
      await ended(database);
    } finally {
      await cluster.kill();
    }
    const curves = await query(database, CURVES);
    const results = await query(database, RESULTS);
    expect(curves.length).toBeGreaterThan(100);
    await database.drop();
    rmSync(artifacts, { recursive: true });

    await using restored = await createTestDatabase({ migrated: false });
    const after = { ...before, DATABASE_URL: restored.url };
    await runbook('Restore', after);
    expect(await runbook('Check', after)).toBe('');
    expect(await stateOf(restored)).toMatchObject([{ state: 'ACTIVE' }]);
    const kept = await query(restored, CURVES);
    expect(kept.length).toBeLessThan(curves.length);

    const again = { GRAFT_COORDINATOR_RETENTION_MS: '200' };
    const second = await SmallCluster.start({ databaseUrl: restored.url, folder, artifacts, env: again });
    await ended(restored).finally(() => second.kill());
    expect(await query(restored, CURVES)).toEqual(curves);
    expect(await query(restored, RESULTS)).toEqual(results);
    // It resumed from the saved state, not from the beginning.
    expect(await query(restored, `SELECT 1 FROM attempts WHERE state = 'EXPIRED'`)).toHaveLength(1);
    const [goneOn] = await query<{ first: number }>(
      restored,
      `SELECT min(epoch) AS first FROM epoch_metrics WHERE lease_epoch = 2`,
    );
    expect(goneOn?.first).toBeGreaterThan(1);
    const client = new pg.Client({ connectionString: restored.url });
    await client.connect();
    const [files] = await checkFiles(client, artifacts, 3_600_000);
    await client.end();
    expect(files?.violations).toEqual([]);

    const [lost] = await query<{ uri: string }>(restored, `SELECT uri FROM checkpoints WHERE state = 'STORED' LIMIT 1`);
    renameSync(join(artifacts, lost!.uri), join(folder, 'lost'));
    expect(await runbook('Check', after)).toBe(`missing: ${lost!.uri}\n`);
  });
});
