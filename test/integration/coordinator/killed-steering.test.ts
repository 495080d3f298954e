import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { ExtendSweepRequest } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness, SweepClient } from './harness.ts';
import { withKilledCoordinator } from './killed-coordinator.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness({ retentionMs: 50 });
  trainer = await harness.trainer('t1', 1);
});
afterEach(() => harness[Symbol.asyncDispose]());

/** Makes a call to another coordinator on the same database, which is killed at a point of it. The call has no answer. */
async function callKilledAt(point: string, call: (sweeps: SweepClient['call']) => Promise<unknown>): Promise<void> {
  await withKilledCoordinator(harness, point, (sweeps) => expect(call(sweeps)).rejects.toThrow());
}

/** Trains what is ready. @returns the number of runs that have not ended */
async function liveRuns(): Promise<number> {
  await trainer.workAll(100);
  return count(`runs WHERE state IN ('QUEUED', 'RUNNING', 'PAUSED', 'STOPPING')`);
}

async function count(table: string): Promise<number> {
  return Number((await harness.query<{ count: string }>(`SELECT count(*) FROM ${table}`))[0]?.count);
}

/** Four fine-tunings that pause after the first of two epochs; three are promoted. */
const SEARCH = specOf({
  base: {
    ...specOf().base,
    epochs: 0,
    'fine_tune.enabled': true,
    'fine_tune.allow_untrained_head': true,
    'fine_tune.epochs': 2,
    'fine_tune.unfreeze': 'block2',
  },
  parameters: [],
  strategy: 'list',
  variants: [1, 2, 3, 4].map((rate) => ({ 'fine_tune.learning_rate': rate / 1e5 })),
  reuse: false,
  stopping: { ...STOPPING_DEFAULTS, rule: 'promotion', reductionFactor: 2, rungs: { head: [], fineTune: [1] } },
});
const ONE_MORE = sweepSpecToProto({ ...SEARCH, variants: [{ 'fine_tune.learning_rate': 5e-5 }] }).variants;

interface Steering {
  readonly name: string;
  /** Brings the search to where it is steered; its first run waits at a rung then. */
  readonly prepare?: (runIds: readonly string[], sweepId: string) => Promise<unknown>;
  readonly call: (sweeps: SweepClient['call'], sweepId: string, runIds: readonly string[]) => Promise<unknown>;
  /** State of the sweep, and of its first two runs, after the call. */
  readonly then: readonly string[];
  /** Lets the search end afterwards, as a trainer or a person does. */
  readonly conclude?: (sweepId: string) => Promise<unknown>;
}

const CALLS: readonly Steering[] = [
  {
    name: 'PauseSweep',
    call: (sweeps, sweepId) => sweeps.pauseSweep({ sweepId, reason: 'a break' }),
    then: ['PAUSED', 'PAUSED', 'QUEUED'],
    conclude: (sweepId) => harness.sweeps.resumeSweep({ sweepId }),
  },
  {
    name: 'ResumeSweep',
    prepare: (_runIds, sweepId) => harness.sweeps.pauseSweep({ sweepId, reason: 'a break' }),
    call: (sweeps, sweepId) => sweeps.resumeSweep({ sweepId }),
    then: ['ACTIVE', 'PAUSED', 'QUEUED'],
  },
  {
    name: 'UpdateSweep of the priority',
    call: (sweeps, sweepId) => sweeps.updateSweep({ sweepId, priority: 7, addTags: [], removeTags: [] }),
    then: ['ACTIVE', 'PAUSED', 'QUEUED'],
  },
  {
    name: 'StopRun of a run that waits at a rung',
    call: (sweeps, _sweepId, runIds) => sweeps.stopRun({ runId: runIds[0] ?? '', reason: 'not this one' }),
    then: ['ACTIVE', 'STOPPED', 'QUEUED'],
  },
  {
    name: 'StopRun of a run that trains',
    prepare: () => trainer.mustLease('FINE_TUNE').then((task) => trainer.report([trainer.batch(task, 1, 1)])),
    call: (sweeps, _sweepId, runIds) => sweeps.stopRun({ runId: runIds[1] ?? '', reason: 'not this one' }),
    then: ['ACTIVE', 'PAUSED', 'STOPPING'],
    conclude: () => harness.query(`UPDATE tasks SET lease_expire_time = now() WHERE state = 'RUNNING'`),
  },
  {
    name: 'RetryRun',
    prepare: () => trainer.mustLease('FINE_TUNE').then((task) => trainer.fail(task, { errorClass: 'PERMANENT' })),
    call: (sweeps, _sweepId, runIds) => sweeps.retryRun({ runId: runIds[1] ?? '', reason: 'retried' }),
    then: ['ACTIVE', 'PAUSED', 'QUEUED'],
  },
  {
    name: 'ExtendSweep',
    call: (sweeps, sweepId) => sweeps.extendSweep(ExtendSweepRequest.fromPartial({ sweepId, variants: ONE_MORE })),
    then: ['ACTIVE', 'PAUSED', 'QUEUED'],
  },
  {
    name: 'CancelSweep',
    call: (sweeps, sweepId) => sweeps.cancelSweep({ sweepId, reason: '' }),
    then: ['CANCELLED', 'CANCELLED', 'CANCELLED'],
  },
  {
    name: 'KillSweep',
    call: (sweeps, sweepId) => sweeps.killSweep({ sweepId, reason: '' }),
    then: ['CANCELLED', 'CANCELLED', 'CANCELLED'],
  },
];

/** Returns everything that steering may change, without times. */
async function record(): Promise<unknown[]> {
  const statements = [
    `SELECT sweep_id, state, state_reason, priority, spec FROM sweeps ORDER BY sweep_id`,
    `SELECT run_id, state, state_reason, end_cause, rung, paused_rung FROM runs ORDER BY run_id`,
    `SELECT task_id, state, command, rung, pause_epoch FROM tasks ORDER BY task_id`,
    `SELECT sweep_id, kind, run_index, rung, place, cut, reason FROM decision_log ORDER BY sweep_id, decision_id`,
    `SELECT sweep_id, end_reason, decision_count FROM searches ORDER BY sweep_id`,
    `SELECT sweep_id, count(*) FROM events GROUP BY sweep_id ORDER BY sweep_id`,
  ];
  return Promise.all(statements.map((statement) => harness.query(statement)));
}

describe('a coordinator that is killed while a person steers', () => {
  it.each(CALLS)(
    'has changed nothing before the commit, and all of it after: $name',
    { timeout: 120_000 },
    async ({ prepare, call, then, conclude }) => {
      const sweepId = await harness.submit(SEARCH);
      for (const stage of ['INDEX', 'FEATURES', 'FINE_TUNE'] as const)
        await trainer.work(await trainer.mustLease(stage));
      const runs = await harness.query<{ run_id: string }>('SELECT run_id FROM runs ORDER BY run_index');
      const runIds = runs.map(({ run_id: runId }) => runId);
      await prepare?.(runIds, sweepId);
      const before = await record();
      await callKilledAt('steer.uncommitted', (sweeps) => call(sweeps, sweepId, runIds));
      expect(await record()).toEqual(before);

      await callKilledAt('steer.committed', (sweeps) => call(sweeps, sweepId, runIds));
      const states = await harness.query<{ state: string }>(
        `SELECT state FROM sweeps UNION ALL (SELECT state FROM runs WHERE run_id = ANY($1) ORDER BY run_index)`,
        [runIds.slice(0, 2)],
      );
      expect(states.map(({ state }) => state)).toEqual(then);
      const after = await record();
      expect(after).not.toEqual(before);
      // The caller, who had no answer, asks again.
      await call(harness.sweeps, sweepId, runIds);
      expect(await record()).toEqual(after);

      await conclude?.(sweepId);
      await expect.poll(() => liveRuns(), { timeout: 30_000 }).toBe(0);
      const { replay } = await harness.sweeps.explainSweep({ sweepId, replay: true });
      expect(replay?.differences).toEqual([]);
    },
  );

  it(
    'leaves sweeps that wait for features of a cancelled one to the other coordinators',
    { timeout: 120_000 },
    async () => {
      const cancelled = await harness.submit(specOf());
      await trainer.work(await trainer.mustLease('INDEX'));
      // Its INDEX comes before the features that it waits for then.
      const waiting = await harness.submit(specOf({ seed: 2, priority: 1 }));
      await trainer.work(await trainer.mustLease('INDEX'));
      const sets = `SELECT sweep_id FROM tasks WHERE stage = 'FEATURES' AND state = 'READY'`;
      expect(await harness.query(sets)).toEqual([{ sweep_id: cancelled }]);
      await callKilledAt('steer.committed', (sweeps) => sweeps.cancelSweep({ sweepId: cancelled, reason: '' }));
      await expect.poll(() => harness.query(sets), { timeout: 20_000 }).toEqual([{ sweep_id: waiting }]);
      await trainer.workAll(300);
      expect(await harness.query('SELECT state FROM sweeps WHERE sweep_id = $1', [waiting])).toEqual([
        { state: 'SUCCEEDED' },
      ]);
    },
  );

  it('leaves a sweep whole before the commit of its deletion, and deleted after it', { timeout: 120_000 }, async () => {
    const sweepId = await harness.submit(specOf());
    await trainer.workAll(300);
    await harness.coordinator.loops.passes(2);
    const tables = ['runs', 'tasks', 'epoch_metrics', 'checkpoints', 'events', 'feature_sets', 'test_predictions'];
    const before = await Promise.all(tables.map(count));
    const request = { sweepId, dryRun: false };
    await callKilledAt('steer.uncommitted', (sweeps) => sweeps.deleteSweep(request));
    expect(await Promise.all(tables.map(count))).toEqual(before);
    expect(await count('file_removals')).toBe(0);
    const planned = await harness.sweeps.deleteSweep({ ...request, dryRun: true });

    await callKilledAt('steer.committed', (sweeps) => sweeps.deleteSweep(request));
    expect(await Promise.all(tables.map(count))).toEqual(tables.map(() => 0));
    await harness.coordinator.loops.passes(2);
    const left = [];
    for await (const { uri } of harness.artifacts.list()) left.push(uri);
    expect(left.filter((uri) => !uri.startsWith('probes/'))).toEqual(['graft-store.json']);
    // The caller, who had no answer, gets the answer of the call that took effect.
    expect(await harness.sweeps.deleteSweep(request)).toEqual({
      ...planned,
      files: [],
      deleteTime: expect.any(Date) as Date,
    });
    expect(await count('deleted_sweeps')).toBe(1);
  });
});
