import { expect, test } from 'vitest';
import { planFromProto } from '../../../services/platform/rpc/convert/plan.ts';
import { describeForecast, describePlan } from '../../../services/cli/describe/plan-text.ts';
import type { CountNote } from '../../../services/cli/describe/plan-text.ts';
import { describeRun, explainRun } from '../../../services/cli/describe/run-text.ts';
import { pagesOf } from '../../../services/coordinator/rpc/planning/plan-pages.ts';
import { PlanSweepResponse } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { previewSweep } from '../../../services/core/planner/preview-sweep.ts';
import { clusterOf } from '../core/support/plan-inputs.ts';
import { PLAIN_SPEC, values } from '../core/support/specs.ts';
import { sampleRun, sampleSweep } from './sample-sweep.ts';

const NOTE = { whyAssumed: null, isComplete: true };

/** A plan as `graft sweep plan` receives it: planned, sent and decoded. */
function planOf(parameters: Parameters<typeof previewSweep>[0]['parameters'], base = {}, isVerbose = false): string {
  const spec = { ...PLAIN_SPEC, base: { backbone: 'vgg16', epochs: 10, ...base }, parameters };
  const images = { source: 'indexed', imageCounts: { train: 200, validation: 100, test: 100 }, classCount: 2 } as const;
  const pages = pagesOf(previewSweep(spec, clusterOf(2), images), { run: 0, task: 0 }, 1_000);
  return describePlan(planFromProto(pages.map(({ bytes }) => PlanSweepResponse.decode(bytes))), NOTE, isVerbose);
}

test('prints a plan as a tree of features, heads and fine-tunings', () => {
  const text = planOf([values('fine_tune.enabled', false, true), values('fine_tune.learning_rate', 1e-5, 1e-4)]);
  const tree = text.slice(text.indexOf('0 index'), text.indexOf('\n\nExpected'));
  expect(tree.replaceAll(/\([^()]*\)/g, '()').split('\n')).toEqual([
    '0 index: list and check the images of /data/pets; find the weights of vgg16 () ()',
    '├─ 1 features: vgg16 at 180 px, average pooling: train and validation images, once ()',
    '│  └─ 3 heads: one head on stored features of vgg16, batch 32, up to 10 epochs; run 0 ()',
    '│     ├─ 4 fine-tune: last block of vgg16, up to 30 epochs, frozen part stored up to block4_pool; run 1; also after 2 ()',
    '│     └─ 5 fine-tune: last block of vgg16, up to 30 epochs, frozen part stored up to block4_pool; run 2; also after 2 ()',
    '└─ 2 features: vgg16 up to block4_pool at 180 px: train and validation images, once ()',
    '6 evaluate: test images for the winner by validation and the first run ()',
  ]);
  expect(text).toContain('of run 0');
});

test('sums up many tasks of one kind, and compares the cost with separate training', () => {
  const text = planOf(
    [values('fine_tune.learning_rate', ...Array.from({ length: 12 }, (_, index) => (index + 1) * 1e-5))],
    {
      'fine_tune.enabled': true,
    },
  );
  expect(text).toMatch(/and 4 more like these: runs 8–11, /);
  expect(text).toMatch(/^Expected on 2 slots: .* at most .* of memory in a slot\.$/m);
  expect(text).toMatch(/^Slot time: .*, against .* one by one \(\d+(\.\d+)?×\)\.$/m);
  expect(text).toMatch(/^2 extractions, .*; 1 head in 1 task; 12 fine-tunings in 12 tasks\.$/m);
  expect(text).toContain(
    'For 200 training, 100 validation and 100 test images (as indexed before). Early stopping is not taken into account.',
  );
});

test('counts one of a thing in the singular', () => {
  const rates = Array.from({ length: 9 }, (_, index) => (index + 1) * 1e-5);
  const base = { epochs: 1, 'fine_tune.enabled': true, 'fine_tune.epochs': 1, 'fine_tune.unfreeze': '2' };
  const text = planOf([values('fine_tune.learning_rate', ...rates)], base);
  expect(text).toContain('batch 32, up to 1 epoch;');
  expect(text).toContain('last 2 layers of vgg16, up to 1 epoch, ');
  expect(text).toMatch(/and 1 more like these: run 8, /);
});

test('names only the common parameters that differ from the defaults, unless asked for all', () => {
  const parameters = [values('head.units', 16, 64)];
  const brief = /^All runs have: (.*)$/m.exec(planOf(parameters))?.[1];
  expect(brief).toMatch(/^backbone=vgg16 epochs=10 seed=42, and \d+ other parameters at the defaults \(--verbose\)$/);
  const full = /^All runs have: (.*)$/m.exec(planOf(parameters, {}, true))?.[1];
  expect(full).toMatch(/ image_size=180 .* optimizer\.learning_rate=0\.001 /);
  expect(full).not.toContain('--verbose');
});

test('folds a long list of runs, unless asked for all', () => {
  const parameters = [values('head.units', ...Array.from({ length: 200 }, (_, index) => index + 1))];
  const brief = planOf(parameters).split('\n');
  expect(brief[0]).toBe('200 runs');
  expect(brief.filter((line) => /^ *\d+ {2}\d+$/.test(line))).toHaveLength(40);
  expect(brief).toContain('… and 160 more runs (--verbose)');
  const full = planOf(parameters, {}, true).split('\n');
  expect(full.filter((line) => /^ *\d+ {2}\d+$/.test(line))).toHaveLength(200);
  expect(planOf([])).toMatch(/^1 run\n/);
});

test('says where the numbers of images come from', () => {
  const spec = { ...PLAIN_SPEC, parameters: [] };
  const counts = { imageCounts: { train: 600, validation: 200, test: 100 }, classCount: 3 };
  const lastLine = (images: Parameters<typeof previewSweep>[2], note: CountNote): string =>
    describePlan(previewSweep(spec, clusterOf(2), images), note, false)
      .split('\n')
      .at(-1) ?? '';
  expect(lastLine({ source: 'counted', ...counts }, NOTE)).toMatch(/^For 600 training, .* \(counted by file names, /);
  expect(lastLine({ source: 'counted', ...counts }, { ...NOTE, isComplete: false })).toMatch(/\(extrapolated from /);
  expect(lastLine(null, { ...NOTE, whyAssumed: 'there is no folder /x' })).toMatch(
    /^For 2000 .* \(an assumption: this data set is not indexed yet, and there is no folder \/x\)/,
  );
});

test('shows forecast and measurement side by side, without a ratio for unfinished stages', () => {
  const stage = { taskCount: 1, runCount: 2, lostSeconds: 0, forecastMemoryBytes: 6e8, measuredMemoryBytes: null };
  const forecast = {
    stages: [
      { ...stage, stage: 'INDEX' as const, runCount: 0, forecastSeconds: null, measuredSeconds: 2, ended: true },
      { ...stage, stage: 'HEAD' as const, forecastSeconds: 20, measuredSeconds: 30, ended: true },
      { ...stage, stage: 'FINE_TUNE' as const, forecastSeconds: 20, measuredSeconds: 5, lostSeconds: 3, ended: false },
    ],
    wallSeconds: 45,
    aloneSeconds: 400,
  };
  const text = describeForecast(forecast, new Date(0), new Date(50_000));
  expect(text).toMatch(/^HEAD +1 +2 +20\.0 s +30\.0 s +1\.50× +600\.0 MB$/m);
  expect(text).toMatch(/^FINE_TUNE +1 +2 +20\.0 s +5\.0 s so far +3\.0 s +600\.0 MB$/m);
  expect(text).toContain('Whole sweep: expected 45.0 s, took 50.0 s; 6 min 40 s of slot time one by one.');
  expect(describeForecast({ stages: [], wallSeconds: null, aloneSeconds: null }, null, null)).toBe('');
});

test('names the run that trained a shared head, and where its curve is', () => {
  const run = sampleRun(1, { headRunId: 's1-r000' });
  expect(describeRun(run)).toMatch(/^head +trained by s1-r000, which has the same head phase$/m);
  expect(explainRun(run, [], sampleSweep(), null, null)).toContain('run explain s1-r000');
  expect(describeRun(sampleRun(0))).not.toMatch(/^head /m);
});
