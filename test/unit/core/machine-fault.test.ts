import { describe, expect, test } from 'vitest';
import { decideMachineFault, describeFaults, isMachineFault } from '../../../services/core/machine-fault.ts';
import { decideRetry } from '../../../services/core/retry.ts';

const LOST = { code: 'STORE_UNREACHABLE', message: 'EIO', isPermanent: false, hasOther: false, round: 1 };

describe('a fault of the machine', () => {
  test('goes to another slot at once where there is one, whatever its class', () => {
    for (const isPermanent of [false, true]) {
      expect(decideMachineFault({ ...LOST, isPermanent, hasOther: true, round: 99 }).action).toBe('ELSEWHERE');
    }
  });

  test('that every slot has is retried three times where it may disappear, then pauses the sweep', () => {
    const actions = [1, 2, 3, 4, 5].map((round) => decideMachineFault({ ...LOST, round }).action);
    expect(actions).toEqual(['AGAIN', 'AGAIN', 'AGAIN', 'PAUSE', 'PAUSE']);
    expect(decideMachineFault({ ...LOST, code: 'STORE_FOREIGN' }).action).toBe('PAUSE');
    expect(decideMachineFault({ ...LOST, code: 'WEIGHTS_MISSING', isPermanent: true }).action).toBe('FAIL');
  });

  test('is decided with back-off and without a count, also beside many other failures', () => {
    const counters = { countedFailures: 2, infrastructureInARow: 9, memoryFailures: 1, jitter: 0 };
    const fault = { ...counters, errorClass: 'INFRASTRUCTURE', code: 'DATA_MISSING', message: 'gone' } as const;
    const decisions = [1, 2, 3, 4].map((machineRounds) => decideRetry({ ...fault, machineRounds }));
    expect(
      decisions.map((d) => (d.action === 'REQUEUE' ? [d.delayMs, d.pausesSweep ?? false, d.microBatchDivisor] : [])),
    ).toEqual([
      [1_000, false, 2],
      [4_000, false, 2],
      [16_000, false, 2],
      [0, true, 2],
    ]);
    expect(decideRetry({ ...fault, hasOtherSlot: true })).toMatchObject({ action: 'REQUEUE', delayMs: 0 });
    expect(decideRetry({ ...fault, errorClass: 'PERMANENT', machineRounds: 1 })).toMatchObject({
      action: 'FAILED',
      code: 'DATA_MISSING',
    });
  });

  test('is none of the task’s own errors', () => {
    for (const code of [
      'DATASET_INVALID',
      'OUT_OF_MEMORY',
      'UNEXPECTED',
      'WORKER_KILLED',
      'LEASE_EXPIRED',
      'ARTIFACT_MISSING',
    ]) {
      expect(isMachineFault({ code, errorClass: 'INFRASTRUCTURE' }), code).toBe(false);
    }
    expect(isMachineFault({ code: 'DIGEST_MISMATCH', errorClass: 'PERMANENT' })).toBe(true);
    expect(isMachineFault({ code: 'DIGEST_MISMATCH', errorClass: 'INFRASTRUCTURE' })).toBe(false);
  });

  test('that all trainers have names them with their messages', () => {
    const a = { trainerId: 'a', hostname: 'node1', message: 'no /data on node1' };
    const b = { trainerId: 'b', hostname: 'node2', message: 'no /data on node2' };
    expect(describeFaults([a], a.message)).toBe(a.message);
    const told = describeFaults([a, b], b.message);
    for (const named of ['a on node1', 'b on node2', a.message, b.message]) expect(told).toContain(named);
  });
});
