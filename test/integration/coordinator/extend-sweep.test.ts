import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IllegalStateError, InvalidRequestError, NotFoundError } from '../../../services/core/errors.ts';
import { RECIPE_VERSION } from '../../../services/core/recipe-version.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { parametersToProto } from '../../../services/platform/rpc/convert/parameter.ts';
import { RunState } from '../../../proto/gen/graft/v1/run.ts';
import type { Run } from '../../../proto/gen/graft/v1/run.ts';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { ExtendSweepRequest } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness({ retentionMs: 3_600_000 });
  trainer = await harness.trainer('t1', 1);
  await trainer.register(1, undefined, RECIPE_VERSION);
});
afterEach(() => harness[Symbol.asyncDispose]());

const RATES = { kind: 'range', min: 1e-4, max: 1e-1, scale: 'log', gridPoints: null, step: null } as const;

/** Heads with drawn learning rates. */
function drawn(maxRuns: number, changes: Partial<SweepSpec> = {}): SweepSpec {
  return specOf({
    parameters: [{ name: 'optimizer.learning_rate', domain: RATES, conditions: [] }],
    strategy: 'random',
    maxRuns,
    ...changes,
  });
}

const TREE = specOf({
  base: { ...specOf().base, 'fine_tune.enabled': true, 'fine_tune.epochs': 2, 'fine_tune.unfreeze': 'block2' },
  parameters: [],
  strategy: 'list',
  variants: [{ 'fine_tune.learning_rate': 1e-5 }, { 'fine_tune.learning_rate': 1e-4 }],
});

async function runsOf(sweepId: string): Promise<Run[]> {
  return (await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' })).runs;
}

async function sweepOf(sweepId: string) {
  return (await harness.sweeps.getSweep({ sweepId })).sweep;
}

const extend = (sweepId: string, changes: Partial<ExtendSweepRequest>) =>
  harness.sweeps.extendSweep(ExtendSweepRequest.fromPartial({ sweepId, ...changes }));

const parametersOf = (runs: readonly Run[]) => runs.map(({ parameters }) => parameters);

async function decisions(sweepId: string): Promise<string[]> {
  const rows = await harness.query<{ kind: string }>(
    'SELECT kind FROM decisions WHERE sweep_id = $1 ORDER BY decision_id',
    [sweepId],
  );
  return rows.map(({ kind }) => kind).filter((kind) => kind !== 'CONTINUE');
}

describe('ExtendSweep', { timeout: 120_000 }, () => {
  it('continues the drawn sequence of an ended sweep, with the features that are there, and tests the new winner', async () => {
    const sweepId = await harness.submit(drawn(2));
    await trainer.workAll(300);
    const before = await runsOf(sweepId);
    const { sweep } = await extend(sweepId, { maxRuns: 6, reason: 'more' });
    expect(sweep).toMatchObject({ state: SweepState.ACTIVE, runCount: 6, endTime: undefined });
    const reference = await harness.submit(drawn(6, { reuse: false }));
    const extended = await runsOf(sweepId);
    expect(parametersOf(extended)).toEqual(parametersOf(await runsOf(reference)));
    expect(extended.slice(0, 2)).toEqual(before);
    await harness.sweeps.cancelSweep({ sweepId: reference, reason: '' });
    // A repetition changes nothing.
    expect((await extend(sweepId, { maxRuns: 6, reason: 'again' })).sweep).toEqual(sweep);
    expect(await decisions(sweepId)).toEqual(['EXTEND']);

    const stages = await trainer.workAll(300);
    expect(stages.filter((stage) => stage !== 'EVALUATE')).toEqual(['HEAD']);
    const ended = await sweepOf(sweepId);
    expect(ended).toMatchObject({ state: SweepState.SUCCEEDED, succeededRunCount: 6 });
    const { entries, testLookCount } = await harness.sweeps.getLeaderboard({ sweepId, pageSize: 0, pageToken: '' });
    expect(entries[0]?.testResult?.role).toBe('WINNER');
    const tested = entries.filter(({ testResult }) => testResult !== undefined);
    expect(tested.filter(({ testResult }) => testResult?.role === 'WINNER')).toHaveLength(1);
    expect(testLookCount).toBe(tested.length);
  });

  it('adds variants and longer fine-tunings that start from the heads that are there', async () => {
    const sweepId = await harness.submit(TREE);
    await trainer.workAll(300);
    const lead = (await runsOf(sweepId))[0]?.runId ?? '';
    await extend(sweepId, { fineTuneEpochs: 4 });
    const variants = [{ parameters: parametersToProto({ 'fine_tune.learning_rate': 1e-3 }) }];
    await extend(sweepId, { variants });
    await extend(sweepId, { variants });
    const stages = await trainer.workAll(300);
    expect(stages.filter((stage) => stage !== 'EVALUATE')).toEqual(['FINE_TUNE', 'FINE_TUNE', 'FINE_TUNE']);
    const runs = await runsOf(sweepId);
    expect(runs.map(({ headRunId }) => headRunId)).toEqual(['', lead, lead, lead, lead]);
    expect(runs.every(({ state }) => state === RunState.SUCCEEDED)).toBe(true);
    expect(runs.map(({ epochCount }) => epochCount)).toEqual([2, 2, 4, 4, 4]);
    expect(runs[0]?.variedNames.toSorted()).toEqual(['fine_tune.epochs', 'fine_tune.learning_rate']);
    expect((await sweepOf(sweepId))?.state).toBe(SweepState.SUCCEEDED);
  });

  it('adds runs before the sweep is planned and while it runs, once for calls at the same time', async () => {
    const early = await harness.submit(drawn(2));
    await extend(early, { maxRuns: 3 });
    expect(await trainer.workAll(300)).toEqual(['INDEX', 'FEATURES', 'HEAD', 'EVALUATE']);
    expect((await runsOf(early)).map(({ state }) => state)).toEqual([5, 5, 5]);

    const sweepId = await harness.submit(drawn(2, { seed: 2, reuse: false }));
    await trainer.work(await trainer.mustLease('INDEX'));
    const head = await trainer.mustLease('HEAD');
    await using other = await startHarness({
      databaseUrl: harness.databaseUrl,
      env: { GRAFT_ARTIFACTS_DIR: harness.artifacts.root },
    });
    const request = ExtendSweepRequest.fromPartial({ sweepId, maxRuns: 5 });
    await Promise.all([harness, other, harness, other].map(({ sweeps }) => sweeps.extendSweep(request)));
    expect(await runsOf(sweepId)).toHaveLength(5);
    expect(await decisions(sweepId)).toEqual(['EXTEND']);
    await trainer.train(head);
    await trainer.workAll(300);
    expect(await sweepOf(sweepId)).toMatchObject({ state: SweepState.SUCCEEDED, succeededRunCount: 5 });
  });

  it('changes the budget and records it', async () => {
    const sweepId = await harness.submit(drawn(2));
    await trainer.work(await trainer.mustLease('INDEX'));
    const budget = { slotSeconds: 600, wallSeconds: undefined, target: undefined };
    for (let time = 0; time < 2; time += 1) {
      expect((await extend(sweepId, { budget })).sweep).toMatchObject({ budget, runCount: 2 });
    }
    expect(await decisions(sweepId)).toEqual(['CHANGE_BUDGET']);
    const [row] = await harness.query(`SELECT inputs, reason FROM decisions WHERE kind = 'CHANGE_BUDGET'`);
    expect(row).toMatchObject({ inputs: { from: null, to: { slotSeconds: 600 } }, reason: 'extended by a person' });
  });

  it('refuses what the sweep does not allow, all mistakes at once', async () => {
    const sweepId = await harness.submit(drawn(3));
    const variants = [{ parameters: parametersToProto({ no_such_name: 1 }) }];
    const budget = { slotSeconds: -1, wallSeconds: undefined, target: undefined };
    const refused = await extend(sweepId, { maxRuns: 2, epochs: 1, variants, budget }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InvalidRequestError);
    const fields = (refused as InvalidRequestError).violations.map(({ field }) => field);
    expect(fields).toEqual(expect.arrayContaining(['max_runs', 'epochs', 'budget.slot_seconds']));
    expect(fields.some((field) => field.startsWith('variants[0]'))).toBe(true);
    const grid = await harness.submit(specOf());
    await expect(extend(grid, { maxRuns: 9 })).rejects.toThrow(/max_runs: .*all grid points are in it/);
    await harness.sweeps.cancelSweep({ sweepId: grid, reason: '' });
    await expect(extend(grid, { epochs: 9 })).rejects.toThrow(IllegalStateError);
    await expect(extend('nothing', { epochs: 9 })).rejects.toThrow(NotFoundError);
  });
});
