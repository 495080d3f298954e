import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EndCause, RunState, Stage as StageMessage } from '../../../proto/gen/graft/v1/run.ts';
import type { Run } from '../../../proto/gen/graft/v1/run.ts';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { RECIPE_VERSION } from '../../../services/core/recipe-version.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import type { Stage } from '../../../services/core/task.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { simulatedDataset } from './simulated-dataset.ts';
import { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ retentionMs: 3_600_000 });
});
afterAll(() => harness[Symbol.asyncDispose]());

/** Its own in each test, so that no test takes the results of another. */
let seed = 0;
beforeEach(() => {
  seed += 1;
});

/** Two heads with the seed of the test. */
function headsOf(base: SweepSpec['base'] = {}, changes: Partial<SweepSpec> = {}): SweepSpec {
  return specOf({ base: { ...specOf().base, seed, ...base }, ...changes });
}

/** A trainer of this version, whose results other sweeps may take. */
async function currentTrainer(trainerId = `trainer-${seed}`): Promise<SimulatedTrainer> {
  const trainer = new SimulatedTrainer(harness.trainers, harness.artifacts, trainerId);
  await trainer.register(1, undefined, RECIPE_VERSION);
  return trainer;
}

/** Submits a sweep and works until nothing is left. */
async function runSweep(trainer: SimulatedTrainer, spec: SweepSpec): Promise<{ sweepId: string; stages: Stage[] }> {
  const sweepId = await harness.submit(spec);
  return { sweepId, stages: await trainer.workAll() };
}

async function runsOf(sweepId: string): Promise<Run[]> {
  return (await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' })).runs;
}

/** Two learning rates of fine-tuning, which share a head. */
const RATES: SweepSpec['parameters'][number] = {
  name: 'fine_tune.learning_rate',
  domain: { kind: 'values', values: [1e-5, 1e-4] },
  conditions: [],
};
const FINE_TUNED = { 'fine_tune.enabled': true, 'fine_tune.epochs': 2, 'fine_tune.unfreeze': 'block2' };

/** The results of runs, without what belongs to their sweep. */
function resultsOf(runs: readonly Run[]): unknown[] {
  return runs.map(
    ({ bestValue, bestEpoch, bestStage, bestValLoss, bestValAccuracy, lastValue, epochCount, stage }) => ({
      bestValue,
      bestEpoch,
      bestStage,
      bestValLoss,
      bestValAccuracy,
      lastValue,
      epochCount,
      stage,
    }),
  );
}

describe('a sweep whose runs another sweep has trained', () => {
  it.each<readonly [string, () => SweepSpec]>([
    ['heads', () => headsOf()],
    ['fine-tuned runs, all tested', () => headsOf(FINE_TUNED, { testPolicy: 'every_run' })],
    ['fine-tunings of one head', () => headsOf(FINE_TUNED, { parameters: [RATES] })],
  ])('trains nothing and has equal results: %s', async (_name, specOfTest) => {
    const trainer = await currentTrainer();
    const spec = specOfTest();
    const first = await runSweep(trainer, spec);
    const second = await runSweep(trainer, spec);
    expect(second.stages).toEqual(['INDEX']);
    const [sources, runs] = [await runsOf(first.sweepId), await runsOf(second.sweepId)];
    expect(resultsOf(runs)).toEqual(resultsOf(sources));
    expect(runs.map(({ reusedRunId }) => reusedRunId)).toEqual(sources.map(({ runId }) => runId));
    for (const [index, run] of runs.entries()) {
      expect(run).toMatchObject({
        state: RunState.SUCCEEDED,
        stateReason: `taken from run ${index} of sweep ${first.sweepId}`,
        endCause: EndCause.REUSED,
        attemptCount: 0,
        headRunId: '',
      });
    }
    expect((await harness.sweeps.getSweep({ sweepId: second.sweepId })).sweep).toMatchObject({
      state: SweepState.SUCCEEDED,
      stateReason: '',
      succeededRunCount: 2,
      reusedRunCount: 2,
    });
    const tasks = await harness.query('SELECT stage FROM tasks WHERE sweep_id = $1', [second.sweepId]);
    expect(tasks).toEqual([{ stage: 'INDEX' }]);
  });

  it('shows the curves under its own runs, counts none of them twice, and costs only its index', async () => {
    const trainer = await currentTrainer();
    const spec = headsOf(FINE_TUNED);
    const { sweepId } = await runSweep(trainer, spec);
    const { sweepId: again } = await runSweep(trainer, spec);
    const curvesOf = (of: string) =>
      harness.query<Record<string, unknown>>(
        `SELECT run_index, stage, epoch, loss, val_loss, val_accuracy, seconds
           FROM epoch_curves WHERE sweep_id = $1 ORDER BY run_index, stage, epoch`,
        [of],
      );
    expect(await curvesOf(again)).toEqual(await curvesOf(sweepId));
    expect(
      await harness.query(
        `SELECT sweep_id = $1 AS is_first, count(*)::int, count(*) FILTER (WHERE trained_run_id = run_id)::int AS trained
           FROM epoch_curves WHERE sweep_id IN ($1, $2) GROUP BY 1 ORDER BY 1`,
        [sweepId, again],
      ),
    ).toEqual([
      { is_first: false, count: 10, trained: 0 },
      { is_first: true, count: 10, trained: 10 },
    ]);
    const listed = async (request: { sweepId: string; runId: string }) =>
      (await harness.sweeps.listEpochMetrics({ ...request, pageSize: 7, pageToken: '' })).metrics;
    const all = async (of: { sweepId: string; runId: string }) => {
      const { metrics } = await harness.sweeps.listEpochMetrics({ ...of, pageSize: 5_000, pageToken: '' });
      return metrics;
    };
    const [run] = await runsOf(again);
    const [source] = await runsOf(sweepId);
    const ofRun = await all({ sweepId: '', runId: run?.runId ?? '' });
    expect(new Set(ofRun.map(({ runId }) => runId))).toEqual(new Set([run?.runId]));
    const ofSource = await all({ sweepId: '', runId: source?.runId ?? '' });
    const values = (metrics: typeof ofRun) =>
      metrics.map(({ stage, epoch, name, value }) => [stage, epoch, name, value]);
    expect(values(ofRun)).toEqual(values(ofSource));
    expect(values(await all({ sweepId: again, runId: '' }))).toEqual(values(await all({ sweepId, runId: '' })));
    expect(await listed({ sweepId: again, runId: '' })).toHaveLength(7);
    expect(
      await harness.query(
        `SELECT attempt_count, reused_count, succeeded_count FROM sweep_summaries WHERE sweep_id = $1`,
        [again],
      ),
    ).toEqual([{ attempt_count: 1, reused_count: 2, succeeded_count: 2 }]);
    expect(
      await harness.query('SELECT 1 FROM run_attempts WHERE sweep_id = $1 AND run_id IS NOT NULL', [again]),
    ).toEqual([]);
  });

  it('has the test results and checkpoints of the runs that trained', async () => {
    const trainer = await currentTrainer();
    const { sweepId } = await runSweep(trainer, headsOf());
    const { sweepId: again } = await runSweep(trainer, headsOf());
    const tested = (of: string) =>
      harness.query<Record<string, unknown>>(
        `SELECT l.run_index, l.test_accuracy, l.test_accuracy_low, l.test_role, l.test_checkpoint_id, l.test_macro_f1,
                (SELECT count(*)::int FROM test_answers a WHERE a.run_id = l.run_id AND a.correct) AS correct
           FROM leaderboard l WHERE l.sweep_id = $1 ORDER BY l.rank`,
        [of],
      );
    const results = await tested(again);
    expect(results).toEqual(await tested(sweepId));
    expect(results.filter(({ test_role }) => test_role !== null)).toMatchObject([{ test_role: 'WINNER', correct: 18 }]);
    const events = await harness.query(`SELECT 1 FROM events WHERE sweep_id = $1 AND kind = 'TEST_RESULT'`, [again]);
    expect(events).toHaveLength(1);
    const [run] = await runsOf(again);
    const list = { sweepId: '', runId: run?.runId ?? '', pageSize: 0, pageToken: '' };
    const { checkpoints } = await harness.sweeps.listCheckpoints(list);
    expect(checkpoints.map(({ runId }) => runId)).toContain(run?.reusedRunId);
    const best = await harness.sweeps.resolveHandle({ handle: `${again}/0`, kind: 3 });
    expect(checkpoints.map(({ checkpointId }) => checkpointId)).toContain(best.id);
  });

  it.each<readonly [string, SweepSpec['base'], Partial<SweepSpec>]>([
    ['another seed', { seed: 1_000 }, {}],
    ['another order of the images', { data_seed: 1_000 }, {}],
    ['more epochs', { epochs: 4 }, {}],
    ['reuse: false', {}, { reuse: false }],
  ])('is trained with %s', async (_name, base, changes) => {
    const trainer = await currentTrainer();
    await runSweep(trainer, headsOf());
    const { stages, sweepId } = await runSweep(trainer, headsOf(base, changes));
    expect(stages).toContain('HEAD');
    expect((await runsOf(sweepId)).map(({ reusedRunId }) => reusedRunId)).toEqual(['', '']);
  });

  it('is trained on other images, and with other weights under the same name', async () => {
    const trainer = await currentTrainer();
    await runSweep(trainer, headsOf());
    trainer.dataset = simulatedDataset(['cat', 'wolf']);
    expect((await runSweep(trainer, headsOf())).stages).toContain('HEAD');
    await harness.submit(headsOf());
    const index = await trainer.mustLease('INDEX');
    await trainer.storeManifest().catch(() => undefined);
    const result = trainer.resultOf(index);
    if (result.stage !== 'INDEX') throw new Error('not the result of INDEX');
    const weights = result.weights.map((info) => ({ ...info, digest: 'e'.repeat(64) }));
    await trainer.complete(index, { ...result, weights });
    expect(await trainer.workAll()).toContain('HEAD');
  });

  it.each([0, RECIPE_VERSION + 1])('is trained if the trainer had code of version %i', async (version) => {
    const other = new SimulatedTrainer(harness.trainers, harness.artifacts, `other-${seed}`);
    await other.register(1, undefined, version);
    await runSweep(other, headsOf());
    expect((await runSweep(await currentTrainer(), headsOf())).stages).toContain('HEAD');
  });

  it('is planned with what it takes, at no cost', async () => {
    const trainer = await currentTrainer();
    const planOf = async (spec: SweepSpec) =>
      harness.sweeps.planSweep({ spec: sweepSpecToProto(spec), pageSize: 0, pageToken: '', countedImages: undefined });
    const before = await planOf(headsOf());
    expect(before.runs.map(({ reusedRunId }) => reusedRunId)).toEqual(['', '']);
    const { sweepId } = await runSweep(trainer, headsOf());
    const after = await planOf(headsOf());
    expect(after.runs.map(({ reusedRunId }) => reusedRunId)).toEqual((await runsOf(sweepId)).map(({ runId }) => runId));
    expect(after.notes.join()).toContain('The results of 2 of 2 runs are taken from other sweeps and cost nothing');
    expect(after.tasks.map(({ stage }) => stage)).toEqual([StageMessage.INDEX, StageMessage.EVALUATE]);
    expect(after.cost?.slotSeconds).toBeLessThan(0.5 * (before.cost?.slotSeconds ?? 0));
    const untaken = await planOf(headsOf({}, { reuse: false }));
    expect(untaken.runs.map(({ reusedRunId }) => reusedRunId)).toEqual(['', '']);
    const tuned = await planOf(headsOf(FINE_TUNED));
    expect(tuned.notes.join()).toContain('The heads of 2 fine-tuned runs are taken from other sweeps');
    expect(tuned.tasks.map(({ stage }) => stage)).not.toContain(StageMessage.HEAD);
  });

  it('takes results from the run that trained them, not from one that took them', async () => {
    const trainer = await currentTrainer();
    const first = await runSweep(trainer, headsOf());
    await runSweep(trainer, headsOf());
    const third = await runSweep(trainer, headsOf());
    const sources = (await runsOf(first.sweepId)).map(({ runId }) => runId);
    expect((await runsOf(third.sweepId)).map(({ reusedRunId }) => reusedRunId)).toEqual(sources);
  });
});
