import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness();
  trainer = await harness.trainer('a', 2);
});
afterEach(() => harness[Symbol.asyncDispose]());

async function sweepState(sweepId: string): Promise<{ state: string; reason: string }> {
  const [row] = await harness.query<{ state: string; reason: string }>(
    'SELECT state, state_reason AS reason FROM sweeps WHERE sweep_id = $1',
    [sweepId],
  );
  return row ?? { state: '', reason: '' };
}

async function expectNothingCounted(sweepId: string): Promise<void> {
  const counted = await harness.query(
    'SELECT task_id FROM tasks WHERE sweep_id = $1 AND failure_count + infrastructure_count + memory_count > 0',
    [sweepId],
  );
  expect(counted).toEqual([]);
}

describe('a manifest that is lost or damaged', () => {
  const damaged = {
    errorClass: 'INFRASTRUCTURE',
    code: 'MANIFEST_MISSING',
    message: 'gone',
    manifestDamaged: true,
  } as const;

  it('is reindexed, once for two sweeps, before all other tasks, and no failure is counted', async () => {
    const other = await harness.trainer('b', 2);
    const a = await harness.submit(specOf());
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.work(await trainer.mustLease('FEATURES'));
    const held = await trainer.mustLease('HEAD');
    const b = await harness.submit(specOf({ seed: 2 }));
    await other.work(await other.mustLease('INDEX'));
    const second = await other.mustLease('HEAD');
    expect(second.sweepId).toBe(b);
    // An attempt that begins after the second sweep has indexed.
    await trainer.release(held, 1);
    const first = await trainer.mustLease('HEAD');
    expect(first.sweepId).toBe(a);
    await trainer.fail(first, damaged);
    await other.fail(second, damaged);
    const index = await trainer.mustLease('INDEX');
    expect(await other.lease(0, 500)).toBeNull();
    await trainer.work(index);
    expect(await trainer.workAll(1_000)).not.toContain('INDEX');
    for (const id of [a, b]) {
      expect(await sweepState(id)).toEqual({ state: 'SUCCEEDED', reason: '' });
      await expectNothingCounted(id);
    }
  });

  it('is not reindexed for an attempt that began before the reindexing', async () => {
    const id = await harness.submit(
      specOf({ parameters: [{ name: 'batch_size', domain: { kind: 'values', values: [8, 16] }, conditions: [] }] }),
    );
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.work(await trainer.mustLease('FEATURES'));
    const [first, second] = [await trainer.mustLease('HEAD', 0), await trainer.mustLease('HEAD', 1)];
    await trainer.fail(first, damaged);
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.fail(second, damaged);
    expect(await trainer.workAll()).toEqual(['HEAD', 'HEAD', 'EVALUATE']);
    await expectNothingCounted(id);
  });

  it('fails the sweep with the difference when the folder holds other images', async () => {
    const id = await harness.submit(specOf());
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.fail(await trainer.mustLease('FEATURES'), damaged);
    const index = await trainer.mustLease('INDEX');
    const result = trainer.resultOf(index);
    if (result.stage !== 'INDEX') throw new Error('no index result');
    const digest = 'e'.repeat(64);
    const classCounts = result.dataset.classCounts.map((count) => ({ ...count, imageCount: 9 }));
    const dataset = { ...result.dataset, digest, datasetId: `d${digest.slice(0, 16)}`, classCounts };
    await trainer.complete(index, { ...result, dataset, manifestUri: `datasets/${digest}.jsonl` });
    const { state, reason } = await sweepState(id);
    expect(state).toBe('FAILED');
    expect(reason).toMatch(
      /was lost or damaged, and \/data\/animals holds other images now: .* with 54 images .* instead of 60/,
    );
    const runs = await harness.query<{ state: string; reason: string }>(
      'SELECT state, state_reason AS reason FROM runs WHERE sweep_id = $1',
      [id],
    );
    expect(runs.every((run) => run.state === 'FAILED' && run.reason === reason)).toBe(true);
    expect(await trainer.lease(0, 300)).toBeNull();
    expect(await harness.query(`SELECT 1 FROM tasks WHERE state IN ('WAITING', 'READY', 'LEASED', 'RUNNING')`)).toEqual(
      [],
    );
  });

  it('is refused from a trainer that reports other counts for the same digest', async () => {
    const id = await harness.submit(specOf());
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.fail(await trainer.mustLease('FEATURES'), damaged);
    const index = await trainer.mustLease('INDEX');
    const result = trainer.resultOf(index);
    if (result.stage !== 'INDEX') throw new Error('no index result');
    const classCounts = result.dataset.classCounts.map((count) => ({ ...count, imageCount: 9 }));
    await expect(
      trainer.complete(index, { ...result, dataset: { ...result.dataset, classCounts } }),
    ).rejects.toMatchObject({ reason: 'REPORT_REFUSED', violations: { length: 6 } });
    await trainer.work(index);
    await trainer.workAll();
    expect(await sweepState(id)).toEqual({ state: 'SUCCEEDED', reason: '' });
    await expectNothingCounted(id);
  });

  it('fails the sweep when it is lost repeatedly', async () => {
    const id = await harness.submit(specOf());
    await trainer.work(await trainer.mustLease('INDEX'));
    for (let times = 0; times < 3; times += 1) {
      await trainer.fail(await trainer.mustLease('FEATURES'), damaged);
      await trainer.work(await trainer.mustLease('INDEX'));
    }
    await trainer.fail(await trainer.mustLease('FEATURES'), damaged);
    expect(await sweepState(id)).toMatchObject({
      state: 'FAILED',
      reason: expect.stringMatching(/again after .* 3 more times/) as string,
    });
    expect(await trainer.lease(0, 300)).toBeNull();
  });
});
