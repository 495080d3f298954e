import { describe, expect, it } from 'vitest';
import { parseGpus } from '../../../services/trainer/telemetry/gpu-memory.ts';

describe('the output of nvidia-smi', () => {
  it('is read in bytes and shares', () => {
    expect(parseGpus('0, 1024, 81559, 37\n1, 0, 81559, 0\n')).toEqual([
      { index: '0', usedBytes: 1024 * 1024 ** 2, totalBytes: 81_559 * 1024 ** 2, utilization: 0.37 },
      { index: '1', usedBytes: 0, totalBytes: 81_559 * 1024 ** 2, utilization: 0 },
    ]);
  });

  it('may lack the utilization (MIG), and have other lines', () => {
    expect(parseGpus('0, 13, 9856, [N/A]\nNo devices were found\n2, [N/A], [N/A], 5\n\n')).toEqual([
      { index: '0', usedBytes: 13 * 1024 ** 2, totalBytes: 9_856 * 1024 ** 2, utilization: null },
    ]);
  });
});
