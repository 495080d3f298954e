import { describe, expect, it } from 'vitest';
import { RateLimitedError } from '../../../services/core/errors.ts';
import { CallLimits } from '../../../services/coordinator/rpc/authorisation/call-limits.ts';

function bench(changes: { callsPerSecond?: number; openCalls?: number } = {}) {
  const clock = { now: 0 };
  const limits = new CallLimits({
    callsPerSecond: 10,
    openCalls: 1_000,
    refusalsPerSecond: 2,
    ...changes,
    now: () => clock.now,
  });
  return { clock, limits };
}

function limitOf(act: () => unknown): RateLimitedError | null {
  try {
    act();
  } catch (error) {
    if (error instanceof RateLimitedError) return error;
    throw error;
  }
  return null;
}

/** Returns the number of calls that pass before one is refused. */
function countCalls(limits: CallLimits, tokenId: string): number {
  for (let count = 0; ; count += 1) if (limitOf(() => limits.begin(tokenId)()) !== null) return count;
}

describe('limits of calls', () => {
  it('allow a burst of twice the rate, then the rate, with an exact retry-after', () => {
    const { clock, limits } = bench();
    expect(countCalls(limits, 't1')).toBe(20);
    const refused = limitOf(() => limits.begin('t1'));
    expect(refused?.message).toContain('A token may make 10 calls a second.');
    expect(refused?.retryMs).toBe(100);
    clock.now += 99;
    expect(countCalls(limits, 't1')).toBe(0);
    clock.now += 1;
    expect(countCalls(limits, 't1')).toBe(1);
    clock.now += 1_000;
    expect(countCalls(limits, 't1')).toBe(10);
    clock.now += 60_000;
    expect(countCalls(limits, 't1')).toBe(20);
  });

  it('apply to each token separately', () => {
    const { limits } = bench();
    expect(countCalls(limits, 't1')).toBe(20);
    expect(countCalls(limits, 't2')).toBe(20);
  });

  it('count an open call until it has ended', () => {
    const { limits } = bench({ openCalls: 3, callsPerSecond: 1_000 });
    const [first] = [limits.begin('t1'), limits.begin('t1'), limits.begin('t1')];
    expect(limitOf(() => limits.begin('t1'))?.message).toContain('A token may have 3 calls open at once.');
    expect(limitOf(() => limits.begin('t2'))).toBeNull();
    first();
    expect(limitOf(() => limits.begin('t1'))).toBeNull();
  });

  it('stop an address that guesses, and no other', () => {
    const { clock, limits } = bench();
    for (let guess = 0; guess < 20; guess += 1) {
      limits.checkAddress('10.0.0.1');
      limits.recordRefusal('10.0.0.1');
    }
    expect(limitOf(() => limits.checkAddress('10.0.0.1'))?.retryMs).toBe(500);
    expect(limitOf(() => limits.checkAddress('10.0.0.2'))).toBeNull();
    clock.now += 500;
    expect(limitOf(() => limits.checkAddress('10.0.0.1'))).toBeNull();
  });

  it('take memory for at most ten thousand addresses', () => {
    const { limits } = bench();
    for (let address = 0; address < 30_000; address += 1) limits.recordRefusal(`10.${address}`);
    // The first addresses were evicted, the last ones were not.
    for (let refusal = 0; refusal < 19; refusal += 1) for (const end of [0, 29_999]) limits.recordRefusal(`10.${end}`);
    expect(limitOf(() => limits.checkAddress('10.0'))).toBeNull();
    expect(limitOf(() => limits.checkAddress('10.29999'))).not.toBeNull();
  });
});
