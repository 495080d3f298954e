import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { ExtendSweepRequest } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { HandleKind } from '../../../proto/gen/graft/v1/handle.ts';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import type { LeasedTask } from '../../../services/core/task.ts';
import { createClient, NO_RETRY } from '../../../services/platform/rpc/client.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { ACCURACY } from '../../unit/core/support/search-inputs.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { withKilledCoordinator } from './killed-coordinator.ts';
import { expectSoundTables, leaseNext, skipDelays, stoppingAt } from './search-fixture.ts';
import { SimulatedTrainer, epochsOf, metricsOf, outcomeOf } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness({ retentionMs: 3_600_000 });
  trainer = await harness.trainer('t1', 1);
});
afterEach(() => harness[Symbol.asyncDispose]());

const RATES = [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3];

/** Six cached heads, of which the best three are trained with three seeds. */
function headsOf(changes: Partial<SweepSpec> = {}): SweepSpec {
  return specOf({
    objective: ACCURACY,
    parameters: [{ name: 'optimizer.learning_rate', domain: { kind: 'values', values: RATES }, conditions: [] }],
    finalists: { runs: 3, seeds: 3 },
    reuse: false,
    ...changes,
  });
}

interface RunRow {
  readonly run_id: string;
  readonly run_index: number;
  readonly state: string;
  readonly best_value: number;
  readonly repeat_of: string | null;
  readonly parameters: Readonly<Record<string, unknown>>;
}

function runsOf(sweepId: string): Promise<RunRow[]> {
  return harness.query<RunRow>(
    'SELECT run_id, run_index, state, best_value, repeat_of, parameters FROM runs WHERE sweep_id = $1 ORDER BY run_index',
    [sweepId],
  );
}

interface ScoreRow {
  readonly run_id: string;
  readonly score: number;
  readonly measurement_count: number;
  readonly repeat_count: number;
}

function scoresOf(sweepId: string): Promise<ScoreRow[]> {
  return harness.query<ScoreRow>(
    'SELECT run_id, score, measurement_count, repeat_count FROM run_scores WHERE sweep_id = $1 ORDER BY run_index',
    [sweepId],
  );
}

/** Expects each score to be the mean over the run and its repetitions, of exactly that number of trainings. */
async function expectMeans(sweepId: string, count: number): Promise<void> {
  const runs = await runsOf(sweepId);
  const scores = await scoresOf(sweepId);
  expect(scores.length).toBeGreaterThan(1);
  for (const { run_id: runId, score, measurement_count: measured } of scores) {
    const trainings = runs.filter((run) => run.run_id === runId || run.repeat_of === runId);
    expect(trainings).toHaveLength(count);
    const mean = trainings.reduce((sum, run) => sum + lastAccuracy(run.run_id), 0) / count;
    expect(measured).toBe(count);
    expect(score).toBeCloseTo(mean, 12);
    const seeds = trainings.map(({ parameters }) => [parameters['seed'], parameters['data_seed']]);
    expect(seeds).toEqual(Array.from({ length: count }, (_, offset) => [1 + offset, 1 + offset]));
  }
}

/** The best accuracy of a simulated head: that of its last epoch. */
function lastAccuracy(runId: string): number {
  return metricsOf({ runId }, 'HEAD', 3)['val_accuracy'] ?? Number.NaN;
}

function decisionsOf(sweepId: string): Promise<{ kind: string; run_index: number | null; reason: string }[]> {
  return harness.query(
    `SELECT kind, run_index, reason FROM decision_log WHERE sweep_id = $1 AND kind IN ('REPEAT', 'END') ORDER BY decision_id`,
    [sweepId],
  );
}

async function winnerOf(sweepId: string): Promise<{ run_id: string; statements: string[]; measurement_count: number }> {
  const [row] = await harness.query<{ run_id: string; statements: string[]; measurement_count: number }>(
    'SELECT run_id, statements, measurement_count FROM winners WHERE sweep_id = $1',
    [sweepId],
  );
  if (row === undefined) throw new Error('there is no winner');
  return row;
}

async function trainHeads(task: LeasedTask): Promise<void> {
  for (let epoch = 1; epoch <= epochsOf(task); epoch += 1) {
    await trainer.report([trainer.batch(task, epoch, epoch)]);
    for (const { runId } of task.runs) await trainer.checkpoint(task, runId, epoch, 'BEST');
  }
}

function outcomesOf(task: LeasedTask): Parameters<SimulatedTrainer['complete']>[1] {
  return { stage: 'TRAIN', outcomes: task.runs.map(({ runId }) => outcomeOf(runId, epochsOf(task))) };
}

describe('a sweep with finalists', { timeout: 60_000 }, () => {
  it('trains them with further seeds, fused, and the best mean wins and is tested', async () => {
    const sweepId = await harness.submit(headsOf());
    const stages = await trainer.workAll();
    // One group of all heads, then one for each further seed.
    expect(stages.filter((stage) => stage === 'HEAD')).toHaveLength(3);
    await expectMeans(sweepId, 3);
    const decisions = await decisionsOf(sweepId);
    const scores = await scoresOf(sweepId);
    expect(decisions.map(({ kind }) => kind)).toEqual([...scores.map(() => 'REPEAT'), 'END']);
    expect(decisions[0]?.reason).toMatch(
      /^repeated with 2 further seeds: finalist 1 of \d, val_accuracy 0\.\d+, the best run$/,
    );
    await expectSoundTables(harness, sweepId);

    const best = scores.reduce((found, row) => (row.score > found.score ? row : found));
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep).toMatchObject({ state: SweepState.SUCCEEDED, winnerRunId: best.run_id });
    const tested = await harness.query<{ run_id: string; role: string }>(
      'SELECT e.run_id, e.role FROM test_results e JOIN runs r ON r.run_id = e.run_id WHERE r.sweep_id = $1',
      [sweepId],
    );
    expect(tested.filter(({ role }) => role === 'WINNER')).toEqual([{ run_id: best.run_id, role: 'WINNER' }]);
    expect(tested.length).toBeLessThanOrEqual(2);

    const board = await harness.sweeps.getLeaderboard({ sweepId, pageSize: 0, pageToken: '' });
    expect(board.entries).toHaveLength(RATES.length);
    expect(board.winner).toMatchObject({ runId: best.run_id, measurementCount: 3, score: best.score });
    expect(board.winner?.statements[0]).toContain('the mean of 3 seeds');
    const row = board.entries.find(({ run }) => run?.runId === best.run_id)?.run;
    expect(row).toMatchObject({ score: best.score, measurementCount: 3, repeatOfRunId: '' });
    const [summary] = await harness.query(
      'SELECT run_count, repeat_count, winner_run_id FROM sweep_summaries WHERE sweep_id = $1',
      [sweepId],
    );
    const repeatCount = 2 * scores.length;
    expect(summary).toEqual({ run_count: 6 + repeatCount, repeat_count: repeatCount, winner_run_id: best.run_id });

    const repeat = (await runsOf(sweepId)).find((run) => run.repeat_of === best.run_id);
    const explained = await harness.sweeps.explainRun({ runId: repeat?.run_id ?? '' });
    expect(explained.otherDecisions.map(({ reason }) => reason).join()).toContain('repeated with 2 further seeds');

    // The best run of the sweep is the winner, also where another run has the best single value.
    const { id } = await harness.sweeps.resolveHandle({ kind: HandleKind.RUN, handle: `${sweepId}/best` });
    expect(id).toBe(best.run_id);

    await harness.sweeps.deleteSweep({ sweepId, dryRun: false });
    expect(await harness.query('SELECT 1 FROM runs UNION ALL SELECT 1 FROM winners')).toEqual([]);
  });

  it('scores by those that ended where a repeat fails, and says so', async () => {
    const sweepId = await harness.submit(headsOf());
    await trainer.work(await leaseNext(trainer, 'HEAD'));
    const task = await trainer.mustLease('HEAD');
    await trainHeads(task);
    const [failing] = task.runs;
    const error = { errorClass: 'NUMERIC' as const, code: 'NAN_LOSS', message: 'the loss is NaN', datasetProblems: [] };
    await trainer.complete(task, {
      stage: 'TRAIN',
      outcomes: task.runs.map(({ runId }) =>
        outcomeOf(runId, 3, runId === failing?.runId ? { kind: 'FAILED', error } : {}),
      ),
    });
    await skipDelays(harness);
    await trainer.workAll();
    const original = (await runsOf(sweepId)).find(({ run_id: runId }) => runId === failing?.runId)?.repeat_of;
    const scores = await scoresOf(sweepId);
    expect(scores.find(({ run_id: runId }) => runId === original)).toMatchObject({
      measurement_count: 2,
      repeat_count: 2,
    });
    expect((await winnerOf(sweepId)).statements.join(' ')).toMatch(/1 of the 2 repeats of run \d did not succeed/);
    const [sweep] = await harness.query('SELECT state FROM sweeps WHERE sweep_id = $1', [sweepId]);
    expect(sweep).toEqual({ state: 'SUCCEEDED' });
    await expectSoundTables(harness, sweepId);
  });

  it('does not repeat what the budget does not pay for, until it is raised', async () => {
    const budget = { slotSeconds: 100_000, wallSeconds: null, target: null };
    const sweepId = await harness.submit(headsOf({ budget }));
    await trainer.work(
      await leaseNext(trainer, 'HEAD').then(async (task) => {
        await harness.query(
          `UPDATE sweeps SET budget = jsonb_set(budget, '{slotSeconds}', '1.5') WHERE sweep_id = $1`,
          [sweepId],
        );
        return task;
      }),
    );
    await trainer.workAll();
    expect(await scoresOf(sweepId)).toEqual([]);
    const [end] = await decisionsOf(sweepId);
    expect(end?.reason).toMatch(
      /finalists are not repeated: it needs \d+ slot-seconds and \d+ are left$|slot-seconds are spent$/,
    );
    await harness.sweeps.extendSweep(
      ExtendSweepRequest.fromPartial({ sweepId, budgetChange: { slotSeconds: 100_000 } }),
    );
    await trainer.workAll();
    await expectMeans(sweepId, 3);
    await expectSoundTables(harness, sweepId);
    expect((await winnerOf(sweepId)).measurement_count).toBe(3);
  });

  it('repeats what an extension brings among the finalists, once each', async () => {
    const sweepId = await harness.submit(headsOf());
    await trainer.workAll();
    const before = await scoresOf(sweepId);
    const variants = sweepSpecToProto(
      headsOf({ variants: [3e-3, 7e-3, 8e-3, 9e-3].map((rate) => ({ 'optimizer.learning_rate': rate })) }),
    ).variants;
    await harness.sweeps.extendSweep(ExtendSweepRequest.fromPartial({ sweepId, variants }));
    expect(await harness.query('SELECT 1 FROM winners WHERE sweep_id = $1', [sweepId])).toEqual([]);
    await trainer.workAll();
    const after = await scoresOf(sweepId);
    expect(after.map(({ run_id: runId }) => runId)).toEqual(
      expect.arrayContaining(before.map(({ run_id: runId }) => runId)),
    );
    await expectMeans(sweepId, 3);
    await expectSoundTables(harness, sweepId);
    await winnerOf(sweepId);
  });

  it('is cancelled with its repeats', async () => {
    const sweepId = await harness.submit(headsOf());
    await trainer.work(await leaseNext(trainer, 'HEAD'));
    await harness.sweeps.cancelSweep({ sweepId, reason: '' });
    const states = (await runsOf(sweepId)).map(({ repeat_of: of, state }) => (of === null ? state : `repeat ${state}`));
    expect(new Set(states)).toEqual(new Set(['SUCCEEDED', 'repeat CANCELLED']));
    expect(await harness.query('SELECT 1 FROM winners WHERE sweep_id = $1', [sweepId])).toEqual([]);
  });

  it('trains a fine-tuned finalist in full: with a head of its own, without a pause', async () => {
    const rates = { kind: 'values' as const, values: [1e-5, 2e-5, 3e-5, 4e-5] };
    const sweepId = await harness.submit(
      headsOf({
        base: { ...specOf().base, 'fine_tune.enabled': true, 'fine_tune.epochs': 6, 'fine_tune.unfreeze': 'block2' },
        parameters: [{ name: 'fine_tune.learning_rate', domain: rates, conditions: [] }],
        stopping: stoppingAt([2], { minEntries: 2, reductionFactor: 2, promoteIdle: false }),
        finalists: { runs: 2, seeds: 2 },
      }),
    );
    await trainer.workAll();
    const repeats = (await runsOf(sweepId)).filter(({ repeat_of: of }) => of !== null);
    expect(repeats.length).toBeGreaterThan(0);
    for (const { run_id: runId, state } of repeats) {
      expect(state).toBe('SUCCEEDED');
      const stages = await harness.query<{ stage: string; epochs: number; pauses: boolean }>(
        `SELECT t.stage, count(DISTINCT m.epoch)::int AS epochs, bool_or(t.pause_epoch IS NOT NULL) AS pauses
           FROM runs r JOIN task_runs tr ON tr.run_id IN (r.run_id, r.head_run_id) JOIN tasks t ON t.task_id = tr.task_id
           JOIN epoch_metrics m ON m.task_id = t.task_id AND m.run_id = tr.run_id
          WHERE r.run_id = $1 AND (t.stage = 'HEAD' OR tr.run_id = r.run_id) GROUP BY t.stage ORDER BY t.stage DESC`,
        [runId],
      );
      expect(stages).toEqual([
        { stage: 'HEAD', epochs: 3, pauses: false },
        { stage: 'FINE_TUNE', epochs: 6, pauses: false },
      ]);
      expect(await harness.query('SELECT 1 FROM rung_entries WHERE run_id = $1', [runId])).toEqual([]);
    }
    await expectSoundTables(harness, sweepId);
  });
});

/** Completes a task at another coordinator on the same database, which is killed at a point of it. */
async function completeKilledAt(point: string, task: LeasedTask): Promise<void> {
  await withKilledCoordinator(harness, point, async (_sweeps, address) => {
    const client = createClient(TrainerServiceService, { addresses: [address], retry: NO_RETRY });
    try {
      const other = new SimulatedTrainer(client.call, harness.artifacts, 't1');
      other.takeOver(trainer);
      await expect(other.complete(task, outcomesOf(task))).rejects.toThrow();
    } finally {
      client.close();
    }
  });
}

describe('a coordinator that is killed between the seeds of finalists (acceptance 7)', { timeout: 180_000 }, () => {
  it.each([
    ['before the commit of the repetitions and of a seed', 'repeat.uncommitted', 'complete.uncommitted'],
    ['after these commits', 'repeat.committed', 'complete.committed'],
  ])('leaves scores that are the mean of exactly 3: %s', async (_, first, second) => {
    const sweepId = await harness.submit(headsOf());
    const heads = await leaseNext(trainer, 'HEAD');
    await trainHeads(heads);
    await completeKilledAt(first, heads);
    // The trainer, which had no answer, repeats its call.
    await trainer.complete(heads, outcomesOf(heads));
    const seed = await trainer.mustLease('HEAD');
    await trainHeads(seed);
    await completeKilledAt(second, seed);
    await trainer.complete(seed, outcomesOf(seed));
    await trainer.workAll();
    await expectMeans(sweepId, 3);
    await expectSoundTables(harness, sweepId);
    expect((await winnerOf(sweepId)).measurement_count).toBe(3);
  });
});
