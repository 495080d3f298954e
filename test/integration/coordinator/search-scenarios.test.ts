import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RECIPE_VERSION } from '../../../services/core/recipe-version.ts';
import { isTerminalRunState } from '../../../services/core/states/run-state.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import type { LeasedTask, TaskError } from '../../../services/core/task.ts';
import { startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { expectConclusion, groupSpec, runsOf, skipDelays, stoppingAt, trainGroup } from './search-fixture.ts';
import { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeAll(async () => {
  harness = await startHarness({ retentionMs: 3_600_000 });
  trainer = new SimulatedTrainer(harness.trainers, harness.artifacts, 'many');
  await trainer.register(3, undefined, RECIPE_VERSION);
});
afterAll(() => harness[Symbol.asyncDispose]());

const WITHOUT_HEAD = { epochs: 0, 'fine_tune.allow_untrained_head': true };
const values = (name: string, list: readonly number[]): SweepSpec['parameters'][number] => ({
  name,
  domain: { kind: 'values', values: list },
  conditions: [],
});
/** Two heads, each with three fine-tunings. */
const SHARED = {
  parameters: [values('optimizer.learning_rate', [0.1, 0.01]), values('fine_tune.learning_rate', [1e-5, 2e-5, 3e-5])],
};
const RATES = [1e-5, 2e-5, 3e-5, 4e-5, 5e-5, 6e-5];

const SWEEPS: readonly (readonly [string, SweepSpec])[] = [
  ['promotion of groups with shared heads', groupSpec([], { epochs: 4 }, { ...SHARED, stopping: stoppingAt([3, 6]) })],
  [
    'promotion of groups without a head, synchronous',
    groupSpec(RATES, WITHOUT_HEAD, { stopping: stoppingAt([3, 6], { synchronous: true }) }),
  ],
  [
    'asha with milestones in shared heads',
    groupSpec(
      [],
      { epochs: 6 },
      {
        ...SHARED,
        stopping: { ...stoppingAt([4], { rule: 'asha', minEntries: 2 }), rungs: { head: [2, 4], fineTune: [4] } },
      },
    ),
  ],
  [
    'paired, synchronous',
    groupSpec(
      [],
      { epochs: 4 },
      {
        ...SHARED,
        stopping: stoppingAt([4, 8], { rule: 'paired', synchronous: true, confidence: 0.5 }),
      },
    ),
  ],
  [
    'paired with patience',
    groupSpec(
      [],
      { epochs: 4, method: 'cached' },
      {
        ...SHARED,
        stopping: stoppingAt([3, 6, 9], {
          rule: 'paired',
          minEntries: 2,
          confidence: 0.5,
          patience: { epochs: 3, minDelta: 0.05 },
        }),
      },
    ),
  ],
  [
    'percentiles with a threshold',
    groupSpec(RATES, WITHOUT_HEAD, {
      stopping: stoppingAt([3, 6, 9], {
        rule: 'percentile',
        minEntries: 2,
        threshold: { worseThan: 0.45, fromEpoch: 3 },
      }),
    }),
  ],
];

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const ERRORS: readonly Partial<TaskError>[] = [
  { errorClass: 'COUNTED' },
  { errorClass: 'MEMORY' },
  { errorClass: 'INFRASTRUCTURE' },
  { errorClass: 'NUMERIC', code: 'LOSS_NOT_FINITE' },
  { errorClass: 'PERMANENT', code: 'UNSUPPORTED_MODEL' },
];

/** Does a training task, and now and then something happens to it. */
async function disturb(sweepId: string, task: LeasedTask, random: () => number): Promise<void> {
  const pick = Math.floor(random() * 8);
  const epoch = 1 + Math.floor(random() * 7);
  const some = task.runs.filter(() => random() < 0.5);
  trainer.knowsRungs = random() < 0.7;
  switch (pick) {
    case 0:
    case 1: {
      const failing = new Map(some.map(({ runId }) => [runId, ERRORS[Math.floor(random() * ERRORS.length)] ?? {}]));
      await trainGroup(trainer, task, { failing });
      return;
    }
    case 2:
      // The attempt is lost, with or without what it has saved.
      await trainGroup(trainer, task, { diesAfter: epoch, saves: random() < 0.5 });
      await harness.query(
        `UPDATE tasks SET lease_expire_time = now() - interval '1 hour' WHERE task_id = $1 AND state IN ('LEASED', 'RUNNING')`,
        [task.taskId],
      );
      return;
    case 3:
      await trainer.release(task, 1);
      return;
    case 4:
      await harness.sweeps.pauseSweep({ sweepId, reason: '' });
      await trainer.release(task, 2);
      await harness.sweeps.resumeSweep({ sweepId });
      return;
    case 5:
      // The attempt ends in a sweep that is paused.
      await harness.sweeps.pauseSweep({ sweepId, reason: '' });
      await trainGroup(trainer, task);
      await harness.sweeps.resumeSweep({ sweepId });
      return;
    case 6: {
      const [live] = (await runsOf(harness, sweepId)).filter(
        ({ state }) => !isTerminalRunState(state) && random() < 0.5,
      );
      if (live !== undefined) await harness.sweeps.stopRun({ runId: live.run_id, reason: '' });
      await trainGroup(trainer, task);
      return;
    }
    default:
      await trainGroup(trainer, task);
  }
}

describe('a sweep whose trainers fail, die, are of two versions, and are paused and stopped by people', () => {
  it.each(SWEEPS.flatMap(([name, spec], index) => [1, 2].map((seed) => [name, seed + 10 * index, spec] as const)))(
    'ends with a cause for each run, and can be replayed: %s, seed %i',
    { timeout: 120_000 },
    async (_, seed, spec) => {
      const random = randomOf(seed);
      const sweepId = await harness.submit(spec);
      for (let disturbances = 0, idle = 0; idle < 3;) {
        await skipDelays(harness);
        const task = await trainer.lease(Math.floor(random() * 3), 400);
        if (task === null) {
          const { sweep } = await harness.sweeps.getSweep({ sweepId });
          if (sweep?.endTime !== undefined) break;
          idle += 1;
          continue;
        }
        idle = 0;
        trainer.knowsRungs = true;
        const trains = task.stage === 'HEAD' || task.stage === 'FINE_TUNE';
        if (!trains) await trainer.work(task);
        else if (disturbances < 8) {
          disturbances += 1;
          await disturb(sweepId, task, random);
        } else await trainGroup(trainer, task);
      }
      await expectConclusion(harness, sweepId);
      const [search] = await harness.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM decisions WHERE sweep_id = $1 AND kind IN ('CONTINUE', 'STOP', 'PAUSE')`,
        [sweepId],
      );
      expect(search?.count).toBeGreaterThan(0);
    },
  );
});
