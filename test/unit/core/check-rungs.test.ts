import { describe, expect, it } from 'vitest';
import { checkRungs } from '../../../services/core/reports/check-rungs.ts';
import { checkTrain } from '../../../services/core/reports/check-train.ts';
import { MAX_REPORTED_LOSSES } from '../../../services/core/task.ts';
import type { RungReport, RunOutcome } from '../../../services/core/task.ts';

const FACTS = { taskId: 't1', stage: 'FINE_TUNE', epochLimits: new Map([['r1', 27]]), imageCount: 11 } as const;

function reportOf(change: Partial<RungReport> = {}): RungReport {
  return {
    runId: 'r1',
    stage: 'FINE_TUNE',
    epoch: 9,
    isEnd: false,
    epochCount: 9,
    correct: Uint8Array.of(0b1010_0001, 0b0000_0111),
    losses: new Float32Array(11).fill(0.25),
    ...change,
  };
}

describe('a rung report', () => {
  it.each([
    ['of a milestone', reportOf()],
    ['of the best epoch at the end', reportOf({ isEnd: true, epoch: 4, epochCount: 12 })],
    ['with a loss that rounding made negative', reportOf({ losses: new Float32Array(11).fill(-1e-6) })],
  ])('%s is accepted', (_which, report) => {
    expect(checkRungs([report], FACTS)).toEqual([]);
  });

  it.each([
    ['of another run', { runId: 'r9' }, 'rungs[0].run_id', "'r9' is no run of task t1."],
    ['of another stage', { stage: 'HEAD' }, 'rungs[0].stage', 'must be FINE_TUNE; received HEAD.'],
    ['beyond the stage', { epoch: 28, epochCount: 28 }, 'rungs[0].epoch_count', 'must be 1 to 27; received 28.'],
    ['of an epoch behind the last', { isEnd: true, epoch: 10 }, 'rungs[0].epoch', 'must be 1 to 9; received 10.'],
    ['of an earlier epoch', { epoch: 8 }, 'rungs[0].epoch', 'must be epoch_count, 9, unless is_end; received 8.'],
    [
      'of too few images',
      { correct: Uint8Array.of(1) },
      'rungs[0].validation_correct',
      'must be 2 bytes for 11 validation images; received 1.',
    ],
    [
      'with a bit behind the last image',
      { correct: Uint8Array.of(0, 0b1000) },
      'rungs[0].validation_correct',
      'must be 0 behind the last of 11 images.',
    ],
    [
      'without losses',
      { losses: null },
      'rungs[0].validation_losses',
      'must be 11, one for each validation image; received 0.',
    ],
    [
      'with an infinite loss',
      { losses: new Float32Array(11).fill(Infinity, 3, 4) },
      'rungs[0].validation_losses[3]',
      'must be finite and 0 or above; received Infinity.',
    ],
    [
      'with a loss that is no number',
      { losses: new Float32Array(11).fill(Number.NaN, 10) },
      'rungs[0].validation_losses[10]',
      'must be finite and 0 or above; received NaN.',
    ],
  ] as const)('%s is refused', (_which, change, field, description) => {
    expect(checkRungs([reportOf(change)], FACTS)).toContainEqual({ field, description });
  });

  it('comes once for an epoch and once for the end', () => {
    const end = reportOf({ isEnd: true });
    expect(checkRungs([reportOf(), end], FACTS)).toEqual([]);
    expect(checkRungs([reportOf(), end, end], FACTS)).toMatchObject([{ field: 'rungs[2]' }]);
    expect(checkRungs([reportOf(), reportOf()], FACTS)).toMatchObject([{ field: 'rungs[1]' }]);
  });

  it('has no losses for more images than these are sent for', () => {
    const imageCount = MAX_REPORTED_LOSSES + 8;
    const report = reportOf({ correct: new Uint8Array(imageCount / 8).fill(255), losses: null });
    expect(checkRungs([report], { ...FACTS, imageCount })).toEqual([]);
    // All bits of the last byte are used, so that none is behind the last image.
    expect(checkRungs([report], { ...FACTS, imageCount: imageCount - 1 })).toMatchObject([
      { description: `must be 0 behind the last of ${imageCount - 1} images.` },
    ]);
  });
});

describe('an outcome', () => {
  const member = { runId: 'r1', epochLimit: 27, hasEnded: false };
  const check = (change: Partial<RunOutcome>, pauseEpoch: number | null = 9): readonly string[] => {
    const outcome = { runId: 'r1', kind: 'SUCCEEDED', error: null, epochCount: 9, peakMemoryBytes: 1 } as const;
    const violations = checkTrain([{ ...outcome, ...change }], [{ ...member, pauseEpoch }]);
    return violations.map(({ field, description }) => `${field} ${description}`);
  };
  const earlyStop = { patience: 3, minDelta: 0, bestEpoch: 4, bestValue: 0.08 };

  it('may be PAUSED from the epoch on that the task named', () => {
    expect(check({ kind: 'PAUSED' })).toEqual([]);
    expect(check({ kind: 'PAUSED', epochCount: 12 })).toEqual([]);
    expect(check({ kind: 'PAUSED', epochCount: 8 })).toEqual([
      'train.outcomes[0].kind must be PAUSED only from epoch 9 on, as asked; received PAUSED after epoch 8.',
    ]);
    expect(check({ kind: 'PAUSED' }, null)).toEqual([
      'train.outcomes[0].kind must not be PAUSED, because the task named no epoch to pause at; received PAUSED.',
    ]);
  });

  it('has the reason of early stopping only if that ended the stage, with possible numbers', () => {
    expect(check({ kind: 'EARLY_STOPPED', earlyStop })).toEqual([]);
    // A trainer of an earlier version sends no reason.
    expect(check({ kind: 'EARLY_STOPPED' })).toEqual([]);
    expect(check({ earlyStop })).toEqual([
      'train.outcomes[0].early_stop must be absent unless the run EARLY_STOPPED; received SUCCEEDED.',
    ]);
    const wrong = { patience: 0, minDelta: -1, bestEpoch: 10, bestValue: Number.NaN };
    expect(check({ kind: 'EARLY_STOPPED', earlyStop: wrong })).toHaveLength(4);
  });
});
