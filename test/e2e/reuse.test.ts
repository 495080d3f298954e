import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { LocalCluster, eventually } from './support/local-cluster.ts';

const SWEEP = `
display_name: twice
dataset: { path: DATASET }
base: { backbone: efficientnet_lite0, image_size: 32, batch_size: 8, epochs: 3 }
strategy: list
seed: 11
variants:
  - { head.units: 16 }
  - { method: augmented, epochs: 2 }
  - { head.units: 8, fine_tune.enabled: true, fine_tune.epochs: 2 }
`;

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-reuse-'));
  await writeTinyDataset(join(folder, 'images'));
  const text = SWEEP.replace('DATASET', join(folder, 'images'));
  writeFileSync(join(folder, 'sweep.yaml'), text);
  writeFileSync(join(folder, 'again.yaml'), `${text}reuse: false\n`);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

it('the same sweep a second time trains nothing and has equal digits, those of training it again', async () => {
  await using cluster = await LocalCluster.start();
  const pool = new pg.Pool({ connectionString: cluster.databaseUrl, max: 1 });
  pool.on('error', () => undefined);
  const cli = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await cluster.cli(args);
    expect(code, stderr).toBe(0);
    return stdout;
  };
  const submit = async (file: string): Promise<string> => {
    await cli('sweep', 'submit', join(folder, file));
    return eventually('the end of the sweep', 120_000, async () => {
      const { rows } = await pool.query<{ sweep_id: string; state: string; state_reason: string }>(
        'SELECT sweep_id, state, state_reason FROM sweeps ORDER BY create_time DESC LIMIT 1',
      );
      if (rows[0] === undefined || rows[0].state === 'ACTIVE') return undefined;
      expect(rows[0], rows[0].state_reason).toMatchObject({ state: 'SUCCEEDED' });
      return rows[0].sweep_id;
    });
  };
  const recordOf = async (sweepId: string): Promise<unknown> => {
    const curves = await pool.query(
      `SELECT run_index, stage, epoch, loss, accuracy, val_loss, val_accuracy, val_auc, learning_rate
         FROM epoch_curves WHERE sweep_id = $1 ORDER BY 1, 2, 3`,
      [sweepId],
    );
    const board = await pool.query(
      `SELECT rank, run_index, best_value, best_stage, best_epoch, test_role, test_accuracy, test_accuracy_low
         FROM leaderboard WHERE sweep_id = $1 ORDER BY rank`,
      [sweepId],
    );
    return { curves: curves.rows, board: board.rows };
  };
  const stagesOf = async (sweepId: string): Promise<string[]> => {
    const { rows } = await pool.query<{ stage: string }>(
      'SELECT stage FROM tasks WHERE sweep_id = $1 ORDER BY position',
      [sweepId],
    );
    return rows.map(({ stage }) => stage);
  };
  try {
    const first = await submit('sweep.yaml');
    const plan = await cli('sweep', 'plan', join(folder, 'sweep.yaml'));
    expect(plan).toContain('The results of 3 of 3 runs are taken from other sweeps and cost nothing');
    const second = await submit('sweep.yaml');
    expect(await stagesOf(second)).toEqual(['INDEX']);
    expect(await recordOf(second)).toEqual(await recordOf(first));
    expect(await cli('run', 'get', 'latest/2')).toContain(`taken from run 2 of sweep ${first}`);
    expect(await cli('run', 'list', 'latest')).toContain('reused result');
    expect(await cli('leaderboard', 'latest')).toContain('reused result');
    expect(await cli('run', 'explain', 'latest/0')).toContain('It needed no attempt');
    const model = join(folder, 'model.safetensors');
    await cli('checkpoint', 'download', 'latest', '-o', model);
    await cli('report', 'latest', '-o', join(folder, 'report.html'));
    // What was taken is what training gives.
    const third = await submit('again.yaml');
    expect(await stagesOf(third)).toContain('FINE_TUNE');
    expect(await recordOf(third)).toEqual(await recordOf(first));
  } finally {
    await pool.end();
  }
}, 300_000);
