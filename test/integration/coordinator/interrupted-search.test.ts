import { afterEach, beforeEach, expect, it } from 'vitest';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { epochsOf, outcomeOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

/** Four fine-tunings that pause after the first of two epochs; three are promoted. */
const SPEC = specOf({
  base: {
    ...specOf().base,
    epochs: 0,
    'fine_tune.enabled': true,
    'fine_tune.allow_untrained_head': true,
    'fine_tune.epochs': 2,
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
    rungs: { head: [], fineTune: [1] },
    synchronous: true,
  },
});

const TABLES = [
  'attempts',
  'decisions',
  'epoch_metrics',
  'events',
  'rung_entries',
  'rungs',
  'runs',
  'searches',
  'tasks',
];

/** Lets the n-th write of the coordinator from now on fail. A sequence is not rolled back, so that it counts all of them. */
async function prepareInterruptions(): Promise<void> {
  await harness.query('CREATE SEQUENCE writes');
  await harness.query('CREATE TABLE interruption (at bigint)');
  await harness.query('INSERT INTO interruption VALUES (0)');
  await harness.query(`CREATE FUNCTION interrupt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('writes') = (SELECT at FROM interruption) THEN RAISE EXCEPTION 'interrupted'; END IF;
    RETURN NULL; END $$`);
  for (const table of TABLES) {
    await harness.query(
      `CREATE TRIGGER interrupt AFTER INSERT OR UPDATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION interrupt()`,
    );
  }
}

/** Repeats a call, each time interrupted one write later, until it goes through. @returns the number of interruptions */
async function interrupted(call: () => Promise<unknown>): Promise<number> {
  for (let at = 1; ; at += 1) {
    await harness.query(`UPDATE interruption SET at = $1::bigint + (SELECT last_value FROM writes)`, [at]);
    try {
      await call();
      await harness.query('UPDATE interruption SET at = 0');
      return at - 1;
    } catch (error) {
      if (at > 200) throw error;
    }
  }
}

async function search(trainer: SimulatedTrainer, wrap: (call: () => Promise<unknown>) => Promise<number>) {
  const sweepId = await harness.submit(SPEC);
  await trainer.work(await trainer.mustLease('INDEX'));
  // The second sweep reads the features of the first.
  const [set] = await harness.query(`SELECT 1 FROM tasks WHERE sweep_id = $1 AND stage = 'FEATURES'`, [sweepId]);
  if (set !== undefined) await trainer.work(await trainer.mustLease('FEATURES'));
  let interruptions = 0;
  for (let number = 0; number < 4 + 3; number += 1) {
    const task = await trainer.mustLease('FINE_TUNE');
    const [run] = task.runs;
    const runId = run?.runId ?? '';
    const epoch = (run?.resumeCheckpoint?.epoch ?? 0) + 1;
    interruptions += await wrap(async () => {
      const [answer] = await trainer.report([trainer.batch(task, epoch, 1)]);
      if (answer?.errorReason !== '') throw new Error(`refused: ${answer?.errorReason ?? ''}`);
    });
    await trainer.checkpoint(task, runId, epoch, 'BEST');
    await trainer.checkpoint(task, runId, epoch, 'LAST');
    const kind = epoch === epochsOf(task) ? 'SUCCEEDED' : 'PAUSED';
    interruptions += await wrap(() =>
      trainer.complete(task, { stage: 'TRAIN', outcomes: [outcomeOf(runId, epoch, { kind })] }),
    );
  }
  await trainer.workAll();
  const decisions = await harness.query(
    `SELECT decision_id, kind, run_index, rung, rule, place, cut, reason FROM decision_log WHERE sweep_id = $1 ORDER BY decision_id`,
    [sweepId],
  );
  const entries = await harness.query(
    `SELECT e.rung, r.run_index, e.arrival, e.value, e.epoch, e.lease_epoch FROM rung_entries e JOIN runs r USING (run_id)
      WHERE e.sweep_id = $1 ORDER BY e.rung, e.arrival`,
    [sweepId],
  );
  const runs = await harness.query(
    'SELECT run_index, state, state_reason, end_cause, rung FROM runs WHERE sweep_id = $1 ORDER BY run_index',
    [sweepId],
  );
  return { interruptions, record: { decisions, entries, runs } };
}

it(
  'decides the same when a batch or a completion is interrupted after any of its writes',
  { timeout: 180_000 },
  async () => {
    const trainer = await harness.trainer('interrupted');
    const undisturbed = await search(trainer, async (call) => {
      await call();
      return 0;
    });
    expect(undisturbed.record.decisions).toHaveLength(4 + 3 + 3 + 1);
    await prepareInterruptions();
    const { record, interruptions } = await search(trainer, interrupted);
    expect(record).toEqual(undisturbed.record);
    // Each of 14 calls writes to several tables.
    expect(interruptions).toBeGreaterThan(14 * 3);
  },
);
