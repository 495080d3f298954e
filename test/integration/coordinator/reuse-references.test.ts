import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import { RECIPE_VERSION } from '../../../services/core/recipe-version.ts';
import type { Stage } from '../../../services/core/task.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ retentionMs: 3_600_000, env: { GRAFT_COORDINATOR_KEEP_BEST: '1' } });
});
afterAll(() => harness[Symbol.asyncDispose]());

/** Its own in each test, so that no test takes the results of another. */
let seed = 0;
beforeEach(() => {
  seed += 1;
});

const FINE_TUNED = { 'fine_tune.enabled': true, 'fine_tune.epochs': 2, 'fine_tune.unfreeze': 'block2' };

function specWith(base: SweepSpec['base'] = {}, changes: Partial<SweepSpec> = {}): SweepSpec {
  return specOf({ base: { ...specOf().base, seed, ...base }, ...changes });
}

async function newTrainer(trainerId = `trainer-${seed}`): Promise<SimulatedTrainer> {
  const trainer = new SimulatedTrainer(harness.trainers, harness.artifacts, trainerId);
  await trainer.register(1, undefined, RECIPE_VERSION);
  return trainer;
}

async function runSweep(trainer: SimulatedTrainer, spec: SweepSpec): Promise<{ sweepId: string; stages: Stage[] }> {
  const sweepId = await harness.submit(spec);
  return { sweepId, stages: await trainer.workAll() };
}

interface RunRow {
  readonly run_id: string;
  readonly state: string;
  readonly head_run_id: string | null;
  readonly reused_run_id: string | null;
  readonly best_value: number;
  readonly best_epoch: number;
}

async function runsOf(sweepId: string): Promise<RunRow[]> {
  return harness.query<RunRow>(
    `SELECT run_id, state, head_run_id, reused_run_id, best_value, best_epoch FROM runs WHERE sweep_id = $1 ORDER BY run_index`,
    [sweepId],
  );
}

async function collect(sweepId = ''): Promise<void> {
  await harness.sweeps.collectCheckpoints({ sweepId, keepBestCount: 0, dryRun: false });
}

describe('a head that another sweep has trained', () => {
  it('is what a fine-tuned run starts from, and costs neither its epochs nor its features', async () => {
    const trainer = await newTrainer();
    const heads = await runSweep(trainer, specWith());
    const tuned = await runSweep(trainer, specWith(FINE_TUNED));
    expect(tuned.stages.filter((stage) => stage === 'HEAD')).toEqual([]);
    expect(tuned.stages.filter((stage) => stage === 'FINE_TUNE')).toHaveLength(2);
    const [sources, runs] = [await runsOf(heads.sweepId), await runsOf(tuned.sweepId)];
    expect(runs.map((run) => [run.state, run.head_run_id])).toEqual(
      sources.map((source) => ['SUCCEEDED', source.run_id]),
    );
    const started = await harness.query<{ run_id: string; stage: string }>(
      `SELECT c.run_id, c.stage FROM task_runs tr JOIN tasks t USING (task_id)
         JOIN checkpoints c ON c.checkpoint_id = tr.source_checkpoint_id
        WHERE t.sweep_id = $1 AND t.stage = 'FINE_TUNE' ORDER BY c.run_id`,
      [tuned.sweepId],
    );
    expect(started).toEqual(sources.map(({ run_id }) => ({ run_id, stage: 'HEAD' })));
    // Its epochs are in the curves of both sweeps, and count in the one that trained them.
    const curves = await harness.query<{ count: number; trained: number }>(
      `SELECT count(*)::int AS count, count(*) FILTER (WHERE trained_run_id = run_id)::int AS trained
         FROM epoch_curves WHERE sweep_id = $1`,
      [tuned.sweepId],
    );
    expect(curves).toEqual([{ count: 10, trained: 4 }]);
    // The same fine-tuned sweep submitted again has the whole results.
    expect((await runSweep(trainer, specWith(FINE_TUNED))).stages).toEqual(['INDEX']);
  });

  it('is kept by retention while the fine-tuning waits, and trained again once it was removed', async () => {
    const trainer = await newTrainer();
    const heads = await runSweep(trainer, specWith());
    const tuned = await harness.submit(specWith(FINE_TUNED));
    await trainer.work(await trainer.mustLease('INDEX'));
    await collect();
    const headIds = (await runsOf(tuned)).map(({ head_run_id }) => head_run_id);
    const stored = await harness.query<{ run_id: string }>(
      `SELECT DISTINCT run_id FROM checkpoints WHERE run_id = ANY($1) AND kind = 'BEST' AND state = 'STORED' ORDER BY run_id`,
      [headIds],
    );
    expect(stored.map(({ run_id }) => run_id)).toEqual((await runsOf(heads.sweepId)).map(({ run_id }) => run_id));
    expect(await trainer.workAll()).not.toContain('HEAD');
    // Now only the best run of each sweep and what was tested is kept.
    await harness.query(`UPDATE checkpoints SET state = 'DELETED' WHERE run_id = ANY($1)`, [headIds]);
    const other = { ...FINE_TUNED, 'fine_tune.epochs': 3 };
    expect((await runSweep(trainer, specWith(other))).stages).toContain('HEAD');
  });

  it('is judged by the rule of the sweep like a head that was trained in it', async () => {
    const trainer = await newTrainer();
    const rates = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];
    const parameters: SweepSpec['parameters'] = [
      { name: 'optimizer.learning_rate', domain: { kind: 'values', values: rates }, conditions: [] },
    ];
    const heads = await runSweep(trainer, specWith({}, { parameters }));
    const stopping = { ...STOPPING_DEFAULTS, rule: 'asha', minEntries: 2 } as const;
    const tuned = await runSweep(trainer, specWith(FINE_TUNED, { parameters, stopping }));
    expect(tuned.stages).not.toContain('HEAD');
    const runs = await runsOf(tuned.sweepId);
    const stopped = runs.filter(({ state }) => state === 'STOPPED');
    expect(stopped.length).toBeGreaterThan(0);
    const entries = await harness.query<{ run_index: number; value: number; verdict: string }>(
      `SELECT run_index, value, verdict FROM rung_tables WHERE sweep_id = $1 AND stage = 'HEAD' ORDER BY arrival`,
      [tuned.sweepId],
    );
    expect(entries.map(({ value }) => value)).toEqual(
      (await runsOf(heads.sweepId)).map(({ best_value }) => best_value),
    );
    expect(entries.filter(({ verdict }) => verdict === 'STOP')).toHaveLength(stopped.length);
    const tuningTasks = tuned.stages.filter((stage) => stage === 'FINE_TUNE');
    expect(tuningTasks).toHaveLength(runs.length - stopped.length);
    // The whole result, with the entries of all its rungs.
    const again = await runSweep(trainer, specWith(FINE_TUNED, { parameters, stopping }));
    const reused = (await runsOf(again.sweepId)).filter(({ reused_run_id }) => reused_run_id !== null);
    expect(reused).toHaveLength(runs.length - stopped.length);
    const rungsOf = async (sweepId: string, runIds: readonly (string | null)[]) =>
      harness.query(
        `SELECT run_index, rung, value, epoch FROM rung_tables WHERE sweep_id = $1 AND run_id = ANY($2) ORDER BY 1, 2`,
        [sweepId, runIds],
      );
    const [own, sources] = [reused.map((run) => run.run_id), reused.map((run) => run.reused_run_id)];
    const entered = await rungsOf(again.sweepId, own);
    expect(entered).toEqual(expect.arrayContaining(await rungsOf(tuned.sweepId, sources)));
    // Each at the end of its head and of its fine-tuning.
    expect(entered).toHaveLength(2 * reused.length);
  });
});

describe('a result that another sweep took', () => {
  it('is kept by retention as long as the other sweep needs it', async () => {
    const trainer = await newTrainer();
    const first = await runSweep(trainer, specWith());
    const [best] = await harness.query<{ run_id: string }>(
      'SELECT run_id FROM leaderboard WHERE sweep_id = $1 AND rank = 1',
      [first.sweepId],
    );
    // By another metric another run is the best one there.
    const objective = { metric: 'val_accuracy', goal: 'maximize' } as const;
    const second = await runSweep(trainer, specWith({}, { objective, testPolicy: 'every_run' }));
    expect(second.stages).toContain('INDEX');
    await collect(first.sweepId);
    const stored = await harness.query<{ run_id: string }>(
      `SELECT DISTINCT run_id FROM checkpoints WHERE run_id = ANY($1) AND kind = 'BEST' AND state = 'STORED'`,
      [(await runsOf(first.sweepId)).map(({ run_id }) => run_id)],
    );
    expect(stored.map(({ run_id }) => run_id)).toContain(best?.run_id);
  });

  it('is trained again once the checkpoint of its best epoch was removed', async () => {
    const trainer = await newTrainer();
    const first = await runSweep(trainer, specWith());
    const [run] = await runsOf(first.sweepId);
    await harness.query(`UPDATE checkpoints SET state = 'DELETED' WHERE run_id = $1`, [run?.run_id]);
    const second = await runSweep(trainer, specWith());
    expect((await runsOf(second.sweepId)).map(({ reused_run_id }) => reused_run_id === null)).toEqual([true, false]);
    expect(second.stages.filter((stage) => stage === 'HEAD')).toHaveLength(1);
  });

  it('is taken by another objective if its best epoch has a checkpoint, else trained again', async () => {
    const trainer = await newTrainer();
    const first = await runSweep(trainer, specWith());
    const [run] = await runsOf(first.sweepId);
    // By accuracy, the first epoch of run 0 would have been the best one; its checkpoint is not kept.
    await harness.query(
      `UPDATE epoch_metrics SET value = 1 WHERE run_id = $1 AND epoch = 1 AND name = 'val_accuracy'`,
      [run?.run_id],
    );
    const objective = { metric: 'val_accuracy', goal: 'maximize' } as const;
    const second = await runSweep(trainer, specWith({}, { objective }));
    const runs = await runsOf(second.sweepId);
    expect(runs.map(({ reused_run_id }) => reused_run_id === null)).toEqual([true, false]);
    const [, other] = await harness.query<{ value: number }>(
      `SELECT max(m.value) AS value FROM epoch_metrics m JOIN runs r USING (run_id)
        WHERE r.sweep_id = $1 AND m.name = 'val_accuracy' GROUP BY r.run_index ORDER BY r.run_index`,
      [first.sweepId],
    );
    expect(runs[1]?.best_value).toBe(other?.value);
  });

  it('can not lose its sweep', async () => {
    const trainer = await newTrainer();
    const first = await runSweep(trainer, specWith());
    const second = await runSweep(trainer, specWith());
    const deletion = { sweepId: first.sweepId, dryRun: false };
    await expect(harness.sweeps.deleteSweep(deletion)).rejects.toThrow(
      new RegExp(`run ${second.sweepId}-r000 took over a result of it`),
    );
    await harness.sweeps.deleteSweep({ sweepId: second.sweepId, dryRun: false });
    await harness.sweeps.deleteSweep(deletion);
    expect((await runSweep(trainer, specWith())).stages).toContain('HEAD');
  });

  it('is retrained where its file was lost before the test', async () => {
    const trainer = await newTrainer();
    const first = await runSweep(trainer, specWith());
    await harness.query('DELETE FROM test_predictions');
    await harness.query('DELETE FROM test_class_results');
    await harness.query('DELETE FROM test_results');
    const second = await harness.submit(specWith());
    await trainer.work(await trainer.mustLease('INDEX'));
    const task = await trainer.mustLease('EVALUATE');
    const lost = task.runs[0]?.sourceCheckpoint;
    if (!lost) throw new Error(`task ${task.taskId} has no source checkpoint`);
    expect(lost.runId.startsWith(first.sweepId)).toBe(true);
    await harness.artifacts.remove(lost.uri);
    await trainer.fail(task, {
      errorClass: 'INFRASTRUCTURE',
      code: 'CHECKPOINT_DAMAGED',
      message: 'lost',
      damagedCheckpointIds: [lost.checkpointId],
    });
    expect(await trainer.workAll(2_000)).toEqual(expect.arrayContaining(['HEAD', 'EVALUATE']));
    expect(await harness.query('SELECT state FROM sweeps WHERE sweep_id = $1', [second])).toEqual([
      { state: 'SUCCEEDED' },
    ]);
  });
});

describe('a sweep with promotion', () => {
  it('counts reused runs at its rungs and trains only the others', async () => {
    const trainer = await newTrainer();
    const rates = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];
    const parameters: SweepSpec['parameters'] = [
      { name: 'optimizer.learning_rate', domain: { kind: 'values', values: rates }, conditions: [] },
    ];
    const stopping = { ...STOPPING_DEFAULTS, rule: 'promotion' } as const;
    const spec = specWith(FINE_TUNED, { parameters, stopping });
    const first = await runSweep(trainer, spec);
    const second = await runSweep(trainer, spec);
    const [before, after] = [await runsOf(first.sweepId), await runsOf(second.sweepId)];
    const ended = before.filter(({ state }) => state === 'SUCCEEDED');
    expect(ended.length).toBeGreaterThan(0);
    expect(after.flatMap(({ reused_run_id: id }) => id ?? [])).toEqual(ended.map(({ run_id }) => run_id));
    expect(after.map(({ state, best_value }) => [state, best_value])).toEqual(
      before.map(({ state, best_value }) => [state, best_value]),
    );
    expect(second.stages).not.toContain('FINE_TUNE');
  });
});

describe('equal sweeps at the same time', () => {
  it('are trained both, with equal results', async () => {
    const trainer = await newTrainer();
    const sweepIds = await Promise.all([harness.submit(specWith()), harness.submit(specWith())]);
    const stages = await trainer.workAll();
    const [first, second] = await Promise.all(sweepIds.map(runsOf));
    const values = (runs: readonly RunRow[] | undefined) =>
      runs?.map((run) => [run.best_value, run.best_epoch, run.state]);
    expect(values(second)).toEqual(values(first));
    const trained = [...(first ?? []), ...(second ?? [])].filter(({ reused_run_id }) => reused_run_id === null);
    expect(stages.filter((stage) => stage === 'HEAD').length).toBeGreaterThan(0);
    expect([2, 4]).toContain(trained.length);
  });
});
