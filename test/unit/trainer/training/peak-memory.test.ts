import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { readPeakMemory, resetPeakMemory } from '../../../../services/trainer/training/peak-memory.ts';

const TAKEN_BYTES = 400e6;

describe('peak memory of a task', () => {
  it('includes released memory, but not memory of an earlier task', async (context) => {
    if (!existsSync('/proc/self/clear_refs')) context.skip('only Linux can reset the peak');
    // Other tests of this process may have held more.
    resetPeakMemory();
    const before = readPeakMemory();
    // A thread releases its memory when it ends, without waiting for the garbage collector.
    await once(new Worker(`new Uint8Array(${TAKEN_BYTES}).fill(1)`, { eval: true }), 'exit');
    const peak = readPeakMemory();
    expect(peak - before).toBeGreaterThan(TAKEN_BYTES * 0.6);
    resetPeakMemory();
    expect(readPeakMemory()).toBeLessThan(peak - TAKEN_BYTES * 0.6);
  });
});
