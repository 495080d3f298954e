import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LeasedTask } from '../../../services/core/task.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { metricsOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
let head: LeasedTask;
let sweepId: string;

beforeAll(async () => {
  harness = await startHarness();
  trainer = await harness.trainer('t1');
  sweepId = await harness.submit(specOf({ base: { ...specOf().base, epochs: 9 } }));
  await trainer.work(await trainer.mustLease('INDEX'));
  await trainer.work(await trainer.mustLease('FEATURES'));
  head = await trainer.mustLease('HEAD');
});
afterAll(() => harness[Symbol.asyncDispose]());

describe('ReportMetrics', () => {
  it('acknowledges in order, ignores repeated batches, and names a missing batch', async () => {
    const answers = await trainer.report([
      trainer.batch(head, 1, 1),
      trainer.batch(head, 1, 1),
      trainer.batch(head, 3, 3),
      trainer.batch(head, 2, 2),
    ]);
    expect(
      answers.map(({ sequence, errorReason, expectedSequence }) => [sequence, errorReason, expectedSequence]),
    ).toEqual([
      [1n, '', 0n],
      [1n, '', 0n],
      [3n, 'SEQUENCE_GAP', 2n],
      [2n, '', 0n],
    ]);
    const rows = await harness.query('SELECT DISTINCT epoch FROM epoch_metrics ORDER BY epoch');
    expect(rows).toEqual([{ epoch: 1 }, { epoch: 2 }]);
  });

  it('keeps the first value when a different one is reported for the same epoch, and marks the run', async () => {
    const runId = head.runs[0]?.runId ?? '';
    const batch = trainer.batch(head, 2, 3);
    const changed = {
      ...batch,
      epochs: batch.epochs.map((report) => ({ ...report, values: report.values.map((v) => v / 2) })),
    };
    const [answer] = await trainer.report([changed]);
    expect(answer?.errorReason).toBe('METRIC_CONFLICT');
    const [row] = await harness.query<{ value: number }>(
      `SELECT value FROM epoch_metrics WHERE run_id = $1 AND epoch = 2 AND name = 'val_loss'`,
      [runId],
    );
    expect(row?.value).toBe(metricsOf({ runId }, 'HEAD', 2)['val_loss']);
    const { run } = await harness.sweeps.getRun({ runId });
    expect(run?.stateReason).toContain('epoch 2');
    // The stream's attempt continues with the expected batch.
    const [next] = await trainer.report([trainer.batch(head, 3, 3)]);
    expect(next?.errorReason).toBe('');
  });

  it('keeps NaN and infinities, and never ranks them best', async () => {
    const runId = head.runs[1]?.runId ?? '';
    const before = (await harness.sweeps.getRun({ runId })).run;
    const report = {
      runId,
      stage: trainer.batch(head, 4, 4).epochs[0]?.stage ?? 0,
      epoch: 4,
      names: ['loss', 'val_loss', 'val_accuracy'],
      values: [Infinity, NaN, -Infinity],
    };
    const [answer] = await trainer.report([{ ...trainer.proof(head), sequence: 4n, epochs: [report], rungs: [] }]);
    expect(answer?.errorReason).toBe('');
    const { metrics } = await harness.sweeps.listEpochMetrics({ sweepId: '', runId, pageSize: 0, pageToken: '' });
    expect(metrics.filter(({ epoch }) => epoch === 4).map(({ name, value }) => [name, value])).toEqual([
      ['loss', Infinity],
      ['val_accuracy', -Infinity],
      ['val_loss', NaN],
    ]);
    const { run } = await harness.sweeps.getRun({ runId });
    expect(run?.lastValue).toBeNaN();
    expect(run?.bestValue).toBe(before?.bestValue);
  });

  it('refuses a batch that does not fit the task, and keeps the stream open', async () => {
    const batch = trainer.batch(head, 5, 5);
    const wrong = { ...batch, epochs: batch.epochs.map((report) => ({ ...report, runId: 'nobody' })) };
    const answers = await trainer.report([wrong, trainer.batch(head, 1, 1)]);
    const refused = answers.find(({ sequence }) => sequence === 5n);
    expect(answers.map(({ sequence, errorReason }) => `${sequence} ${errorReason}`).toSorted()).toEqual([
      '1 ',
      '5 REPORT_REFUSED',
    ]);
    expect(refused?.errorMessage).toContain("epochs[0].run_id: 'nobody' is no run of task");
  });

  it('takes results by image with their epoch, and refuses those of another number of images', async () => {
    const runId = head.runs[0]?.runId ?? '';
    const batch = trainer.batch(head, 5, 5);
    const rung = {
      runId,
      stage: batch.epochs[0]?.stage ?? 0,
      epoch: 5,
      isEnd: false,
      epochCount: 5,
      // A byte of 0 is allowed, unlike in a string.
      validationCorrect: Buffer.of(0, 255, 3),
      validationLosses: Array<number>(20).fill(0.5),
    };
    const wrong = { ...rung, validationCorrect: Buffer.of(255) };
    const answers = await trainer.report([
      { ...batch, rungs: [wrong] },
      { ...batch, rungs: [rung] },
    ]);
    expect(answers.map(({ errorReason }) => errorReason).toSorted()).toEqual(['', 'REPORT_REFUSED']);
    const refused = answers.find(({ errorReason }) => errorReason !== '');
    expect(refused?.errorMessage).toContain('rungs[0].validation_correct');
    expect(refused?.errorMessage).toContain('must be 3 bytes for 20 validation images; received 1');
    // Without an epoch: its own is in an earlier batch.
    const end = { ...rung, isEnd: true, epoch: 2 };
    const [late] = await trainer.report([{ ...trainer.proof(head), sequence: 6n, epochs: [], rungs: [end] }]);
    expect(late?.errorReason).toBe('');
  });

  it('returns pages of metrics without gaps or repetitions', async () => {
    const all = await harness.sweeps.listEpochMetrics({ sweepId, runId: '', pageSize: 0, pageToken: '' });
    const collected: unknown[] = [];
    let pageToken = '';
    do {
      const page = await harness.sweeps.listEpochMetrics({ sweepId, runId: '', pageSize: 4, pageToken });
      collected.push(...page.metrics);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(collected).toEqual(all.metrics);
    expect(collected.length).toBeGreaterThan(20);
    await expect(
      harness.sweeps.listEpochMetrics({ sweepId, runId: '', pageSize: 4, pageToken: 'bm9uc2Vuc2U' }),
    ).rejects.toThrow(/page_token/);
  });
});
