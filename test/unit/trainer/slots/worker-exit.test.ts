import { describe, expect, it } from 'vitest';
import {
  describeProcess,
  errorOfExit,
  readMemoryLimit,
  readPeakMemory,
} from '../../../../services/trainer/slots/worker-exit.ts';
import type { WorkerExit } from '../../../../services/trainer/slots/worker-exit.ts';

const GIB = 1024 ** 3;
const EXIT: WorkerExit = {
  code: null,
  signal: null,
  peakMemoryBytes: GIB,
  memoryLimitBytes: 8 * GIB,
  outOfMemoryKills: 0,
  lastOutput: '',
};

describe('errorOfExit', () => {
  it.each<[string, Partial<WorkerExit>, string, string]>([
    ['an exit code', { code: 1 }, 'COUNTED', 'WORKER_CRASHED'],
    ['a native crash', { signal: 'SIGSEGV' }, 'COUNTED', 'WORKER_CRASHED'],
    ['a kill from outside', { signal: 'SIGKILL' }, 'INFRASTRUCTURE', 'WORKER_KILLED'],
    ['a termination from outside', { signal: 'SIGTERM' }, 'INFRASTRUCTURE', 'WORKER_KILLED'],
    ['a kill that the container counted', { signal: 'SIGKILL', outOfMemoryKills: 1 }, 'MEMORY', 'OUT_OF_MEMORY'],
    ['a kill near the limit', { signal: 'SIGKILL', peakMemoryBytes: 7 * GIB }, 'MEMORY', 'OUT_OF_MEMORY'],
    ['a kill at an unknown limit', { signal: 'SIGKILL', memoryLimitBytes: 0 }, 'INFRASTRUCTURE', 'WORKER_KILLED'],
    [
      'V8 without memory',
      { signal: 'SIGABRT', lastOutput: 'JavaScript heap out of memory' },
      'MEMORY',
      'OUT_OF_MEMORY',
    ],
    ['TensorFlow without memory', { code: 1, lastOutput: 'OOM when allocating tensor' }, 'MEMORY', 'OUT_OF_MEMORY'],
  ])('classifies %s', (_name, exit, errorClass, code) => {
    expect(errorOfExit({ ...EXIT, ...exit }, 'epoch 3')).toMatchObject({ errorClass, code });
  });

  it('reports the step, the exit and the last output', () => {
    const { message } = errorOfExit({ ...EXIT, code: 7, lastOutput: 'shape mismatch\n' }, 'epoch 3 of 9');
    expect(message).toContain('exit code 7');
    expect(message).toContain('epoch 3 of 9');
    expect(message).toContain('shape mismatch');
  });
});

describe('readings of /proc', () => {
  it('are the peak memory, the limit and the state of a process', (context) => {
    context.skip(process.platform !== 'linux', 'reads /proc, which only Linux has');
    const peak = readPeakMemory(process.pid);
    expect(peak).toBeGreaterThan(10 * 1024 ** 2);
    expect(readMemoryLimit()).toBeGreaterThan(peak);
    expect(describeProcess(process.pid)).toMatch(/^process state [RS]/);
    expect(readPeakMemory(2 ** 22 + 1)).toBe(0);
  });
});
