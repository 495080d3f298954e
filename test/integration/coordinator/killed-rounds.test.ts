import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { askRound } from '../../../services/coordinator/store/rounds/ask-round.ts';
import { createStore } from '../../../services/coordinator/store/store.ts';
import type { Store } from '../../../services/coordinator/store/store.ts';
import type { LeasedTask } from '../../../services/core/task.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createClient, NO_RETRY } from '../../../services/platform/rpc/client.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { withKilledCoordinator } from './killed-coordinator.ts';
import { adaptiveSpec, endReason, roundRuns, sizesOf, TWENTY_POINTS } from './rounds-fixture.ts';
import type { RoundRun } from './rounds-fixture.ts';
import { expectConclusion } from './search-fixture.ts';
import { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
/** No loop of the surviving coordinator computes the round before the killed one has done so. */
const SLOW = { reaperMs: 600_000 };
beforeEach(async () => {
  harness = await startHarness(SLOW);
  trainer = await harness.trainer('t1');
});
afterEach(() => harness[Symbol.asyncDispose]());

const SPEC = adaptiveSpec({ maxRuns: 12 });

async function head(): Promise<LeasedTask> {
  for (;;) {
    const task = await trainer.lease(0, 20_000);
    if (task === null) throw new Error('no HEAD task came');
    if (task.stage === 'HEAD') return task;
    await trainer.work(task);
  }
}

/** Returns what must not depend on who computed a round, and when. */
async function record(sweepId: string): Promise<Record<string, unknown>> {
  const runs = await roundRuns(harness, sweepId);
  const decisions = await harness.query(
    `SELECT decision_id, kind, run_index, rung, rule, place, cut, reason FROM decision_log WHERE sweep_id = $1 ORDER BY decision_id`,
    [sweepId],
  );
  const details = await harness.query(
    'SELECT round, position, detail FROM suggestions WHERE sweep_id = $1 ORDER BY 1, 2',
    [sweepId],
  );
  return { runs, decisions, details };
}

/** Completes a task at another coordinator, which is killed on the way to the next round. */
async function completeKilledAt(point: string, task: LeasedTask): Promise<void> {
  await withKilledCoordinator(harness, point, async (_sweeps, address) => {
    const client = createClient(TrainerServiceService, { addresses: [address], retry: NO_RETRY });
    try {
      const other = new SimulatedTrainer(client.call, harness.artifacts, trainer.trainerId);
      other.takeOver(trainer);
      await other.work(task);
    } finally {
      client.close();
    }
  });
}

describe('a coordinator that is killed between the end of a round and the next one', () => {
  it.each([
    ['has computed it and not stored it', 'round.computed', 4],
    ['is about to commit it', 'suggest.uncommitted', 4],
    ['has just committed it', 'suggest.committed', 8],
  ])('loses and doubles nothing: it %s', { timeout: 120_000 }, async (_when, point, runCount) => {
    const undisturbed = await harness.submit(SPEC);
    await trainer.work(await head());
    await trainer.work(await head());
    await trainer.work(await head());
    await trainer.workAll();
    const expected = await record(undisturbed);
    expect(sizesOf(expected['runs'] as RoundRun[])).toEqual([4, 4, 4]);

    const sweepId = await harness.submit(SPEC);
    await completeKilledAt(point, await head());
    expect(await roundRuns(harness, sweepId)).toHaveLength(runCount);
    // Any coordinator that settles the sweep finds the round due.
    await harness.sweeps.pauseSweep({ sweepId, reason: 'a break' });
    await harness.sweeps.resumeSweep({ sweepId });
    await trainer.work(await head());
    await trainer.work(await head());
    await trainer.workAll();
    expect(await record(sweepId)).toEqual(expected);
    await expectConclusion(harness, sweepId);
  });
});

describe('coordinators that compute rounds at the same time', () => {
  async function withStores(count: number, use: (stores: readonly Store[]) => Promise<void>): Promise<void> {
    const log = createLogger('test', 'silent');
    const pools = Array.from({ length: count }, () =>
      createPool(harness.databaseUrl, { applicationName: 'test', max: 2, log }),
    );
    const stores = pools.map((pool) => createStore({ pool, log, leaseMs: 30_000 }));
    try {
      await use(stores);
    } finally {
      for (const store of stores) await store.prisma.$disconnect();
      for (const pool of pools) await pool.end();
    }
  }

  it('add one', { timeout: 120_000 }, async () => {
    const sweepId = await harness.submit(SPEC);
    const task = await head();
    await harness.sweeps.pauseSweep({ sweepId, reason: 'so that no coordinator computes it' });
    await trainer.work(task);
    await harness.query(`UPDATE sweeps SET state = 'ACTIVE' WHERE sweep_id = $1`, [sweepId]);
    await withStores(4, async (stores) => {
      const dropped = await Promise.all(stores.map((store) => askRound(store, sweepId)));
      expect(dropped.filter((isDropped) => !isDropped).length).toBeGreaterThanOrEqual(1);
      // Asked again, those that lost find nothing due.
      expect(await Promise.all(stores.map((store) => askRound(store, sweepId)))).toEqual([false, false, false, false]);
    });
    expect(sizesOf(await roundRuns(harness, sweepId))).toEqual([4, 4]);
    const suggests = await harness.query(`SELECT 1 FROM decisions WHERE sweep_id = $1 AND kind = 'SUGGEST'`, [sweepId]);
    expect(suggests).toHaveLength(1);
    await trainer.work(await head());
    await trainer.work(await head());
    await trainer.workAll();
    await expectConclusion(harness, sweepId);
  });

  it('exhaust a space of twenty points, none twice, though they are killed', { timeout: 180_000 }, async () => {
    const sweepId = await harness.submit(adaptiveSpec({ parameters: TWENTY_POINTS, maxRuns: 40 }));
    for (const point of ['round.computed', 'suggest.uncommitted', 'suggest.committed']) {
      await completeKilledAt(point, await head());
      await withStores(4, async (stores) => {
        await Promise.all(stores.map((store) => askRound(store, sweepId)));
      });
    }
    for (let round = 0; round < 2; round += 1) await trainer.work(await head());
    await expect.poll(() => endReason(harness, sweepId), { timeout: 20_000 }).toBe('SPACE_EXHAUSTED');
    await trainer.workAll();
    const runs = await roundRuns(harness, sweepId);
    expect(runs).toHaveLength(20);
    expect(new Set(runs.map(({ digest }) => digest)).size).toBe(20);
    await expectConclusion(harness, sweepId);
  });
});
