import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { TaskCommand } from '../../../proto/gen/graft/v1/trainer_service.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { expectSoundTables, runsOf, stoppingAt } from './search-fixture.ts';
import { outcomeOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

const RATES = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => number / 1e5);

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
    stopping: stoppingAt([3, 9]),
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

async function decisionsOf(
  sweepId: string,
): Promise<{ kind: string; run_index: number | null; rung: number | null }[]> {
  return harness.query(`SELECT kind, run_index, rung FROM decision_log WHERE sweep_id = $1 ORDER BY decision_id`, [
    sweepId,
  ]);
}

describe('promotion over rungs 3, 9 and 27 with one slot', { timeout: 120_000 }, () => {
  it('trains nine fine-tunings for exactly 9·3 + 4·6 + 2·18 epochs', async () => {
    const trainer = await trainerOf(harness);
    const sweepId = await harness.submit(tuningSpec(WITHOUT_HEAD));
    const stages = await trainer.workAll();
    expect(stages.filter((stage) => stage === 'FINE_TUNE')).toHaveLength(9 + 4 + 2);
    expect(await trainedEpochs(sweepId, 'FINE_TUNE')).toBe(9 * 3 + 4 * 6 + 2 * 18);
    const runs = await runsOf(harness, sweepId);
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
    await expectSoundTables(harness, sweepId);
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
    expect((await runsOf(harness, sweepId)).map(({ state }) => state).sort()).toEqual([
      ...Array<string>(8).fill('STOPPED'),
      'SUCCEEDED',
    ]);
  });
});

describe('a bound', () => {
  /** Two heads that do not train together. */
  const twoHeads = (budget: NonNullable<SweepSpec['budget']>): SweepSpec =>
    specOf({
      parameters: [{ name: 'batch_size', domain: { kind: 'values', values: [8, 16] }, conditions: [] }],
      budget,
    });

  it('of slot-seconds ends a sweep, stops what has not begun, and says so', async () => {
    const trainer = await trainerOf(harness);
    const sweepId = await harness.submit(twoHeads({ slotSeconds: 1e-6, wallSeconds: null, target: null }));
    expect(await trainer.workAll()).toEqual(['INDEX']);
    for (const run of await runsOf(harness, sweepId)) {
      expect(run).toMatchObject({ state: 'STOPPED', end_cause: 'BUDGET' });
      expect(run.state_reason).toMatch(/slot-seconds are spent$/);
    }
    const [search] = await harness.query('SELECT end_reason FROM searches WHERE sweep_id = $1', [sweepId]);
    expect(search).toEqual({ end_reason: 'BUDGET' });
  });

  it('of the objective stops the attempt that runs, and the best run is tested', async () => {
    const trainer = await trainerOf(harness);
    const target = { value: 1, confidence: 0.9 };
    const sweepId = await harness.submit(twoHeads({ slotSeconds: null, wallSeconds: null, target }));
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.work(await trainer.mustLease('FEATURES'));
    const head = await trainer.mustLease('HEAD');
    await trainer.report([trainer.batch(head, 1, 1)]);
    const [run] = head.runs;
    await trainer.checkpoint(head, run?.runId ?? '', 1, 'BEST');
    // The leader's loop notices it.
    await expect
      .poll(async () => (await trainer.heartbeat([head]))[0]?.command, { timeout: 20_000 })
      .toBe(TaskCommand.STOP);
    await trainer.complete(head, { stage: 'TRAIN', outcomes: [outcomeOf(run?.runId ?? '', 1, { kind: 'STOPPED' })] });
    for (const ended of await runsOf(harness, sweepId))
      expect(ended).toMatchObject({ state: 'STOPPED', end_cause: 'TARGET' });
    expect(await trainer.workAll()).toEqual(['EVALUATE']);
    const [tested] = await harness.query(`SELECT run_id FROM test_results WHERE role = 'WINNER'`);
    expect(tested).toEqual({ run_id: run?.runId });
  });
});

describe('runs that wait at a rung', () => {
  it('fail with the head that they wait for', async () => {
    const trainer = await trainerOf(harness);
    const sweepId = await harness.submit(tuningSpec({}));
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.work(await trainer.mustLease('FEATURES'));
    await trainer.fail(await trainer.mustLease('HEAD'), { errorClass: 'PERMANENT', message: 'no such layer' });
    const runs = await runsOf(harness, sweepId);
    expect(runs.map(({ state, end_cause: cause }) => `${state} ${cause ?? ''}`)).toEqual(
      runs.map(() => 'FAILED ERROR'),
    );
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep?.state).toBe(SweepState.FAILED);
  });

  it('stay there when their sweep is paused and resumed', async () => {
    const trainer = await trainerOf(harness);
    const sweepId = await harness.submit(tuningSpec(WITHOUT_HEAD));
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.work(await trainer.mustLease('FEATURES'));
    await trainer.work(await trainer.mustLease('FINE_TUNE'));
    await harness.sweeps.pauseSweep({ sweepId, reason: '' });
    await harness.sweeps.resumeSweep({ sweepId });
    const waiting = (await runsOf(harness, sweepId)).filter(({ state }) => state === 'PAUSED');
    expect(waiting.map(({ paused_rung: rung }) => rung)).toEqual([0]);
  });

  it('train on with a trainer that knows no pause, and are compared all the same', async () => {
    const trainer = await trainerOf(harness);
    trainer.knowsRungs = false;
    const sweepId = await harness.submit(tuningSpec({ ...WITHOUT_HEAD, 'fine_tune.epochs': 12 }));
    await trainer.workAll();
    expect((await runsOf(harness, sweepId)).every(({ state }) => state === 'SUCCEEDED')).toBe(true);
    const log = await harness.query<{ kind: string; reason: string }>(
      `SELECT DISTINCT kind, reason FROM decision_log WHERE rung = 0 AND sweep_id = $1`,
      [sweepId],
    );
    expect(log).toEqual([{ kind: 'CONTINUE', reason: "trained on: the trainer's version can't pause" }]);
    await expectSoundTables(harness, sweepId);
  });

  it('start again from the head when their checkpoint was not kept', async () => {
    const trainer = await trainerOf(harness);
    const spec = tuningSpec(
      { ...WITHOUT_HEAD, 'fine_tune.epochs': 9 },
      { stopping: stoppingAt([3], { keepPaused: 0 }) },
    );
    const sweepId = await harness.submit(spec);
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.work(await trainer.mustLease('FEATURES'));
    for (let run = 0; run < 8; run += 1) await trainer.work(await trainer.mustLease('FINE_TUNE'));
    const last = await trainer.mustLease('FINE_TUNE');
    const stored = `SELECT count(*)::int AS count FROM checkpoints WHERE kind = 'LAST' AND state = 'STORED'`;
    await expect.poll(async () => (await harness.query(stored))[0], { timeout: 20_000 }).toEqual({ count: 0 });
    await trainer.work(last);
    const promoted = await trainer.mustLease('FINE_TUNE');
    const [run] = promoted.runs;
    const isOwn = run?.runId === last.runs[0]?.runId;
    expect(run?.resumeCheckpoint?.epoch ?? 0).toBe(isOwn ? 3 : 0);
    await trainer.work(promoted);
    await trainer.workAll();
    const [curve] = await harness.query(
      `SELECT count(*)::int AS count FROM epoch_metrics WHERE run_id = $1 AND name = 'val_loss' AND superseded_by IS NULL`,
      [run?.runId],
    );
    expect(curve).toEqual({ count: 9 });
    await expectSoundTables(harness, sweepId);
  });
});
