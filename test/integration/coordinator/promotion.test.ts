import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import type { StoppingSpec } from '../../../services/core/sweep/search-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

const RATES = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => number / 1e5);

function stopping(changes: Partial<StoppingSpec> = {}): StoppingSpec {
  return { ...STOPPING_DEFAULTS, rule: 'promotion', rungs: { head: [], fineTune: [3, 9] }, ...changes };
}

/** Nine fine-tunings of 27 epochs. @param base further parameters */
function tuningSpec(base: SweepSpec['base'], changes: Partial<SweepSpec> = {}): SweepSpec {
  return specOf({
    base: {
      ...specOf().base,
      'fine_tune.enabled': true,
      'fine_tune.epochs': 27,
      'fine_tune.unfreeze': 'block2',
      ...base,
    },
    parameters: [{ name: 'fine_tune.learning_rate', domain: { kind: 'values', values: RATES }, conditions: [] }],
    stopping: stopping(),
    ...changes,
  });
}

const WITHOUT_HEAD = { epochs: 0, 'fine_tune.allow_untrained_head': true };

async function trainerOf(started: Harness): Promise<SimulatedTrainer> {
  const trainer = await started.trainer('rungs', 1);
  trainer.savesOnlyAtEnd = true;
  return trainer;
}

async function trainedEpochs(sweepId: string, stage: string): Promise<number> {
  const [row] = await harness.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM epoch_metrics m JOIN runs r USING (run_id)
      WHERE r.sweep_id = $1 AND m.stage = $2 AND m.name = 'val_loss'`,
    [sweepId, stage],
  );
  return row?.count ?? 0;
}

interface Ended {
  readonly run_index: number;
  readonly state: string;
  readonly state_reason: string;
  readonly end_cause: string | null;
  readonly rung: number | null;
  readonly paused_rung: number | null;
}

async function runsOf(sweepId: string): Promise<Ended[]> {
  return harness.query<Ended>(
    `SELECT run_index, state, state_reason, end_cause, rung, paused_rung FROM runs WHERE sweep_id = $1 ORDER BY run_index`,
    [sweepId],
  );
}

async function decisionsOf(
  sweepId: string,
): Promise<{ kind: string; run_index: number | null; rung: number | null }[]> {
  return harness.query(`SELECT kind, run_index, rung FROM decision_log WHERE sweep_id = $1 ORDER BY decision_id`, [
    sweepId,
  ]);
}

describe('promotion over rungs 3, 9 and 27 with one slot', () => {
  it('trains nine fine-tunings for exactly 9·3 + 4·6 + 2·18 epochs', async () => {
    const trainer = await trainerOf(harness);
    const sweepId = await harness.submit(tuningSpec(WITHOUT_HEAD));
    const stages = await trainer.workAll();
    expect(stages.filter((stage) => stage === 'FINE_TUNE')).toHaveLength(9 + 4 + 2);
    expect(await trainedEpochs(sweepId, 'FINE_TUNE')).toBe(9 * 3 + 4 * 6 + 2 * 18);
    const runs = await runsOf(sweepId);
    expect(runs.filter(({ state, end_cause: cause }) => state === 'SUCCEEDED' && cause === 'ALL_EPOCHS')).toHaveLength(
      2,
    );
    const stopped = runs.filter(({ state }) => state === 'STOPPED');
    expect(stopped).toHaveLength(7);
    for (const run of stopped) {
      expect(run).toMatchObject({ end_cause: 'NOT_PROMOTED', paused_rung: null });
      expect(run.state_reason).toMatch(/^not promoted; place \d of \d at rung [01] \(fine-tuning, epoch [39]\)$/);
    }
    const kinds = (await decisionsOf(sweepId)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'PAUSE')).toHaveLength(9 + 4);
    expect(kinds.filter((kind) => kind === 'PROMOTE')).toHaveLength(4 + 2);
    expect(kinds.at(-1)).toBe('END');
    const [search] = await harness.query('SELECT end_reason FROM searches WHERE sweep_id = $1', [sweepId]);
    expect(search).toEqual({ end_reason: 'ALL_DECIDED' });
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep?.bestRunId).toBe(
      (await harness.query<{ run_id: string }>(`SELECT run_id FROM test_results WHERE role = 'WINNER'`))[0]?.run_id,
    );
  });

  it('waits after the heads, and computes the frozen part only for what is promoted', async () => {
    const trainer = await trainerOf(harness);
    const sweepId = await harness.submit(tuningSpec({}));
    const stages = await trainer.workAll();
    // One group of heads; then one frozen part for all promotions.
    expect(stages.slice(0, 4)).toEqual(['INDEX', 'FEATURES', 'HEAD', 'FEATURES']);
    expect(stages.filter((stage) => stage === 'FEATURES')).toHaveLength(2);
    // The nine share one head: 4 of 9 are promoted to epoch 3, 2 of 4 to epoch 9, 1 of 2 to the end.
    expect(await trainedEpochs(sweepId, 'HEAD')).toBe(3);
    expect(await trainedEpochs(sweepId, 'FINE_TUNE')).toBe(4 * 3 + 2 * 6 + 1 * 18);
    expect((await runsOf(sweepId)).map(({ state }) => state).sort()).toEqual([
      ...Array<string>(8).fill('STOPPED'),
      'SUCCEEDED',
    ]);
  });
});
