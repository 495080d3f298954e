import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunState } from '../../../proto/gen/graft/v1/run.ts';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { ExtendSweepRequest } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { parametersToProto } from '../../../services/platform/rpc/convert/parameter.ts';
import { agedDatabase } from '../../support/age-database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

/** The first migration of searches. */
const SEARCHES = '20261130134500_searches';

let young: Harness;
let harness: Harness;
let aged: TestDatabase;
let trainer: SimulatedTrainer;
let sweepId: string;

/** A fine-tuned sweep that has ended with a failed run, in a database that was migrated afterwards. */
beforeEach(async () => {
  young = await startHarness({ retentionMs: 3_600_000 });
  const worker = await young.trainer('t1', 1);
  sweepId = await young.submit(
    specOf({
      base: { ...specOf().base, 'fine_tune.enabled': true, 'fine_tune.epochs': 2, 'fine_tune.unfreeze': 'block2' },
      parameters: [],
      strategy: 'list',
      variants: [{ 'fine_tune.learning_rate': 1e-5 }, { 'fine_tune.learning_rate': 1e-4 }],
    }),
  );
  let task = await worker.mustLease('INDEX');
  for (; task.stage !== 'FINE_TUNE'; task = (await worker.lease(0, 5_000)) ?? task) await worker.work(task);
  await worker.fail(task, { errorClass: 'PERMANENT', message: 'the disk is full' });
  await worker.workAll();
  aged = await agedDatabase(young.databaseUrl, SEARCHES);
  harness = await startHarness({
    databaseUrl: aged.url,
    retentionMs: 3_600_000,
    env: { GRAFT_ARTIFACTS_DIR: young.artifacts.root },
  });
  trainer = await harness.trainer('t1', 1, young.artifacts);
}, 60_000);
afterEach(async () => {
  await harness[Symbol.asyncDispose]();
  await aged.drop();
  await young[Symbol.asyncDispose]();
});

const extend = (changes: object) => harness.sweeps.extendSweep(ExtendSweepRequest.fromPartial({ sweepId, ...changes }));
const explain = () => harness.sweeps.explainSweep({ sweepId, replay: true });
const sweepOf = async () => (await harness.sweeps.getSweep({ sweepId })).sweep;
const runsOf = async () => (await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' })).runs;
const retry = (runId: string) => harness.sweeps.retryRun({ runId, reason: '' });

async function kinds(): Promise<string[]> {
  const rows = await harness.query<{ kind: string }>(
    'SELECT kind FROM decisions WHERE sweep_id = $1 ORDER BY decision_id',
    [sweepId],
  );
  return rows.map(({ kind }) => kind);
}

describe('a sweep of before searches', { timeout: 60_000 }, () => {
  it('is what it was, and says that its runs were not compared', async () => {
    const [before] = (await young.sweeps.listSweeps({ pageSize: 0, pageToken: '' })).sweeps;
    expect(await sweepOf()).toMatchObject({
      state: SweepState.SUCCEEDED,
      failedRunCount: 1,
      bestRunId: before?.bestRunId,
      searchEnd: 0,
      budget: undefined,
      hasBaseline: undefined,
    });
    expect(await explain()).toMatchObject({ rule: '', rungs: [], decisionCounts: [] });
    const [run] = await runsOf();
    expect(await harness.sweeps.explainRun({ runId: run?.runId ?? '' })).toBeDefined();
  });

  it('gets a budget that bounds it, runs, and a retry', async () => {
    const failed = (await runsOf()).find(({ state }) => state === RunState.FAILED)?.runId ?? '';
    await extend({ budgetChange: { slotSeconds: 1e-6 } });
    expect(await kinds()).toEqual(['CHANGE_BUDGET']);
    await expect(retry(failed)).rejects.toThrow(/slot-seconds are spent/);
    const variants = [{ parameters: parametersToProto({ 'fine_tune.learning_rate': 1e-3 }) }];
    await expect(extend({ variants })).rejects.toThrow(/slot-seconds are spent/);
    const { sweep } = await extend({ variants, budgetChange: { slotSeconds: 600 } });
    expect(sweep).toMatchObject({ state: SweepState.ACTIVE, runCount: 3, budget: { slotSeconds: 600 } });
    await retry(failed);
    await extend({ budgetChange: { slotSeconds: 1e-6 } });
    expect((await runsOf()).map(({ state }) => state).toSorted()).toEqual(
      [RunState.SUCCEEDED, RunState.STOPPED, RunState.STOPPED].toSorted(),
    );
    await extend({ budgetChange: { slotSeconds: 0 } });
    const stages = await trainer.workAll();
    // Heads had no digest then, so the added run trains its own.
    expect(stages.filter((stage) => stage !== 'EVALUATE').toSorted()).toEqual(['FINE_TUNE', 'FINE_TUNE', 'HEAD']);
    expect((await runsOf()).map(({ state }) => state)).toEqual(Array(3).fill(RunState.SUCCEEDED));
    expect(await sweepOf()).toMatchObject({ state: SweepState.SUCCEEDED, hasBaseline: true });
    expect(await kinds()).toEqual(expect.arrayContaining(['EXTEND', 'RETRY_RUN', 'END']));
  });

  it('keeps what its runs have after a retry alone', async () => {
    const [first, second] = await runsOf();
    await retry(first?.state === RunState.FAILED ? first.runId : (second?.runId ?? ''));
    await trainer.workAll();
    expect((await runsOf()).map(({ state }) => state)).toEqual([RunState.SUCCEEDED, RunState.SUCCEEDED]);
    expect((await explain()).rule).toMatch(/^none@/);
  });
});
