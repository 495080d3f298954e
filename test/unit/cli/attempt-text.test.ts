import { describe, expect, it } from 'vitest';
import type { AttemptRecord } from '../../../services/core/records/attempt.ts';
import { describeRunTroubles, describeTroubles } from '../../../services/cli/describe/attempt-text.ts';
import { sampleRun } from './sample-sweep.ts';

function attempt(leaseEpoch: number, changes: Partial<AttemptRecord>): AttemptRecord {
  return {
    taskId: 's1-t03',
    stage: 'HEAD',
    leaseEpoch,
    trainerId: 'gpu-1',
    slotIndex: 0,
    state: 'FAILED',
    errorClass: '',
    errorCode: '',
    message: '',
    microBatchDivisor: 1,
    startTime: new Date(0),
    endTime: null,
    ...changes,
  };
}

describe('a run explained in words', () => {
  it('states the consequence of each attempt without a result', () => {
    const lines = describeTroubles([
      attempt(1, { state: 'EXPIRED', errorClass: 'INFRASTRUCTURE', errorCode: 'LEASE_EXPIRED' }),
      attempt(2, { state: 'RELEASED', errorClass: 'INFRASTRUCTURE', errorCode: 'DRAINING' }),
      attempt(3, { errorClass: 'MEMORY', errorCode: 'OUT_OF_MEMORY' }),
      attempt(4, { errorClass: 'COUNTED', errorCode: 'WORKER_CRASHED', microBatchDivisor: 2 }),
      attempt(5, { state: 'SUCCEEDED', microBatchDivisor: 2 }),
    ]);
    expect(lines).toEqual([
      'HEAD, lease 1 on gpu-1: sent no heartbeat before its lease expired (LEASE_EXPIRED); ' +
        'not caused by the run and not counted, lease 2 resumed from the last checkpoint.',
      'HEAD, lease 2 on gpu-1: handed back before its end (DRAINING); not caused by the run and not counted, lease 3 resumed ' +
        'from the last checkpoint.',
      'HEAD, lease 3 on gpu-1: failed (OUT_OF_MEMORY); out of memory, so lease 4 processed each batch in 2 micro-batches.',
      'HEAD, lease 4 on gpu-1: failed (WORKER_CRASHED); failure 1 of 3, lease 5 resumed from the last checkpoint.',
    ]);
  });

  it('distinguishes final failures from those that wait for a retry', () => {
    const crash = { errorClass: 'COUNTED', errorCode: 'WORKER_CRASHED' } as const;
    const lines = describeTroubles([1, 2, 3].map((epoch) => attempt(epoch, crash)));
    expect(lines.at(-1)).toContain('failure 3 of 3, which is final');
    expect(describeTroubles([attempt(1, crash)])[0]).toContain('failure 1 of 3, it waits for a slot');
    expect(describeTroubles([attempt(1, { errorClass: 'NUMERIC' })])[0]).toContain('the loss is not a number');
    expect(describeTroubles([attempt(1, { errorClass: 'PERMANENT' })])[0]).toContain('a retry would fail again');
    expect(describeTroubles([attempt(1, { state: 'SUCCEEDED' })])).toEqual([]);
  });

  it('lists the runs that failed, are infeasible or wait for a retry, with the reason', () => {
    const runs = [
      sampleRun(1),
      { ...sampleRun(2), state: 'INFEASIBLE' as const, stateReason: 'out of memory even with the batch in 8 parts' },
      { ...sampleRun(3), state: 'QUEUED' as const, stateReason: 'not counted: the worker was killed' },
    ];
    const text = describeRunTroubles(runs);
    expect(text.split('\n')).toEqual([
      'problems',
      `  ${sampleRun(2).runId} is INFEASIBLE: out of memory even with the batch in 8 parts`,
      `  ${sampleRun(3).runId} waits for a retry: not counted: the worker was killed`,
    ]);
    expect(describeRunTroubles([sampleRun(1)])).toBe('');
  });
});
