import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { ExtendSweepRequest } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { TaskCommand } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { IllegalStateError } from '../../../services/core/errors.ts';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import type { StoppingSpec } from '../../../services/core/sweep/search-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { parametersToProto } from '../../../services/platform/rpc/convert/parameter.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { outcomeOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness({ retentionMs: 3_600_000 });
  trainer = await harness.trainer('t1', 1);
  trainer.savesOnlyAtEnd = true;
});
afterEach(() => harness[Symbol.asyncDispose]());

const RATES = [1, 2, 3, 4, 5, 6].map((number) => number / 1e5);
const WITHOUT_HEAD = { epochs: 0, 'fine_tune.allow_untrained_head': true };

/** Six fine-tunings of 9 epochs, compared after 3. */
function tuning(
  base: SweepSpec['base'] = {},
  changes: Partial<SweepSpec> = {},
  rule: Partial<StoppingSpec> = {},
): SweepSpec {
  return specOf({
    base: {
      ...specOf().base,
      'fine_tune.enabled': true,
      'fine_tune.epochs': 9,
      'fine_tune.unfreeze': 'block2',
      ...base,
    },
    parameters: [{ name: 'fine_tune.learning_rate', domain: { kind: 'values', values: RATES }, conditions: [] }],
    stopping: { ...STOPPING_DEFAULTS, rule: 'promotion', rungs: { head: [], fineTune: [3] }, ...rule },
    reuse: false,
    ...changes,
  });
}

const extend = (sweepId: string, changes: object) =>
  harness.sweeps.extendSweep(ExtendSweepRequest.fromPartial({ sweepId, ...changes }));

/** Ends the search of a sweep by its budget, whatever it has spent. */
const exhaust = (sweepId: string) => extend(sweepId, { budgetChange: { slotSeconds: 1e-6 } });

async function runsOf(sweepId: string) {
  return harness.query<{ run_id: string; text: string }>(
    `SELECT run_id, concat_ws(' ', state, end_cause, 'at ' || paused_rung) AS text FROM runs
      WHERE sweep_id = $1 ORDER BY run_index`,
    [sweepId],
  );
}

const textsOf = async (sweepId: string) => (await runsOf(sweepId)).map(({ text }) => text);

/** Decisions of the search about runs and its end, and those of people, without what differs by what runs measure. */
async function decisionsOf(sweepId: string): Promise<string[]> {
  const rows = await harness.query<{ text: string }>(
    `SELECT concat_ws(' ', d.kind, r.run_index, d.rung, d.place, d.cut) AS text
       FROM decisions d LEFT JOIN runs r ON r.run_id = d.run_id WHERE d.sweep_id = $1 ORDER BY decision_id`,
    [sweepId],
  );
  return rows.map(({ text }) => text);
}

async function trainedEpochs(sweepId: string): Promise<number> {
  const [row] = await harness.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM epoch_metrics m JOIN runs r USING (run_id)
      WHERE r.sweep_id = $1 AND m.stage = 'FINE_TUNE' AND m.name = 'val_loss'`,
    [sweepId],
  );
  return row?.count ?? 0;
}

async function replayed(sweepId: string) {
  const { replay } = await harness.sweeps.explainSweep({ sweepId, replay: true });
  expect(replay?.decisionCount).toBeGreaterThan(0);
  return replay?.differences;
}

async function sweepOf(sweepId: string) {
  return (await harness.sweeps.getSweep({ sweepId })).sweep;
}

/** Works on tasks of the stages given, in this order. */
async function work(...stages: ('INDEX' | 'FEATURES' | 'HEAD' | 'FINE_TUNE')[]): Promise<void> {
  for (const stage of stages) await trainer.work(await trainer.mustLease(stage));
}

describe('a larger budget after the end', { timeout: 120_000 }, () => {
  it('brings back runs that waited or were to train, with the decisions of a sweep that had it from the start', async () => {
    const sweepId = await harness.submit(tuning(WITHOUT_HEAD));
    await work('INDEX', 'FEATURES', 'FINE_TUNE', 'FINE_TUNE', 'FINE_TUNE');
    await exhaust(sweepId);
    expect(await textsOf(sweepId)).toEqual(Array<string>(6).fill('STOPPED BUDGET'));
    expect(await trainer.workAll()).toEqual(['EVALUATE']);
    expect(await sweepOf(sweepId)).toMatchObject({ state: SweepState.SUCCEEDED, searchEnd: 2 });

    const more = { budgetChange: { slotSeconds: 0 }, reason: 'two more days' };
    const { sweep } = await extend(sweepId, more);
    expect(sweep).toMatchObject({ state: SweepState.ACTIVE, searchEnd: 0, budget: undefined, endTime: undefined });
    expect(await textsOf(sweepId)).toEqual([
      ...Array<string>(3).fill('PAUSED at 0'),
      ...Array<string>(3).fill('QUEUED'),
    ]);
    const decided = await decisionsOf(sweepId);
    expect((await extend(sweepId, more)).sweep).toEqual(sweep);
    expect(await decisionsOf(sweepId)).toEqual(decided);

    await trainer.workAll();
    expect(await trainedEpochs(sweepId)).toBe(6 * 3 + 3 * 6);
    expect(await sweepOf(sweepId)).toMatchObject({ state: SweepState.SUCCEEDED, searchEnd: 1, succeededRunCount: 3 });
    expect(await replayed(sweepId)).toEqual([]);
    const undisturbed = await harness.submit(tuning(WITHOUT_HEAD));
    await trainer.workAll();
    const isSearch = (text: string) => !/^(CHANGE_BUDGET|END)/.test(text);
    expect((await decisionsOf(sweepId)).filter(isSearch)).toEqual((await decisionsOf(undisturbed)).filter(isSearch));
    expect(await textsOf(sweepId)).toEqual(await textsOf(undisturbed));
    expect((await sweepOf(sweepId))?.bestRunId.slice(-4)).toBe((await sweepOf(undisturbed))?.bestRunId.slice(-4));
  });

  it('continues a promoted run from the checkpoint with which the bound had stopped it', async () => {
    trainer.savesOnlyAtEnd = false;
    const sweepId = await harness.submit(tuning(WITHOUT_HEAD));
    await work('INDEX', 'FEATURES', ...Array<'FINE_TUNE'>(6).fill('FINE_TUNE'));
    const task = await trainer.mustLease('FINE_TUNE');
    const runId = task.runs[0]?.runId ?? '';
    await trainer.report([trainer.batch(task, 4, 1), trainer.batch(task, 5, 2)]);
    for (const kind of ['BEST', 'LAST'] as const) await trainer.checkpoint(task, runId, 5, kind);
    await exhaust(sweepId);
    expect((await trainer.heartbeat([task]))[0]?.command).toBe(TaskCommand.STOP);
    await trainer.complete(task, { stage: 'TRAIN', outcomes: [outcomeOf(runId, 5, { kind: 'STOPPED' })] });
    await trainer.workAll();
    expect((await textsOf(sweepId)).filter((text) => text === 'STOPPED BUDGET')).toHaveLength(6);

    await extend(sweepId, { budgetChange: { slotSeconds: 1e6 } });
    const again = await trainer.mustLease('FINE_TUNE');
    expect(again.runs).toMatchObject([{ runId, resumeCheckpoint: { epoch: 5 } }]);
    expect(again.taskId).not.toBe(task.taskId);
    await trainer.work(again);
    await trainer.workAll();
    // Six runs to epoch 3, three of them to epoch 9, and no epoch twice.
    expect(await trainedEpochs(sweepId)).toBe(6 * 3 + 3 * 6);
    expect(await replayed(sweepId)).toEqual([]);
    expect((await sweepOf(sweepId))?.state).toBe(SweepState.SUCCEEDED);
  });

  it('resumes runs that its trainers stop by a command of before', async () => {
    const sweepId = await harness.submit(tuning(WITHOUT_HEAD));
    await work('INDEX', 'FEATURES');
    const task = await trainer.mustLease('FINE_TUNE');
    await exhaust(sweepId);
    expect((await trainer.heartbeat([task]))[0]?.command).toBe(TaskCommand.STOP);
    await extend(sweepId, { budgetChange: { slotSeconds: 0 } });
    const runId = task.runs[0]?.runId ?? '';
    await trainer.complete(task, { stage: 'TRAIN', outcomes: [outcomeOf(runId, 0, { kind: 'STOPPED' })] });
    expect(await textsOf(sweepId)).toEqual(Array<string>(6).fill('QUEUED'));
    await trainer.workAll();
    expect(await trainedEpochs(sweepId)).toBe(6 * 3 + 3 * 6);
  });

  it('queues a group again as a group, under a rule that pauses nothing', async () => {
    const rates = { kind: 'values', values: [1e-3, 1e-2, 1e-1] } as const;
    const sweepId = await harness.submit(
      specOf({ parameters: [{ name: 'optimizer.learning_rate', domain: rates, conditions: [] }], reuse: false }),
    );
    await work('INDEX', 'FEATURES');
    await exhaust(sweepId);
    expect(await trainer.workAll()).toEqual([]);
    expect(await sweepOf(sweepId)).toMatchObject({ state: SweepState.SUCCEEDED });
    await extend(sweepId, { budgetChange: { slotSeconds: 0 } });
    const head = await trainer.mustLease('HEAD');
    expect(head.runs).toHaveLength(3);
    await trainer.work(head);
    await trainer.workAll();
    expect(await textsOf(sweepId)).toEqual(Array<string>(3).fill('SUCCEEDED ALL_EPOCHS'));
  });

  it('trains a head again whose checkpoint retention has removed', async () => {
    const sweepId = await harness.submit(tuning());
    await work('INDEX', 'FEATURES', 'HEAD');
    await exhaust(sweepId);
    await trainer.workAll();
    await harness.query(`UPDATE checkpoints SET state = 'DELETED'`);
    await extend(sweepId, { budgetChange: { slotSeconds: 0 } });
    const stages = await trainer.workAll();
    expect(stages.filter((stage) => stage === 'HEAD')).toHaveLength(1);
    expect((await textsOf(sweepId)).filter((text) => text === 'SUCCEEDED ALL_EPOCHS')).toHaveLength(2);
    expect(await replayed(sweepId)).toEqual([]);
  });
});

describe('a bound that is reached', { timeout: 60_000 }, () => {
  it('refuses retries and added runs before anything is written, and says which bound must change', async () => {
    const sweepId = await harness.submit(tuning(WITHOUT_HEAD));
    await work('INDEX', 'FEATURES', 'FINE_TUNE');
    const task = await trainer.mustLease('FINE_TUNE');
    await trainer.fail(task, { errorClass: 'PERMANENT', message: 'no such layer' });
    const failed = task.runs[0]?.runId ?? '';
    await exhaust(sweepId);
    await trainer.workAll();
    const before = [await runsOf(sweepId), await decisionsOf(sweepId)];
    const variants = [{ parameters: parametersToProto({ 'fine_tune.learning_rate': 1e-2 }) }];
    await expect(extend(sweepId, { variants })).rejects.toThrow(
      /slot-seconds are spent.*in the same call.*--slot-seconds/,
    );
    await expect(extend(sweepId, { budgetChange: { slotSeconds: 2e-6 } })).rejects.toThrow(IllegalStateError);
    const retry = harness.sweeps.retryRun({ runId: failed, reason: '' });
    await expect(retry).rejects.toThrow(/slot-seconds are spent.*graft sweep extend.*--slot-seconds none/);
    expect([await runsOf(sweepId), await decisionsOf(sweepId)]).toEqual(before);

    await extend(sweepId, { variants, budgetChange: { slotSeconds: 0 } });
    await harness.sweeps.retryRun({ runId: failed, reason: '' });
    await trainer.workAll();
    expect(await textsOf(sweepId)).not.toContain('FAILED ERROR');
    expect(await runsOf(sweepId)).toHaveLength(7);
    expect(await replayed(sweepId)).toEqual([]);
  });

  it('counts no time between the end and an extension', async () => {
    const sweepId = await harness.submit(
      tuning(WITHOUT_HEAD, { budget: { slotSeconds: null, wallSeconds: 7_200, target: null } }),
    );
    await trainer.workAll();
    await harness.query(
      `UPDATE sweeps SET start_time = start_time - interval '25 hours', end_time = end_time - interval '24 hours'`,
    );
    const variants = [{ parameters: parametersToProto({ 'fine_tune.learning_rate': 1e-2 }) }];
    await extend(sweepId, { variants });
    await trainer.workAll();
    expect(await sweepOf(sweepId)).toMatchObject({ state: SweepState.SUCCEEDED, searchEnd: 1 });
    expect((await runsOf(sweepId)).at(-1)?.text).not.toMatch(/BUDGET/);
    await harness.query(`UPDATE sweeps SET start_time = start_time - interval '2 hours'`);
    await expect(extend(sweepId, { fineTuneEpochs: 12 })).rejects.toThrow(/--wall-time/);
  });
});

describe('runs of another kind that are added', { timeout: 60_000 }, () => {
  const variant = (parameters: SweepSpec['base']) => ({ variants: [{ parameters: parametersToProto(parameters) }] });
  const rungs = (sweepId: string) =>
    harness.query<{ rung: number; stage: string; epoch: number | null; count: number }>(
      `SELECT rung, stage, epoch, (SELECT count(*)::int FROM rung_entries e WHERE e.sweep_id = g.sweep_id AND e.rung = g.rung) AS count
         FROM rungs g WHERE sweep_id = $1 ORDER BY rung`,
      [sweepId],
    );
  const TUNED = { 'fine_tune.enabled': true, 'fine_tune.epochs': 9, 'fine_tune.unfreeze': 'block2' };

  it.each([
    ['that pauses runs', { rule: 'promotion' as const }],
    ['that is left to Graft', { rule: null }],
  ])('are fine-tuned in a sweep of heads, at rungs that follow its own, under a rule %s', async (_, { rule }) => {
    const spec = specOf({ stopping: { ...STOPPING_DEFAULTS, rule }, reuse: false });
    const sweepId = await harness.submit(spec);
    await trainer.workAll();
    const before = await rungs(sweepId);
    await extend(sweepId, variant(TUNED));
    await trainer.workAll();
    const after = await rungs(sweepId);
    expect(after.slice(0, before.length).map(({ stage }) => stage)).toEqual(before.map(({ stage }) => stage));
    expect(after).toMatchObject([
      { rung: 0, stage: 'HEAD', epoch: null },
      { rung: 1, stage: 'FINE_TUNE', epoch: 3, count: 1 },
      { rung: 2, stage: 'FINE_TUNE', epoch: null, count: 1 },
    ]);
    const [added] = (await runsOf(sweepId)).slice(-1);
    expect(added?.text).toBe('SUCCEEDED ALL_EPOCHS');
    expect(await trainedEpochs(sweepId)).toBe(9);
    expect(await replayed(sweepId)).toEqual([]);
  });

  it('have a head in a sweep without heads, and are compared at the rungs of fine-tuning', async () => {
    const sweepId = await harness.submit(tuning(WITHOUT_HEAD));
    await work('INDEX', 'FEATURES', 'FINE_TUNE');
    await extend(sweepId, variant({ epochs: 3 }));
    await trainer.workAll();
    const [added] = await harness.query<{ run_id: string; rung: number; stages: string[] }>(
      `SELECT r.run_id, r.rung, ARRAY(SELECT DISTINCT t.stage FROM tasks t JOIN task_runs tr USING (task_id)
                                       WHERE tr.run_id = r.run_id AND t.stage <> 'EVALUATE' ORDER BY 1) AS stages
         FROM runs r WHERE r.sweep_id = $1 ORDER BY run_index DESC LIMIT 1`,
      [sweepId],
    );
    expect(added?.stages).toEqual(['FINE_TUNE', 'HEAD']);
    expect(added?.rung).toBeGreaterThanOrEqual(0);
    expect(await replayed(sweepId)).toEqual([]);
  });

  it('come back from the end that had stopped them when others are added', async () => {
    const sweepId = await harness.submit(tuning(WITHOUT_HEAD));
    await trainer.workAll();
    expect((await textsOf(sweepId)).filter((text) => text === 'STOPPED NOT_PROMOTED')).toHaveLength(3);
    const variants = [2, 3, 4, 5, 6, 7].map((number) => ({
      parameters: parametersToProto({ 'fine_tune.learning_rate': number / 1e3 }),
    }));
    await extend(sweepId, { variants });
    expect((await textsOf(sweepId)).filter((text) => text === 'PAUSED at 0')).toHaveLength(3);
    await trainer.workAll();
    // The cut of twelve is five: it is decided with the runs of before.
    expect((await textsOf(sweepId)).filter((text) => text === 'SUCCEEDED ALL_EPOCHS').length).toBeGreaterThanOrEqual(5);
    expect(await replayed(sweepId)).toEqual([]);
  });

  it('are refused where the sweep has no index of their weights, or ended before it was planned', async () => {
    const sweepId = await harness.submit(specOf());
    const other = variant({ backbone: 'vgg19' });
    await extend(sweepId, other);
    const task = await trainer.mustLease('INDEX');
    expect(task.weightsReferences).toHaveLength(2);
    const third = variant({ backbone: 'mobilenet_v2' });
    await expect(extend(sweepId, third)).rejects.toThrow(
      /variants: need weights.*mobilenet_v2 with random.*of their own/,
    );
    await trainer.work(task);
    await expect(extend(sweepId, third)).rejects.toThrow(/variants: need weights/);
    expect(await runsOf(sweepId)).toHaveLength(3);

    const stopped = await harness.submit(specOf());
    for (const { run_id: runId } of await runsOf(stopped)) await harness.sweeps.stopRun({ runId, reason: '' });
    expect((await sweepOf(stopped))?.state).toBe(SweepState.SUCCEEDED);
    await expect(extend(stopped, other)).rejects.toThrow(/ended before it was planned.*Submit the sweep again/);
  });

  it.each([
    ['a draw', { min: 0.5, max: 0.9 }, false],
    ['the defaults', { min: 1e-4, max: 1e-1 }, true],
  ])('leave run 0 what it was: %s', async (_, range, isBaseline) => {
    const domain = { kind: 'range', scale: 'log', gridPoints: null, step: null, ...range } as const;
    const parameters = [{ name: 'optimizer.learning_rate', domain, conditions: [] }];
    const sweepId = await harness.submit(specOf({ parameters, strategy: 'random', maxRuns: 3 }));
    await trainer.workAll();
    const isTestedAsBaseline = async () => {
      const rows = await harness.query(
        `SELECT 1 FROM test_results e JOIN runs r USING (run_id)
          WHERE r.sweep_id = $1 AND e.role = 'BASELINE'`,
        [sweepId],
      );
      return rows.length > 0;
    };
    const [before, was] = [await sweepOf(sweepId), await isTestedAsBaseline()];
    await extend(sweepId, { ...variant({ 'head.units': 64 }), epochs: 4 });
    await trainer.workAll();
    expect([before?.hasBaseline, (await sweepOf(sweepId))?.hasBaseline]).toEqual([undefined, isBaseline]);
    if (!isBaseline) expect([was, await isTestedAsBaseline()]).toEqual([false, false]);
    else if (was) expect(await isTestedAsBaseline()).toBe(true);
  });
});

describe('changes of single bounds', () => {
  it('do not undo each other, and the message of before replaces all bounds', async () => {
    const sweepId = await harness.submit(specOf());
    const target = { value: 0.1, confidence: 0.9 };
    await Promise.all([
      extend(sweepId, { budgetChange: { slotSeconds: 600 } }),
      extend(sweepId, { budgetChange: { wallSeconds: 7_200 } }),
      extend(sweepId, { budgetChange: { target } }),
    ]);
    expect((await sweepOf(sweepId))?.budget).toEqual({ slotSeconds: 600, wallSeconds: 7_200, target });
    await extend(sweepId, { budgetChange: { removeTarget: true, slotSeconds: 0 } });
    expect((await sweepOf(sweepId))?.budget).toEqual({ slotSeconds: undefined, wallSeconds: 7_200, target: undefined });
    await extend(sweepId, { budget: { slotSeconds: 60 } });
    expect((await sweepOf(sweepId))?.budget).toMatchObject({ slotSeconds: 60, wallSeconds: undefined });
    await expect(
      extend(sweepId, { budget: { slotSeconds: 60 }, budgetChange: { slotSeconds: 6, target, removeTarget: true } }),
    ).rejects.toThrow(/budget_change.remove_target.*budget_change: excludes budget/s);
    await expect(extend(sweepId, { budgetChange: { wallSeconds: -1 } })).rejects.toThrow(/budget_change.wall_seconds/);
  });
});
