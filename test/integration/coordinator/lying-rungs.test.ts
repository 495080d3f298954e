import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let honest: SimulatedTrainer;
let liar: SimulatedTrainer;
beforeAll(async () => {
  harness = await startHarness();
  honest = await harness.trainer('honest');
  liar = await harness.trainer('liar');
});
afterAll(() => harness[Symbol.asyncDispose]());

/** Forgets the refusals, because the third one drains a trainer. */
async function leniency(): Promise<void> {
  await harness.query(
    `UPDATE trainers SET refusal_count = 0, drain_reason = NULL, state = 'READY' WHERE trainer_id = 'liar'`,
  );
}

type MetricBatch = ReturnType<SimulatedTrainer['batch']>;
type RungReport = MetricBatch['rungs'][number];

/** Four fine-tunings that pause after the first and the second of three epochs. */
const SEARCH = specOf({
  base: {
    ...specOf().base,
    epochs: 0,
    'fine_tune.enabled': true,
    'fine_tune.allow_untrained_head': true,
    'fine_tune.epochs': 3,
    'fine_tune.unfreeze': 'block2',
  },
  parameters: [
    { name: 'fine_tune.learning_rate', domain: { kind: 'values', values: [1e-5, 2e-5, 3e-5, 4e-5] }, conditions: [] },
  ],
  reuse: false,
  stopping: {
    ...STOPPING_DEFAULTS,
    rule: 'promotion',
    reductionFactor: 2,
    rungs: { head: [], fineTune: [1, 2] },
    synchronous: true,
  },
});

/** Lies about the results by image of an honest batch. @param others runs of other tasks */
function rungLies(honestBatch: MetricBatch, others: readonly string[]): Readonly<Record<string, MetricBatch>> {
  const [rung] = honestBatch.rungs;
  if (rung === undefined) throw new Error('a batch without results by image');
  const of = (changes: Partial<RungReport>): MetricBatch => ({ ...honestBatch, rungs: [{ ...rung, ...changes }] });
  const { validationCorrect: correct, validationLosses: losses } = rung;
  return {
    'of an epoch that was not trained': of({ epoch: 2, epochCount: 2 }),
    'of an epoch beyond the stage': of({ epoch: 4, epochCount: 4 }),
    'of an epoch before the first': of({ epoch: 0, epochCount: 0 }),
    'of another epoch than the last': of({ epoch: 1, epochCount: 2 }),
    'of another stage': of({ stage: 2 }),
    ...Object.fromEntries(others.map((runId, index) => [`of run ${index} of others`, of({ runId })])),
    'of more images than there are': of({ validationCorrect: Buffer.concat([correct, correct]) }),
    'with right answers behind the last image': of({ validationCorrect: Buffer.alloc(correct.length, 255) }),
    'with more losses than images': of({ validationLosses: [...losses, 0.1] }),
    'with a loss that is NaN': of({ validationLosses: losses.map((loss, image) => (image === 1 ? Number.NaN : loss)) }),
    'with a loss that is infinite': of({ validationLosses: losses.map(() => Infinity) }),
    'with a negative loss': of({ validationLosses: losses.map(() => -1) }),
    'twice in one batch': { ...honestBatch, rungs: [rung, rung] },
    'without the metrics of the epoch': { ...honestBatch, epochs: [] },
    'for the attempt before': { ...honestBatch, leaseEpoch: honestBatch.leaseEpoch - 1 },
    'for an attempt to come': { ...honestBatch, leaseEpoch: honestBatch.leaseEpoch + 1 },
  };
}

async function searchRecord(sweepId: string): Promise<unknown[]> {
  const statements = [
    'SELECT kind, run_index, rung, place, cut, reason FROM decision_log WHERE sweep_id = $1 ORDER BY decision_id',
    `SELECT r.run_index, e.rung, e.arrival, e.value, e.correct, e.losses FROM rung_entries e JOIN runs r USING (run_id)
      WHERE e.sweep_id = $1 ORDER BY e.rung, e.arrival`,
    'SELECT run_index, state, state_reason, rung, best_value FROM runs WHERE sweep_id = $1 ORDER BY run_index',
  ];
  return Promise.all(statements.map((statement) => harness.query(statement, [sweepId])));
}

describe('a trainer that lies about results by image', () => {
  it('is refused, enters no rung and changes no decision about others', { timeout: 60_000 }, async () => {
    const reference = await harness.submit(SEARCH);
    await honest.workAll();
    const sweepId = await harness.submit(SEARCH);
    await honest.work(await honest.mustLease('INDEX'));
    let task = await liar.lease(0, 5_000);
    for (; task !== null && task.stage !== 'FINE_TUNE'; task = await liar.lease(0, 5_000)) await liar.work(task);
    if (task === null) throw new Error('no FINE_TUNE task');
    const before = await searchRecord(sweepId);
    const own = task.runs.map(({ runId }) => runId);
    const [neighbour] = await harness.query<{ run_id: string }>(
      'SELECT run_id FROM runs WHERE sweep_id = $1 AND run_id <> ALL($2) ORDER BY run_index',
      [sweepId, own],
    );
    const [foreign] = await harness.query<{ run_id: string }>('SELECT run_id FROM runs WHERE sweep_id = $1', [
      reference,
    ]);
    const lies = rungLies(liar.batch(task, 1, 1), [neighbour?.run_id ?? '', foreign?.run_id ?? '']);
    for (const [lie, batch] of Object.entries(lies)) {
      await leniency();
      const [answer] = await liar.report([batch]);
      expect(answer?.errorReason, `results by image ${lie}`).toMatch(/^(REPORT_REFUSED|LEASE_NOT_HELD|LEASE_LOST)$/);
    }
    // Nothing of a refused batch is stored.
    expect(await searchRecord(sweepId)).toEqual(before);
    await leniency();
    await liar.release(task, 1);
    await harness.query(`UPDATE tasks SET not_before_time = now() WHERE state = 'READY'`);
    await honest.workAll();
    expect(await searchRecord(sweepId)).toEqual(await searchRecord(reference));
  });
});
