import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { LocalCluster, eventually } from './support/local-cluster.ts';

/** Epochs, enough to outlast three faults even on a fast machine. */
const EPOCHS = { cached: 120, augmented: 96, fineTune: 30 };

const SWEEP = `
display_name: faults
dataset: { path: DATASET }
base:
  backbone: efficientnet_lite0
  image_size: 32
  batch_size: 8
  epochs: ${EPOCHS.cached}
strategy: list
seed: 11
variants:
  - { head.units: 16 }
  - { head.units: 32, head.dropout: 0.2 }
  - { method: augmented, epochs: ${EPOCHS.augmented} }
  - { method: augmented, epochs: ${EPOCHS.augmented}, head.units: 8 }
  - { epochs: 8, fine_tune.enabled: true, fine_tune.epochs: ${EPOCHS.fineTune} }
`;

interface CurveRow {
  readonly run_index: number;
  readonly stage: string;
  readonly epoch: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly val_loss: number;
  readonly val_accuracy: number;
  readonly learning_rate: number;
}

async function sweepState(pool: pg.Pool): Promise<string | undefined> {
  const { rows } = await pool.query<{ state: string }>('select state from sweeps');
  return rows[0]?.state;
}

async function metricCount(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ count: string }>('select count(*) from epoch_metrics');
  return Number(rows[0]?.count);
}

async function curves(pool: pg.Pool): Promise<CurveRow[]> {
  const { rows } = await pool.query<CurveRow>(
    `select r.run_index, c.stage, c.epoch, c.loss, c.accuracy, c.val_loss, c.val_accuracy, c.learning_rate
       from epoch_curves c join runs r using (run_id) order by 1, 2, 3`,
  );
  return rows;
}

/** Runs the sweep on a separate cluster; `disturb` injects faults while it trains. */
async function runSweep(
  sweepFile: string,
  disturb: (cluster: LocalCluster, pool: pg.Pool) => Promise<void>,
): Promise<{ state: string; curves: CurveRow[]; winner: unknown; attempts: number; doubled: number }> {
  await using cluster = await LocalCluster.start();
  const pool = new pg.Pool({ connectionString: cluster.databaseUrl, max: 2 });
  pool.on('error', () => undefined);
  try {
    const submitted = await cluster.cli(['sweep', 'submit', sweepFile]);
    expect(submitted.code, submitted.stderr).toBe(0);
    await disturb(cluster, pool);
    const state = await eventually('the end of the sweep', 240_000, async () => {
      const now = await sweepState(pool);
      return now === 'ACTIVE' ? undefined : now;
    });
    const board = await pool.query(
      'select run_index, best_val_loss, test_accuracy from leaderboard order by rank limit 1',
    );
    const attempts = await pool.query<{ count: string }>('select count(*) from attempts');
    const doubled = await pool.query<{ count: string }>(
      `select count(*) from (select 1 from epoch_metrics where superseded_by is null
         group by run_id, stage, epoch, name having count(*) > 1) as twice`,
    );
    return {
      state,
      curves: await curves(pool),
      winner: board.rows[0],
      attempts: Number(attempts.rows[0]?.count),
      doubled: Number(doubled.rows[0]?.count),
    };
  } finally {
    await pool.end();
  }
}

describe('kill -9 of a worker, a trainer and the coordinator', () => {
  let folder: string;
  let sweepFile: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'graft-faults-'));
    await writeTinyDataset(join(folder, 'data'));
    sweepFile = join(folder, 'sweep.yaml');
    writeFileSync(sweepFile, SWEEP.replace('DATASET', join(folder, 'data')));
    // Frequent saves, so that killed attempts resume inside a stage.
    process.env['GRAFT_CHECKPOINT_SECONDS'] = '1';
  });
  afterAll(() => {
    delete process.env['GRAFT_CHECKPOINT_SECONDS'];
    rmSync(folder, { recursive: true, force: true });
  });

  it('ends with the curves and the winner of the undisturbed sweep', { timeout: 600_000 }, async () => {
    const killed: string[] = [];
    const disturbed = await runSweep(sweepFile, async (cluster, pool) => {
      for (const part of ['trainer/worker', 'trainer/main', 'coordinator/main']) {
        const before = await metricCount(pool);
        await eventually(`training to continue before ${part} is killed`, 120_000, async () =>
          (await metricCount(pool)) > before + 40 ? true : undefined,
        );
        const [pid] = cluster.pids(part);
        expect(pid, `no process of ${part}`).toBeDefined();
        expect(await sweepState(pool), 'the sweep ended before all faults were done').toBe('ACTIVE');
        process.kill(pid!, 'SIGKILL');
        killed.push(part);
      }
    });
    expect(killed).toHaveLength(3);
    const undisturbed = await runSweep(sweepFile, () => Promise.resolve());

    expect(disturbed.state).toBe('SUCCEEDED');
    expect(undisturbed.state).toBe('SUCCEEDED');
    expect(disturbed.attempts).toBeGreaterThan(undisturbed.attempts);
    expect(disturbed.doubled).toBe(0);
    const expectedEpochs = 2 * EPOCHS.cached + 2 * EPOCHS.augmented + 8 + EPOCHS.fineTune;
    expect(undisturbed.curves).toHaveLength(expectedEpochs);
    expect(disturbed.curves).toEqual(undisturbed.curves);
    expect(disturbed.winner).toEqual(undisturbed.winner);
  });
});
