import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import type { ProbeOrder, Stage } from '../../../services/core/task.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { expectConclusion, runsOf, skipDelays } from './search-fixture.ts';
import { simulatedDataset } from './simulated-dataset.ts';
import { CLASS_NAMES, SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

/** Part of 300 images that each backbone predicts correctly. */
const ACCURACIES: Readonly<Record<string, number>> = {
  vgg16: 0.81,
  mobilenet: 0.92,
  mobilenet_v2: 0.93,
  efficientnet_lite0: 0.925,
  resnet50: 0.7,
};
const BACKBONES = Object.keys(ACCURACIES);

/** Two heads on each of five backbones; the first one, the baseline's, is the second worst. */
function screenSpec(changes: Partial<SweepSpec> = {}): SweepSpec {
  return specOf({
    base: { ...specOf().base, backbone: 'vgg16' },
    parameters: [
      { name: 'backbone', domain: { kind: 'values', values: BACKBONES }, conditions: [] },
      { name: 'head.units', domain: { kind: 'values', values: [8, 16] }, conditions: [] },
    ],
    screen: { keep: 3, images: 0 },
    reuse: false,
    ...changes,
  });
}

async function trainerOf(trainerId = 'screens', executes?: readonly Stage[]): Promise<SimulatedTrainer> {
  const trainer = new SimulatedTrainer(harness.trainers, harness.artifacts, trainerId);
  trainer.dataset = simulatedDataset(CLASS_NAMES, () => 150);
  trainer.probedAccuracy = ({ backbone }: ProbeOrder) => ACCURACIES[backbone] ?? 0.5;
  if (executes !== undefined) trainer.executes = executes;
  await trainer.register(1);
  return trainer;
}

interface ProbeRow {
  readonly backbone: string;
  readonly kept: boolean | null;
  readonly place: number | null;
  readonly reason: string;
}

async function probesOf(sweepId: string): Promise<ProbeRow[]> {
  return harness.query<ProbeRow>(
    'SELECT backbone, kept, place, reason FROM screen_tables WHERE sweep_id = $1 ORDER BY place NULLS LAST, backbone',
    [sweepId],
  );
}

/** Backbones whose features a sweep has computed. */
async function extracted(sweepId: string): Promise<string[]> {
  const rows = await harness.query<{ backbone: string }>(
    `SELECT DISTINCT f.backbone FROM feature_sets f JOIN tasks t ON t.task_id = f.computed_by_task_id
      WHERE t.sweep_id = $1 AND f.state = 'COMPUTED' ORDER BY 1`,
    [sweepId],
  );
  return rows.map(({ backbone }) => backbone);
}

describe('the screen of a sweep', { timeout: 120_000 }, () => {
  it('computes the features of what it keeps, and says in numbers why it left the others out', async () => {
    const trainer = await trainerOf();
    const sweepId = await harness.submit(screenSpec());
    const stages = await trainer.workAll();
    expect(stages.slice(0, 7)).toEqual(['INDEX', ...Array<Stage>(5).fill('PROBE'), 'FEATURES']);
    expect(await extracted(sweepId)).toEqual(['efficientnet_lite0', 'mobilenet_v2', 'vgg16']);
    expect((await probesOf(sweepId)).map(({ backbone, kept }) => [backbone, kept])).toEqual([
      ['mobilenet_v2', true],
      ['efficientnet_lite0', true],
      ['mobilenet', false],
      ['vgg16', true],
      ['resnet50', false],
    ]);
    const runs = await runsOf(harness, sweepId);
    // The grid varies units within a backbone.
    expect(runs.map(({ end_cause: cause }) => cause)).toEqual([
      ...['ALL_EPOCHS', 'ALL_EPOCHS', 'SCREENED', 'SCREENED', 'ALL_EPOCHS', 'ALL_EPOCHS', 'ALL_EPOCHS', 'ALL_EPOCHS'],
      ...['SCREENED', 'SCREENED'],
    ]);
    const [worst] = runs.slice(-1);
    expect(worst).toMatchObject({ state: 'STOPPED' });
    expect(worst?.state_reason).toBe(
      'screened out: 0.700 of 300 images predicted correctly; mobilenet_v2, the best, 0.930; only that one right on 69, only this one ' +
        'on 0, p < 0.001 (bound 0.013); LogME 0.50 against 0.50, which decides nothing',
    );
    expect(runs[2]?.state_reason).toMatch(
      /^screened out: 0\.920 of 300 images predicted correctly, place 3 of 5; at most 3 are kept \(screen\.keep\), although/,
    );
    await expectConclusion(harness, sweepId);
  });

  it('is explained for a run and for the sweep, and replayed', async () => {
    const trainer = await trainerOf();
    const sweepId = await harness.submit(screenSpec());
    await trainer.workAll();
    const explained = await harness.sweeps.explainSweep({ sweepId, replay: true });
    expect(explained.replay).toMatchObject({ decisionCount: 1, differenceCount: 0 });
    expect(explained.screen.map(({ backbone, kept, isBaseline }) => [backbone, kept, isBaseline]).slice(2, 4)).toEqual([
      ['mobilenet', false, false],
      ['vgg16', true, true],
    ]);
    const [run] = (await runsOf(harness, sweepId)).slice(-1);
    const { notes } = await harness.sweeps.explainRun({ runId: run?.run_id ?? '' });
    expect(notes[0]).toMatch(
      /^Screen: resnet50 was screened out: 0\.700 of 300 images predicted correctly; mobilenet_v2/,
    );
    const { decisions } = await harness.sweeps.listDecisions({ sweepId, runId: '', pageSize: 0, pageToken: '' });
    expect(decisions.map(({ rule }) => rule)).toEqual(['screen@1']);
    expect(decisions[0]?.reason).toBe(
      'kept 3 of 5 candidates on 300 images: mobilenet_v2 0.930, efficientnet_lite0 0.927 (p = 0.25), ' +
        "vgg16 0.810 (p < 0.001, the baseline's); screened out mobilenet 0.920 (p = 0.063, no place left), resnet50 0.700 (p < 0.001)",
    );
    await harness.query(`UPDATE decisions SET reason = 'kept all' WHERE sweep_id = $1`, [sweepId]);
    const changed = await harness.sweeps.explainSweep({ sweepId, replay: true });
    expect(changed.replay?.differenceCount).toBe(1);
  });

  it('keeps a backbone whose probe fails, and says so', async () => {
    const trainer = await trainerOf();
    const sweepId = await harness.submit(screenSpec());
    await trainer.work(await trainer.mustLease('INDEX'));
    for (let probe = 0; probe < 5; probe += 1) {
      const task = await trainer.mustLease('PROBE');
      if (task.probe?.backbone !== 'resnet50') await trainer.work(task);
      else await trainer.fail(task, { errorClass: 'PERMANENT', message: 'its weights are damaged' });
    }
    const [last] = (await probesOf(sweepId)).slice(-1);
    expect(last).toMatchObject({ backbone: 'resnet50', kept: true, place: null });
    expect(last?.reason).toMatch(
      /^kept: its probe has no result \(.*its weights are damaged.*\), so nothing is known against it$/,
    );
    await trainer.workAll();
    expect(await extracted(sweepId)).toEqual(['efficientnet_lite0', 'mobilenet_v2', 'resnet50', 'vgg16']);
    await expectConclusion(harness, sweepId);
  });

  it('leaves probes to trainers whose version knows them', async () => {
    const old = await trainerOf('old', []);
    const sweepId = await harness.submit(screenSpec());
    expect(await old.workAll()).toEqual(['INDEX']);
    expect((await probesOf(sweepId)).map(({ kept }) => kept)).toEqual(Array(5).fill(null));
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep?.stateReason).toBe(
      'waits: no trainer executes PROBE tasks, because all are of an earlier version (0.1.0). Update one.',
    );
    const current = await trainerOf('current');
    expect((await current.workAll()).filter((stage) => stage === 'PROBE')).toHaveLength(5);
    await expectConclusion(harness, sweepId);
  });

  it('refuses results that no probe of these images can have', async () => {
    const trainer = await trainerOf();
    await harness.submit(screenSpec());
    await trainer.work(await trainer.mustLease('INDEX'));
    const task = await trainer.mustLease('PROBE');
    const measured = trainer.measureOf(task);
    const lie = { ...measured, imageCount: 299 };
    await expect(trainer.complete(task, { stage: 'PROBE', ...lie })).rejects.toThrow(/probe\.image_count: must be 300/);
    await expect(trainer.complete(task, { stage: 'FEATURES', featureSets: [], seconds: 1 })).rejects.toThrow(/PROBE/);
    await trainer.work(task);
  });

  it('keeps what it kept when the sweep is extended, and trains what an extension adds', async () => {
    const trainer = await trainerOf();
    const sweepId = await harness.submit(screenSpec());
    await trainer.workAll();
    const variants = [
      { backbone: 'resnet50', 'head.units': 24 },
      { backbone: 'mobilenet_v2', 'head.units': 24 },
      { backbone: 'mobilenet_v2', 'head.units': 24, image_size: 96 },
    ];
    const before = await probesOf(sweepId);
    const extended = sweepSpecToProto(specOf({ variants }));
    await harness.sweeps.extendSweep({
      sweepId,
      reason: '',
      budget: undefined,
      variants: extended.variants,
      maxRuns: 0,
      epochs: 0,
      fineTuneEpochs: 0,
      budgetChange: undefined,
    });
    await trainer.workAll();
    expect(await probesOf(sweepId)).toEqual(before);
    const added = (await runsOf(harness, sweepId)).slice(10);
    expect(added.map(({ state, end_cause: cause }) => [state, cause])).toEqual([
      ['STOPPED', 'SCREENED'],
      ['SUCCEEDED', 'ALL_EPOCHS'],
      ['SUCCEEDED', 'ALL_EPOCHS'],
    ]);
    const { notes } = await harness.sweeps.explainRun({ runId: added[2]?.run_id ?? '' });
    expect(notes[0]).toBe('Screen: its backbone was not probed, because an extension added it; so it is trained.');
  });

  it('is repeated when a bound ended the search before it was decided, and the bound is raised', async () => {
    const trainer = await trainerOf();
    const sweepId = await harness.submit(
      screenSpec({ budget: { slotSeconds: 1e-6, wallSeconds: null, target: null } }),
    );
    await trainer.workAll();
    const ended = await runsOf(harness, sweepId);
    expect(new Set(ended.map(({ end_cause: cause }) => cause))).toEqual(new Set(['BUDGET']));
    await harness.sweeps.extendSweep({
      sweepId,
      reason: '',
      budget: undefined,
      variants: [],
      maxRuns: 0,
      epochs: 0,
      fineTuneEpochs: 0,
      budgetChange: { slotSeconds: 1e6, wallSeconds: undefined, target: undefined, removeTarget: false },
    });
    await skipDelays(harness);
    const stages = await trainer.workAll();
    expect(stages.filter((stage) => stage === 'PROBE')).toHaveLength(5);
    expect(await extracted(sweepId)).toEqual(['efficientnet_lite0', 'mobilenet_v2', 'vgg16']);
    await expectConclusion(harness, sweepId);
  });

  it('does nothing where the file says off, or where one backbone is alone', async () => {
    const trainer = await trainerOf();
    await harness.submit(screenSpec({ screen: 'off' }));
    await harness.submit(screenSpec({ parameters: screenSpec().parameters.slice(1) }));
    const stages = await trainer.workAll();
    expect(stages).not.toContain('PROBE');
  });
});
