import { describe, expect, test } from 'vitest';
import type { RetryInput } from '../../../services/core/retry.ts';
import { decideRetry, isStoreTrouble, mustPauseSweep } from '../../../services/core/retry.ts';
import { DEFAULT_LEASE_TIMING, leaseTimingFor, stuckAfterMs } from '../../../services/core/lease.ts';

const NOTHING_BEFORE: RetryInput = {
  errorClass: 'COUNTED',
  code: 'UNEXPECTED',
  message: 'it broke',
  countedFailures: 0,
  infrastructureInARow: 0,
  memoryFailures: 0,
  jitter: 0,
};

describe('decideRetry', () => {
  test('retries infrastructure at once, then after 1, 4, 16 s, and ends a crash loop at the tenth', () => {
    const decisions = Array.from({ length: 10 }, (_, index) =>
      decideRetry({ ...NOTHING_BEFORE, errorClass: 'INFRASTRUCTURE', infrastructureInARow: index + 1 }),
    );
    const delays = decisions.map((decision) => (decision.action === 'REQUEUE' ? decision.delayMs : decision.code));
    expect(delays).toEqual([0, 1000, 4000, 16000, 16000, 16000, 16000, 16000, 16000, 'CRASH_LOOP']);
  });

  test('halves the batch three times after a lack of memory, then reports INFEASIBLE', () => {
    const decisions = [1, 2, 3, 4].map((memoryFailures) =>
      decideRetry({ ...NOTHING_BEFORE, errorClass: 'MEMORY', memoryFailures }),
    );
    expect(decisions.map((d) => (d.action === 'REQUEUE' ? d.microBatchDivisor : d.action))).toEqual([
      2,
      4,
      8,
      'INFEASIBLE',
    ]);
  });

  test('keeps a smaller batch after another kind of error', () => {
    const decision = decideRetry({
      ...NOTHING_BEFORE,
      errorClass: 'INFRASTRUCTURE',
      infrastructureInARow: 1,
      memoryFailures: 2,
    });
    expect(decision).toMatchObject({ action: 'REQUEUE', microBatchDivisor: 4 });
  });

  test('never retries permanent errors', () => {
    const invalid = { ...NOTHING_BEFORE, errorClass: 'PERMANENT', code: 'INVALID_PARAMETERS' } as const;
    expect(decideRetry(invalid)).toEqual({ action: 'INFEASIBLE', code: 'INVALID_PARAMETERS', reason: 'it broke' });
    expect(decideRetry({ ...invalid, code: 'DATASET_INVALID' }).action).toBe('FAILED');
  });

  test('never retries a loss that is not finite', () => {
    expect(decideRetry({ ...NOTHING_BEFORE, errorClass: 'NUMERIC' })).toMatchObject({
      action: 'FAILED',
      code: 'NUMERIC',
    });
  });

  test('pauses the sweep for an unwritable store, without counting a failure', () => {
    for (const code of ['DISK_FULL', 'STORE_UNWRITABLE']) {
      const decision = decideRetry({ ...NOTHING_BEFORE, errorClass: 'INFRASTRUCTURE', code, infrastructureInARow: 99 });
      expect(decision).toMatchObject({ action: 'REQUEUE', delayMs: 0, pausesSweep: true });
      expect(isStoreTrouble({ code })).toBe(true);
    }
    expect(isStoreTrouble({ code: 'LEASE_EXPIRED' })).toBe(false);
  });

  test('retries anything else twice, with jitter, then fails', () => {
    const after = (countedFailures: number, jitter: number): unknown =>
      decideRetry({ ...NOTHING_BEFORE, countedFailures, jitter });
    expect(after(1, 0)).toMatchObject({ action: 'REQUEUE', delayMs: 1000 });
    expect(after(2, 0.5)).toMatchObject({ action: 'REQUEUE', delayMs: 4500 });
    expect(after(3, 0)).toMatchObject({ action: 'FAILED', code: 'UNEXPECTED' });
  });
});

test('pauses a sweep after three failed runs in a row, not with a success between them', () => {
  expect(mustPauseSweep(['SUCCEEDED', 'FAILED', 'INFEASIBLE', 'FAILED'])).toBe(true);
  expect(mustPauseSweep(['FAILED', 'FAILED', 'SUCCEEDED', 'FAILED'])).toBe(false);
  expect(mustPauseSweep(['FAILED', 'FAILED'])).toBe(false);
});

test('keeps the order of lease times at any scale', () => {
  expect(leaseTimingFor(30_000)).toEqual(DEFAULT_LEASE_TIMING);
  const short = leaseTimingFor(3_000);
  expect(short.heartbeatMs * 2).toBeLessThan(short.silenceLimitMs);
  expect(short.silenceLimitMs).toBeLessThan(short.leaseMs);
  expect([stuckAfterMs(null), stuckAfterMs(1_000), stuckAfterMs(60_000)]).toEqual([120_000, 120_000, 300_000]);
});
