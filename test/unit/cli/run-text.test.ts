import { describe, expect, it } from 'vitest';
import { describeRun } from '../../../services/cli/describe/run-text.ts';
import { sampleRun } from './sample-sweep.ts';

describe('a run in words', () => {
  it('has the peak memory of its worker', () => {
    expect(describeRun(sampleRun(1))).toMatch(/^peak memory +1\.2 GB$/m);
  });

  it('has no peak memory before a stage has ended', () => {
    expect(describeRun(sampleRun(1, { peakMemoryBytes: null }))).toMatch(/^peak memory *$/m);
  });
});
