import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createClient, NO_RETRY } from '../../services/platform/rpc/client.ts';
import { SweepServiceService } from '../../proto/gen/graft/v1/sweep_service.ts';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { LocalCluster, eventually } from './support/local-cluster.ts';

const FILES = {
  low: `
dataset: { path: DATASET }
base: { backbone: efficientnet_lite0, image_size: 32, batch_size: 8 }
strategy: list
seed: 11
reuse: false
variants:
  - { method: augmented, epochs: 300 }
  - { epochs: 4, fine_tune.enabled: true, fine_tune.epochs: 200 }
`,
  urgent: `
dataset: { path: DATASET }
base: { backbone: efficientnet_lite0, image_size: 32, batch_size: 8, epochs: 3 }
parameters: { head.units: [8] }
seed: SEED
priority: -1
`,
};

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-preemption-'));
  await writeTinyDataset(join(folder, 'data'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it(
  'preempts a head and a fine-tuning for urgent sweeps, and their curves stay the same',
  { timeout: 400_000 },
  async () => {
    await using cluster = await LocalCluster.start({
      env: { GRAFT_COORDINATOR_HEARTBEAT_MS: '300', GRAFT_COORDINATOR_REAPER_MS: '300' },
    });
    const sweeps = createClient(SweepServiceService, { addresses: [cluster.address], retry: NO_RETRY });
    const pool = new pg.Pool({ connectionString: cluster.databaseUrl, max: 2 });
    pool.on('error', () => undefined);
    let submitted = 0;
    const submit = async (kind: keyof typeof FILES): Promise<string> => {
      const file = join(folder, `${kind}-${(submitted += 1)}.yaml`);
      writeFileSync(file, FILES[kind].replace('DATASET', join(folder, 'data')).replace('SEED', String(submitted)));
      const { sweep } = (await cluster.cliJson(['sweep', 'submit', file])) as { sweep: { sweep_id: string } };
      return sweep.sweep_id;
    };
    const stateOf = async (sweepId: string): Promise<string | undefined> =>
      (await pool.query<{ state: string }>('SELECT state FROM sweeps WHERE sweep_id = $1', [sweepId])).rows[0]?.state;
    const ended = (sweepId: string): Promise<string> =>
      eventually(`the end of ${sweepId}`, 180_000, async () => {
        const state = await stateOf(sweepId);
        return state === 'ACTIVE' ? undefined : state;
      });
    const epochsOf = async (sweepId: string, stage: string): Promise<number> => {
      const { rows } = await pool.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM epoch_curves c JOIN runs r USING (run_id)
        WHERE r.sweep_id = $1 AND r.run_index = $2 AND c.stage = $3`,
        [sweepId, stage === 'HEAD' ? 0 : 1, stage],
      );
      return rows[0]?.count ?? 0;
    };
    try {
      const low = await submit('low');
      // They wait until their priority rises: a submission would take longer than a few epochs.
      const waiting = { HEAD: await submit('urgent'), FINE_TUNE: await submit('urgent') };
      for (const [stage, urgent] of Object.entries(waiting)) {
        await eventually(`${stage} to train`, 120_000, async () =>
          (await epochsOf(low, stage)) > 1 ? true : undefined,
        );
        await sweeps.call.updateSweep({ sweepId: urgent, priority: 5, addTags: [], removeTags: [] });
        expect(await ended(urgent)).toBe('SUCCEEDED');
        expect(await stateOf(low), 'the sweep ended before the urgent one').toBe('ACTIVE');
      }
      expect(await ended(low)).toBe('SUCCEEDED');
      const undisturbed = await submit('low');
      expect(await ended(undisturbed)).toBe('SUCCEEDED');

      const attempts = await pool.query<object>(
        `SELECT t.stage, t.failure_count, t.infrastructure_count FROM attempts a JOIN tasks t USING (task_id)
        WHERE t.sweep_id = $1 AND a.error_code = 'PREEMPTED' ORDER BY t.stage DESC`,
        [low],
      );
      expect(attempts.rows).toEqual([
        { stage: 'HEAD', failure_count: 0, infrastructure_count: 0 },
        { stage: 'FINE_TUNE', failure_count: 0, infrastructure_count: 0 },
      ]);
      const decisions = await pool.query<object>(
        `SELECT run_index FROM decision_log WHERE sweep_id = $1 AND kind = 'PREEMPT'`,
        [low],
      );
      expect(decisions.rows).toEqual([{ run_index: 0 }, { run_index: 1 }]);
      const curves = async (sweepId: string): Promise<unknown[]> =>
        (
          await pool.query<object>(
            `SELECT r.run_index, c.stage, c.epoch, c.loss, c.accuracy, c.val_loss, c.val_accuracy, c.learning_rate
             FROM epoch_curves c JOIN runs r USING (run_id) WHERE r.sweep_id = $1 ORDER BY 1, 2, 3`,
            [sweepId],
          )
        ).rows;
      const expected = await curves(undisturbed);
      expect(expected).toHaveLength(300 + 4 + 200);
      expect(await curves(low)).toEqual(expected);
    } finally {
      sweeps.close();
      await pool.end();
    }
  },
);
