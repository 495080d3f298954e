import { describe, expect, it } from 'vitest';
import { describeRun } from '../../../services/cli/describe/run-text.ts';
import { sampleRun } from './sample-sweep.ts';

describe('a run in words', () => {
  it('has the peak memory of its worker', () => {
    expect(describeRun(sampleRun(1))).toMatch(/^peak memory +1\.2 GB$/m);
  });

  it('has what its model costs, where that is stored', () => {
    const costs = { modelBytes: 13_657_220, parameterCount: 3_414_305, flops: 767_817_664 };
    expect(describeRun(sampleRun(1, costs))).toMatch(
      /^model +13\.7 MB in float32, 3\.41 M parameters, 768 M operations per image$/m,
    );
    expect(describeRun(sampleRun(1))).not.toMatch(/^model /m);
  });

  it('has no peak memory before a stage has ended', () => {
    expect(describeRun(sampleRun(1, { peakMemoryBytes: null }))).toMatch(/^peak memory *$/m);
  });
});
