import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SearchEnd, SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { ExtendSweepRequest } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { ReleaseReason } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import type { LeasedTask } from '../../../services/core/task.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { adaptiveSpec, endReason, roundRuns, sizesOf, TWENTY_POINTS } from './rounds-fixture.ts';
import { expectConclusion, expectSoundTables, trainGroup } from './search-fixture.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness();
  trainer = await harness.trainer('t1');
});
afterEach(() => harness[Symbol.asyncDispose]());

/** Longest time until a round is there: its model is fitted in a thread that starts first. */
const ROUND_MS = 20_000;

/** Works until the sweep has ended. @returns the tasks in order */
async function workToEnd(sweepId: string, work = (task: LeasedTask): Promise<unknown> => trainer.work(task)) {
  const tasks: LeasedTask[] = [];
  for (;;) {
    const task = await trainer.lease(0, 200);
    if (task !== null) {
      tasks.push(task);
      await work(task);
      continue;
    }
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    if (sweep?.state !== SweepState.ACTIVE) return tasks;
  }
}

async function head(): Promise<LeasedTask> {
  for (;;) {
    const task = await trainer.lease(0, ROUND_MS);
    if (task === null) throw new Error('no HEAD task came');
    if (task.stage === 'HEAD') return task;
    await trainer.work(task);
  }
}

async function extend(sweepId: string, changes: Partial<ExtendSweepRequest>): Promise<void> {
  await harness.sweeps.extendSweep(ExtendSweepRequest.fromPartial({ sweepId, ...changes }));
}

describe('a sweep whose strategy asks for runs', () => {
  it.each(['gp', 'tpe'])(
    'has rounds of distinct runs that each train as one task: %s',
    { timeout: 120_000 },
    async (strategy) => {
      const spec = adaptiveSpec({ strategy, maxRuns: 32 }, { startupRuns: 10, roundRuns: 16 });
      const sweepId = await harness.submit(spec);
      const tasks = await workToEnd(sweepId);
      expect(tasks.map(({ stage }) => stage)).toEqual(['INDEX', 'FEATURES', 'HEAD', 'HEAD', 'EVALUATE']);
      expect(tasks.filter(({ stage }) => stage === 'HEAD').map((task) => task.runs.length)).toEqual([16, 16]);
      const runs = await roundRuns(harness, sweepId);
      expect(sizesOf(runs)).toEqual([16, 16]);
      expect(new Set(runs.map(({ digest }) => digest)).size).toBe(32);
      expect(runs.slice(16).map(({ sampler }) => sampler)).toContain(`${strategy}@1`);
      await expectConclusion(harness, sweepId);
      const { sweep } = await harness.sweeps.getSweep({ sweepId });
      expect(sweep).toMatchObject({ runCount: 32, roundCount: 2, searchEnd: SearchEnd.ALL_DECIDED });
    },
  );

  it('exhausts a finite space, each point once, and says so', { timeout: 120_000 }, async () => {
    const sweepId = await harness.submit(adaptiveSpec({ parameters: TWENTY_POINTS, maxRuns: 40 }));
    await workToEnd(sweepId);
    const runs = await roundRuns(harness, sweepId);
    expect(runs).toHaveLength(20);
    expect(new Set(runs.map(({ digest }) => digest)).size).toBe(20);
    expect(await endReason(harness, sweepId)).toBe('SPACE_EXHAUSTED');
    await expectConclusion(harness, sweepId);
    const [last] = await harness.query(
      `SELECT kind, reason FROM decision_log WHERE sweep_id = $1 ORDER BY decision_id DESC LIMIT 1`,
      [sweepId],
    );
    expect(last).toMatchObject({ kind: 'END' });
    await expect(extend(sweepId, { maxRuns: 50 })).rejects.toThrow('the search space has no other point');
  });

  it('learns from failed runs, and asks for as many', { timeout: 120_000 }, async () => {
    const sweepId = await harness.submit(adaptiveSpec());
    await workToEnd(sweepId, (task) => {
      if (task.stage !== 'HEAD') return trainer.work(task);
      const [first] = task.runs;
      return trainGroup(trainer, task, {
        failing: new Map([[first?.runId ?? '', { errorClass: 'PERMANENT' as const }]]),
      });
    });
    const runs = await roundRuns(harness, sweepId);
    expect(sizesOf(runs)).toEqual([4, 4, 4, 4]);
    expect(runs.filter(({ state }) => state === 'FAILED')).toHaveLength(4);
    await expectConclusion(harness, sweepId);
  });

  it('tells of each run where it came from', { timeout: 120_000 }, async () => {
    const sweepId = await harness.submit(adaptiveSpec({ strategy: 'gp', maxRuns: 14 }, { startupRuns: 10 }));
    await workToEnd(sweepId);
    const runs = await harness.sweeps.listRuns({ sweepId, pageSize: 100, pageToken: '' });
    const explained = await Promise.all(runs.runs.map(({ runId }) => harness.sweeps.explainRun({ runId })));
    const [first, last] = [explained[0], explained.at(-1)];
    expect(first?.run).toMatchObject({ round: 0, roundPosition: 1, sampler: 'default' });
    expect(last?.run).toMatchObject({ round: 1, roundPosition: 4, sampler: 'gp@1' });
    expect(last?.origin).toMatch(
      /round 1, place 4 of 4, by gp@1 from 10 scored runs: predicted val_loss 0\.\d+ ± 0\.\d+/,
    );
    for (const { origin } of explained) expect(origin).not.toBe('');
  });

  it('stops asking while it is paused, and continues when it is resumed', { timeout: 120_000 }, async () => {
    const sweepId = await harness.submit(adaptiveSpec({ maxRuns: 8 }));
    const first = await head();
    await harness.sweeps.pauseSweep({ sweepId, reason: 'a break' });
    await trainer.work(first);
    await harness.coordinator.loops.passes(3);
    expect(await roundRuns(harness, sweepId)).toHaveLength(4);
    await harness.sweeps.resumeSweep({ sweepId });
    await workToEnd(sweepId);
    expect(sizesOf(await roundRuns(harness, sweepId))).toEqual([4, 4]);
  });

  it('is extended by rounds and by variants, also after its end', { timeout: 120_000 }, async () => {
    const sweepId = await harness.submit(adaptiveSpec({ maxRuns: 8 }));
    await workToEnd(sweepId);
    const { variants } = sweepSpecToProto(adaptiveSpec({ variants: [{ 'head.units': 7 }] }));
    await extend(sweepId, { variants });
    await workToEnd(sweepId);
    expect(sizesOf(await roundRuns(harness, sweepId))).toEqual([4, 4]);
    await extend(sweepId, { maxRuns: 13 });
    await workToEnd(sweepId);
    const runs = await roundRuns(harness, sweepId);
    expect(sizesOf(runs)).toEqual([4, 4, 4]);
    expect(runs.filter(({ round }) => round === null).map(({ run_index: index }) => index)).toEqual([8]);
    await expectConclusion(harness, sweepId);
    await expect(extend(sweepId, { epochs: 9 })).rejects.toThrow("can't change in this sweep");
  });

  it(
    'waits for a run that a person retries, and asks on after one that a person stops',
    { timeout: 120_000 },
    async () => {
      const sweepId = await harness.submit(adaptiveSpec({ maxRuns: 8 }));
      const first = await head();
      const [stopped, failed] = first.runs;
      await harness.sweeps.stopRun({ runId: stopped?.runId ?? '', reason: 'not this one' });
      await trainGroup(trainer, first, { failing: new Map([[failed?.runId ?? '', { errorClass: 'PERMANENT' }]]) });
      await workToEnd(sweepId);
      await harness.sweeps.retryRun({ runId: failed?.runId ?? '', reason: 'again' });
      await workToEnd(sweepId);
      const runs = await roundRuns(harness, sweepId);
      expect(sizesOf(runs)).toEqual([4, 4]);
      expect(runs.map(({ state }) => state).filter((state) => state === 'FAILED')).toEqual([]);
      await expectConclusion(harness, sweepId);
    },
  );

  it(
    'asks for nothing after it is cancelled, and leaves nothing when it is deleted',
    { timeout: 120_000 },
    async () => {
      const sweepId = await harness.submit(adaptiveSpec());
      await trainer.work(await head());
      const second = await head();
      await harness.sweeps.killSweep({ sweepId, reason: '' });
      await trainer.release(second, ReleaseReason.DRAINING);
      await harness.coordinator.loops.passes(3);
      expect(sizesOf(await roundRuns(harness, sweepId))).toEqual([4, 4]);
      await harness.sweeps.deleteSweep({ sweepId, dryRun: false });
      expect(await harness.query('SELECT 1 FROM suggestions')).toEqual([]);
    },
  );

  it('ends when a bound is reached, with the runs that it has', { timeout: 120_000 }, async () => {
    const budget = { slotSeconds: 1e-6, wallSeconds: null, target: null };
    const sweepId = await harness.submit(adaptiveSpec({ maxRuns: null, budget }));
    await workToEnd(sweepId);
    expect(await endReason(harness, sweepId)).toBe('BUDGET');
    expect(sizesOf(await roundRuns(harness, sweepId))).toEqual([4]);
  });

  it('trains each head once, and fine-tunes the best of all rounds', { timeout: 120_000 }, async () => {
    const base = {
      ...specOf().base,
      epochs: 1,
      'fine_tune.enabled': true,
      'fine_tune.epochs': 3,
      'fine_tune.unfreeze': 'block2',
    };
    const sweepId = await harness.submit(adaptiveSpec({ base, maxRuns: 12 }));
    const tasks = await workToEnd(sweepId);
    const heads = tasks.filter(({ stage }) => stage === 'HEAD').flatMap((task) => task.runs.map(({ runId }) => runId));
    expect(heads).toHaveLength(12);
    expect(new Set(heads).size).toBe(12);
    const tuned = new Set(
      tasks.filter(({ stage }) => stage === 'FINE_TUNE').flatMap((task) => task.runs.map(({ runId }) => runId)),
    );
    // Of 12 heads the best ⌊12 / 3⌋ + 1 are promoted.
    expect(tuned.size).toBeLessThanOrEqual(6);
    expect(tuned.size).toBeGreaterThanOrEqual(3);
    const { entries } = await harness.sweeps.getLeaderboard({ sweepId, pageSize: 100, pageToken: '' });
    expect(entries).toHaveLength(12);
    await expectConclusion(harness, sweepId);
  });

  it('ends when rounds bring no better run', { timeout: 120_000 }, async () => {
    const budget = { slotSeconds: null, wallSeconds: null, target: null, patienceRounds: 1 };
    const sweepId = await harness.submit(adaptiveSpec({ maxRuns: 60, budget }));
    await workToEnd(sweepId);
    expect(await endReason(harness, sweepId)).toBe('PATIENCE');
    expect((await roundRuns(harness, sweepId)).length).toBeLessThan(60);
    await expectSoundTables(harness, sweepId);
    await expect(extend(sweepId, { maxRuns: 70 })).rejects.toThrow('--patience-rounds');
  });
});
