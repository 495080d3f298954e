import { describe, expect, it } from 'vitest';
import { describeComparison } from '../../../services/cli/describe/compare-text.ts';
import { describeDiff, diffSpecs } from '../../../services/cli/describe/diff-text.ts';
import { sampleRun, sampleSweep } from './sample-sweep.ts';

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
      null,
    );
    expect(text).toMatch(/^base\.epochs +– +3$/m);
    expect(text).toMatch(/^best val_loss +0\.0500 +–$/m);
  });
});

it('shows the differing parameters of runs first, and marks the best epoch', () => {
  const [a, b] = [0, 1].map((index) => ({
    rank: index + 1,
    run: sampleRun(index),
    testResult: null,
    named: `latest/${index}`,
    values: [
      ['HEAD 2', 0.3],
      ['HEAD 3', 0.25],
    ] as const,
  }));
  const paired = {
    difference: 0.1,
    interval: { low: 0.05, high: 0.15 },
    winnerOnly: 12,
    baselineOnly: 2,
    imageCount: 100,
    distinguishable: true,
  };
  const lines = describeComparison([a!, b!], 'val_loss', paired, null).split('\n');
  expect(lines[0]).toMatch(/^ +latest\/0 +latest\/1$/);
  expect(lines[1]).toMatch(/^head\.units +16 +32$/);
  expect(lines.join('\n')).toMatch(/^HEAD 3 +0\.2500 \* +0\.2500 \*$/m);
  expect(lines.at(-1)).toContain('latest/0 against latest/1: better; difference in accuracy +10.00 %');
});
