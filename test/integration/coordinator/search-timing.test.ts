import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createStream } from '../../../services/core/rng/stream.ts';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import type { StoppingRule } from '../../../services/core/sweep/search-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import type { LeasedTask } from '../../../services/core/task.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { epochsOf, outcomeOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

const SLOTS = 4;

let harness: Harness;
let trainer: SimulatedTrainer;
beforeAll(async () => {
  harness = await startHarness();
  trainer = await harness.trainer('slots', SLOTS);
});
afterAll(() => harness[Symbol.asyncDispose]());

/** Three heads that train apart, each of three fine-tunings, which pause after the first and the second of three epochs. */
function nineRuns(rule: StoppingRule): SweepSpec {
  const values = (name: string, list: readonly number[]): SweepSpec['parameters'][number] => ({
    name,
    domain: { kind: 'values', values: list },
    conditions: [],
  });
  return specOf({
    base: {
      ...specOf().base,
      epochs: 2,
      'fine_tune.enabled': true,
      'fine_tune.epochs': 3,
      'fine_tune.unfreeze': 'block2',
    },
    parameters: [values('batch_size', [8, 16, 32]), values('fine_tune.learning_rate', [1e-5, 2e-5, 3e-5])],
    reuse: false,
    stopping: {
      ...STOPPING_DEFAULTS,
      rule,
      reductionFactor: 2,
      rungs: { head: [], fineTune: [1, 2] },
      synchronous: true,
    },
  });
}

/** Trains a task; returns after each epoch, and after its end. */
async function* stepsOf(task: LeasedTask): AsyncGenerator<void> {
  if (task.stage !== 'HEAD' && task.stage !== 'FINE_TUNE') {
    await trainer.work(task);
    return;
  }
  const from = Math.min(...task.runs.map((run) => run.resumeCheckpoint?.epoch ?? 0));
  const pauseEpoch = task.runs[0]?.pauseEpoch ?? null;
  const to = pauseEpoch ?? epochsOf(task);
  for (let epoch = from + 1; epoch <= to; epoch += 1) {
    const [answer] = await trainer.report([trainer.batch(task, epoch, epoch - from)]);
    expect(answer?.errorReason).toBe('');
    for (const { runId } of task.runs) {
      await trainer.checkpoint(task, runId, epoch, 'BEST');
      await trainer.checkpoint(task, runId, epoch, 'LAST');
    }
    yield;
  }
  const kind = pauseEpoch === null ? 'SUCCEEDED' : 'PAUSED';
  await trainer.complete(task, {
    stage: 'TRAIN',
    outcomes: task.runs.map(({ runId }) => outcomeOf(runId, to, { kind })),
  });
}

/** Trains a sweep on all slots, of which always one drawn at random makes a step. */
async function trainInOrder(sweepId: string, seed: number): Promise<void> {
  const random = createStream(seed, 'order');
  const busy = new Map<number, AsyncGenerator<void>>();
  for (;;) {
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const task = busy.has(slot) ? null : await trainer.lease(slot, 0);
      if (task !== null) busy.set(slot, stepsOf(task));
    }
    const slots = [...busy];
    const [slot, steps] = slots[Math.floor(random.uniform() * slots.length)] ?? [];
    if (slot === undefined || steps === undefined) {
      const [sweep] = await harness.query<{ state: string }>('SELECT state FROM sweeps WHERE sweep_id = $1', [sweepId]);
      if (sweep?.state !== 'ACTIVE') return;
      continue;
    }
    if ((await steps.next()).done === true) busy.delete(slot);
  }
}

/** Everything that a search has decided, by run: the order of events is left out. */
async function decided(sweepId: string): Promise<unknown> {
  return {
    decisions: await harness.query(
      `SELECT kind, run_index, rung, rule, place, cut, p_value, alpha, reason FROM decision_log WHERE sweep_id = $1
        ORDER BY run_index, rung, kind`,
      [sweepId],
    ),
    entries: await harness.query(
      `SELECT r.run_index, e.rung, e.value, e.epoch, e.correct FROM rung_entries e JOIN runs r USING (run_id)
        WHERE e.sweep_id = $1 ORDER BY 1, 2`,
      [sweepId],
    ),
    runs: await harness.query(
      `SELECT run_index, state, state_reason, end_cause, rung, best_value, parameters FROM runs WHERE sweep_id = $1 ORDER BY run_index`,
      [sweepId],
    ),
    tests: await harness.query(
      'SELECT r.run_index, t.role FROM test_results t JOIN runs r USING (run_id) WHERE r.sweep_id = $1 ORDER BY 1, 2',
      [sweepId],
    ),
  };
}

async function arrivals(sweepId: string): Promise<string> {
  const rows = await harness.query<{ run_index: number }>(
    'SELECT r.run_index FROM rung_entries e JOIN runs r USING (run_id) WHERE e.sweep_id = $1 ORDER BY e.rung, e.arrival',
    [sweepId],
  );
  return rows.map(({ run_index: index }) => index).join(' ');
}

describe('a synchronous search on four slots', () => {
  it.each<StoppingRule>(['promotion', 'asha', 'paired'])(
    'decides the same in whichever order its tasks end: %s',
    { timeout: 120_000 },
    async (rule) => {
      const sweeps: string[] = [];
      for (const seed of [1, 2, 3]) {
        const sweepId = await harness.submit(nineRuns(rule));
        await trainInOrder(sweepId, seed);
        sweeps.push(sweepId);
        const { replay } = await harness.sweeps.explainSweep({ sweepId, replay: true });
        expect(replay?.decisionCount).toBeGreaterThan(9);
        expect(replay?.differences).toEqual([]);
      }
      const [first, ...others] = await Promise.all(sweeps.map(decided));
      for (const other of others) expect(other).toEqual(first);
      // The orders did differ.
      expect(new Set(await Promise.all(sweeps.map(arrivals))).size).toBeGreaterThan(1);
    },
  );
});

describe('a budget of slot-seconds', () => {
  it('is exceeded by one task at most, ends the search, and says so', { timeout: 60_000 }, async () => {
    const taskSeconds = 10;
    const sweepId = await harness.submit({
      ...nineRuns('promotion'),
      stopping: { ...STOPPING_DEFAULTS, rule: 'promotion', reductionFactor: 2, rungs: { head: [], fineTune: [1, 2] } },
      budget: { slotSeconds: 85, wallSeconds: null, target: null },
    });
    for (let task = await trainer.lease(0, 300); task !== null; task = await trainer.lease(0, 300)) {
      // The test of the winner was reserved for, and is as quick as it is.
      const seconds = task.stage === 'EVALUATE' ? 0 : taskSeconds;
      await harness.query(
        `UPDATE attempts SET create_time = create_time - make_interval(secs => $3) WHERE task_id = $1 AND lease_epoch = $2`,
        [task.taskId, task.leaseEpoch, seconds],
      );
      await trainer.work(task);
    }
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep?.spentSlotSeconds).toBeGreaterThan(40);
    // Five more, which the simulated tasks themselves may take on a busy machine.
    expect(sweep?.spentSlotSeconds).toBeLessThan(85 + taskSeconds + 5);
    const [search] = await harness.query('SELECT end_reason FROM searches WHERE sweep_id = $1', [sweepId]);
    expect(search).toEqual({ end_reason: 'BUDGET' });
    const runs = await harness.query<{ state: string; end_cause: string | null }>(
      'SELECT state, end_cause FROM runs WHERE sweep_id = $1',
      [sweepId],
    );
    expect(runs.filter(({ state }) => state !== 'SUCCEEDED' && state !== 'STOPPED')).toEqual([]);
    expect(runs.filter(({ end_cause: cause }) => cause === 'BUDGET').length).toBeGreaterThan(0);
    const { replay } = await harness.sweeps.explainSweep({ sweepId, replay: true });
    expect(replay?.differences).toEqual([]);
  });
});
