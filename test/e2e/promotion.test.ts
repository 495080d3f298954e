import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readTrainingCheckpoint } from '../../services/trainer/checkpoints/training-checkpoint.ts';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { LocalCluster, eventually } from './support/local-cluster.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-promotion-'));
  await writeTinyDataset(join(folder, 'data'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function sweepText(stopping: string): string {
  return `
dataset: { path: ${join(folder, 'data')} }
base: { backbone: efficientnet_lite0, image_size: 32, batch_size: 8, epochs: 3, fine_tune.enabled: true, fine_tune.epochs: 8 }
strategy: list
seed: 11
reuse: false
stopping: ${stopping}
variants:
  - {}
  - { fine_tune.learning_rate: 0.0003 }
  - { method: augmented, head.units: 8 }
`;
}

interface Trained {
  readonly run_index: number;
  readonly state: string;
  readonly uri: string | null;
}

it('gives promoted runs the curves and the checkpoints of runs that never paused', { timeout: 300_000 }, async () => {
  await using cluster = await LocalCluster.start();
  const pool = new pg.Pool({ connectionString: cluster.databaseUrl, max: 1 });
  pool.on('error', () => undefined);
  const train = async (name: string, stopping: string): Promise<string> => {
    const file = join(folder, `${name}.yaml`);
    writeFileSync(file, sweepText(stopping));
    const { sweep } = (await cluster.cliJson(['sweep', 'submit', file])) as { sweep: { sweep_id: string } };
    const state = await eventually(`the end of ${name}`, 120_000, async () => {
      const { rows } = await pool.query<{ state: string }>('SELECT state FROM sweeps WHERE sweep_id = $1', [
        sweep.sweep_id,
      ]);
      return rows[0]?.state === 'ACTIVE' ? undefined : rows[0]?.state;
    });
    expect(state).toBe('SUCCEEDED');
    return sweep.sweep_id;
  };
  try {
    const through = await train('through', 'none');
    const promoted = await train(
      'promoted',
      '{ rule: promotion, reduction_factor: 2, rungs: { fine_tune: [2, 4] }, synchronous: true }',
    );
    const { rows: attempts } = await pool.query<{ pauses: number }>(
      `SELECT count(*) FILTER (WHERE a.message LIKE 'paused after epoch%')::int AS pauses
           FROM attempts a JOIN tasks t USING (task_id) WHERE t.sweep_id = $1 AND t.stage = 'FINE_TUNE'`,
      [promoted],
    );
    // Two of three heads are promoted, and both pause twice.
    expect(attempts).toEqual([{ pauses: 4 }]);

    const curves = async (sweepId: string): Promise<ReadonlyMap<string, unknown>> => {
      const { rows } = await pool.query<{ run_index: number; stage: string; epoch: number }>(
        `SELECT r.run_index, c.stage, c.epoch, c.loss, c.accuracy, c.val_loss, c.val_accuracy, c.learning_rate
             FROM epoch_curves c JOIN runs r USING (run_id) WHERE r.sweep_id = $1`,
        [sweepId],
      );
      return new Map(rows.map((row) => [`${row.run_index} ${row.stage} ${row.epoch}`, row]));
    };
    const expected = await curves(through);
    const found = await curves(promoted);
    for (const [epoch, values] of found) expect(values, epoch).toEqual(expected.get(epoch));

    const results = async (sweepId: string): Promise<readonly Trained[]> => {
      const { rows } = await pool.query<Trained>(
        `SELECT r.run_index, r.state, c.uri FROM runs r
             LEFT JOIN checkpoints c ON c.run_id = r.run_id AND c.kind = 'BEST' AND c.state = 'STORED' AND c.stage = r.best_stage
              AND c.epoch = r.best_epoch
            WHERE r.sweep_id = $1 ORDER BY r.run_index`,
        [sweepId],
      );
      return rows;
    };
    const references = await results(through);
    const finished = (await results(promoted)).filter(({ state }) => state === 'SUCCEEDED');
    expect(finished).toHaveLength(2);
    const content = async (uri: string | null | undefined): Promise<unknown> => {
      const { trained, optimizerSlots } = await readTrainingCheckpoint(
        join(cluster.stateDir, 'artifacts', uri ?? 'none'),
      );
      return { trained, optimizerSlots };
    };
    for (const { run_index: index, uri } of finished) {
      expect([...found.keys()].filter((key) => key.startsWith(`${index} FINE_TUNE`))).toHaveLength(8);
      expect(await content(uri)).toEqual(await content(references[index]?.uri));
    }
  } finally {
    await pool.end();
  }
});
