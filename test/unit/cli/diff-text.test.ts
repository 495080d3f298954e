import { describe, expect, it } from 'vitest';
import { describeComparison, testedElsewhere } from '../../../services/cli/describe/compare-text.ts';
import type { ComparedRun } from '../../../services/cli/describe/compare-text.ts';
import { describeDiff, diffSpecs } from '../../../services/cli/describe/diff-text.ts';
import { sampleRun, sampleSweep, sampleTestResult } from './sample-sweep.ts';

describe('two sweeps', () => {
  const first = sampleSweep();
  const dimension = { name: 'head.units', domain: { kind: 'values', values: [8, 16] }, conditions: [] } as const;
  const second = sampleSweep({
    sweepId: 's2',
    spec: { ...first.spec, seed: 2, base: { backbone: 'vgg16', epochs: 3 }, parameters: [dimension] },
  });

  it('differ in the fields of their specs, by path', () => {
    expect(diffSpecs(first.spec, second.spec)).toEqual([
      { path: 'seed', first: '1', second: '2' },
      { path: 'base.backbone', first: 'efficientnet_lite0', second: 'vgg16' },
      { path: 'base.epochs', first: null, second: '3' },
      { path: 'parameters.head.units.domain.kind', first: null, second: 'values' },
      { path: 'parameters.head.units.domain.values', first: null, second: '[8,16]' },
    ]);
    expect(diffSpecs(first.spec, first.spec)).toEqual([]);
  });

  it('are shown with their results', () => {
    const entry = { rank: 1, run: sampleRun(3), testResult: null };
    const text = describeDiff(
      [
        { sweep: first, best: entry },
        { sweep: second, best: null },
      ],
      diffSpecs(first.spec, second.spec),
      null,
    );
    expect(text).toMatch(/^base\.epochs +– +3$/m);
    expect(text).toMatch(/^best val_loss +0\.0500 +–$/m);
  });
});

describe('a comparison of runs', () => {
  const loss = sampleSweep();
  const score = sampleSweep({
    sweepId: 's2',
    spec: { ...loss.spec, objective: { metric: 'val_macro_f1', goal: 'maximize' } },
  });

  function comparedRun(index: number, sweep = loss): ComparedRun {
    const epochs = [2, 3].flatMap((epoch) => [
      { epoch: `HEAD ${epoch}`, metric: 'val_loss', value: 0.9 / epoch },
      { epoch: `HEAD ${epoch}`, metric: 'val_macro_f1', value: epoch / 10 },
    ]);
    const run = sampleRun(index, { sweepId: sweep.sweepId });
    return {
      rank: index + 1,
      run,
      testResult: sampleTestResult(index, 'WINNER'),
      named: `${sweep.sweepId}/${index}`,
      sweep,
      epochs,
    };
  }

  it('shows the differing parameters first, and marks the best epoch', () => {
    const paired = {
      difference: 0.1,
      interval: { low: 0.05, high: 0.15 },
      winnerOnly: 12,
      baselineOnly: 2,
      imageCount: 100,
      distinguishable: true,
    };
    const lines = describeComparison([comparedRun(0), comparedRun(1)], paired, null).split('\n');
    expect(lines[0]).toMatch(/^ +s1\/0 +s1\/1$/);
    expect(lines[1]).toMatch(/^head\.units +16 +32$/);
    expect(lines.join('\n')).toMatch(/^HEAD 3 +0\.3000 \* +0\.3000 \*$/m);
    expect(lines.at(-1)).toContain('s1/0 against s1/1: better; difference in accuracy +10.00 %');
  });

  it('shows each objective of several sweeps by itself', () => {
    const text = describeComparison([comparedRun(0), comparedRun(1, score)], null, null);
    expect(text).toMatch(/^rank in its sweep +1 +2$/m);
    expect(text).toMatch(/^best val_loss +0\.2000 +–$/m);
    expect(text).toMatch(/^best val_macro_f1 +– +0\.1000$/m);
    const [, byLoss = '', byScore = ''] = text.split(/^val_\w+ by epoch \(\* best\)$/m);
    expect(byLoss).toMatch(/^HEAD 3 +0\.3000 \* +0\.3000$/m);
    expect(byScore).toMatch(/^HEAD 3 +0\.3000 +0\.3000 \*$/m);
    expect(text).not.toContain('data sets');
  });

  it('says that runs of other data sets have other test images', () => {
    const others = { ...comparedRun(1), sweep: sampleSweep({ datasetId: 'd2' }) };
    expect(testedElsewhere([comparedRun(0), others])).toBe(true);
    expect(describeComparison([comparedRun(0), others], null, null)).toContain('tested on different data sets');
  });

  it('names what a narrow terminal hides, but no option that it does not have', () => {
    const text = describeComparison([comparedRun(0), comparedRun(1)], null, 20);
    expect(text).toContain('Hidden in this');
    expect(text).not.toContain('--columns');
  });
});
