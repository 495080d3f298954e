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

describe('what happened to a run, in words', () => {
  it('says of each attempt without a result what followed', () => {
    const lines = describeTroubles([
      attempt(1, { state: 'EXPIRED', errorClass: 'INFRASTRUCTURE', errorCode: 'LEASE_EXPIRED' }),
      attempt(2, { state: 'RELEASED', errorClass: 'INFRASTRUCTURE', errorCode: 'DRAINING' }),
      attempt(3, { errorClass: 'MEMORY', errorCode: 'OUT_OF_MEMORY' }),
      attempt(4, { errorClass: 'COUNTED', errorCode: 'WORKER_CRASHED', microBatchDivisor: 2 }),
      attempt(5, { state: 'SUCCEEDED', microBatchDivisor: 2 }),
    ]);
    expect(lines).toEqual([
      'HEAD, lease 1 on gpu-1: nothing was heard of it until its lease ended, so it was taken back (LEASE_EXPIRED); ' +
        "not the run's fault and not counted, lease 2 went on from the last checkpoint.",
      "HEAD, lease 2 on gpu-1: handed back unfinished (DRAINING); not the run's fault and not counted, lease 3 went on " +
        'from the last checkpoint.',
      'HEAD, lease 3 on gpu-1: failed (OUT_OF_MEMORY); there was too little memory, so lease 4 worked off each batch in 2 parts.',
      'HEAD, lease 4 on gpu-1: failed (WORKER_CRASHED); failure 1 of 3, lease 5 went on from the last checkpoint.',
    ]);
  });

  it('tells final failures from those that wait', () => {
    const crash = { errorClass: 'COUNTED', errorCode: 'WORKER_CRASHED' } as const;
    const lines = describeTroubles([1, 2, 3].map((epoch) => attempt(epoch, crash)));
    expect(lines.at(-1)).toContain('failure 3 of 3, which is final');
    expect(describeTroubles([attempt(1, crash)])[0]).toContain('failure 1 of 3, it waits for a slot');
    expect(describeTroubles([attempt(1, { errorClass: 'NUMERIC' })])[0]).toContain('the loss is no number');
    expect(describeTroubles([attempt(1, { errorClass: 'PERMANENT' })])[0]).toContain('trying again would not help');
    expect(describeTroubles([attempt(1, { state: 'SUCCEEDED' })])).toEqual([]);
  });

  it('lists the runs of a sweep that ended badly or wait again, with the reason', () => {
    const runs = [
      sampleRun(1),
      { ...sampleRun(2), state: 'INFEASIBLE' as const, stateReason: 'out of memory even with the batch in 8 parts' },
      { ...sampleRun(3), state: 'QUEUED' as const, stateReason: 'not counted: the worker was killed' },
    ];
    const text = describeRunTroubles(runs);
    expect(text.split('\n')).toEqual([
      'what went wrong',
      `  ${sampleRun(2).runId} is INFEASIBLE: out of memory even with the batch in 8 parts`,
      `  ${sampleRun(3).runId} waits again: not counted: the worker was killed`,
    ]);
    expect(describeRunTroubles([sampleRun(1)])).toBe('');
  });
});
