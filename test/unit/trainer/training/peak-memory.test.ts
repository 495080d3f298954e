import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readPeakMemory, resetPeakMemory } from '../../../../services/trainer/training/peak-memory.ts';

const MAPPED_BYTES = 400e6;

describe('peak memory of a task', () => {
  it('holds what was given back, and not what was held before the task', (context) => {
    if (!existsSync('/proc/self/clear_refs')) context.skip('only Linux can begin anew');
    const before = readPeakMemory();
    // A resizable buffer gives its memory back at once when it shrinks, without waiting for the garbage collector.
    const buffer = new ArrayBuffer(MAPPED_BYTES, { maxByteLength: MAPPED_BYTES });
    new Uint8Array(buffer).fill(1);
    const peak = readPeakMemory();
    buffer.resize(0);
    expect(readPeakMemory()).toBeGreaterThanOrEqual(peak);
    expect(peak - before).toBeGreaterThan(MAPPED_BYTES * 0.8);
    resetPeakMemory();
    expect(readPeakMemory()).toBeLessThan(peak - MAPPED_BYTES * 0.8);
  });
});
