import { describe, expect, it } from 'vitest';
import type { OneCycleConfig, ScheduleConfig } from '../../../../services/core/run-config.ts';
import {
  initialScheduleState,
  learningRateAt,
  stepSchedule,
} from '../../../../services/trainer/training/learning-rate.ts';

const PHASE = { stepsPerEpoch: 4, epochs: 6 };
const STEPS = PHASE.stepsPerEpoch * PHASE.epochs;
const STATE = initialScheduleState(0.5);

function ratesOf(schedule: ScheduleConfig, phase = PHASE): readonly number[] {
  return Array.from({ length: STEPS }, (_, step) => learningRateAt(schedule, STATE, step, phase));
}

describe('a warm-up', () => {
  const warmup = { epochs: 1.5, start: 0.2 };
  const schedules: readonly Exclude<ScheduleConfig, OneCycleConfig>[] = [
    { name: 'constant' },
    { name: 'plateau', factor: 0.1, patience: 1, minLearningRate: 0 },
    { name: 'step', stepEpochs: 1, factor: 0.5 },
    { name: 'exponential', decayEpochs: 2, decayRate: 0.5 },
    { name: 'cosine', alpha: 0.1 },
  ];

  it.each(schedules)('comes before the schedule $name, which has the remaining steps', (schedule) => {
    const rates = ratesOf({ ...schedule, warmup });
    for (const [step, part] of [0.2, 0.2 + 0.8 / 6, 0.2 + 1.6 / 6, 0.6, 0.2 + 3.2 / 6, 0.2 + 4 / 6].entries()) {
      expect(rates[step]).toBeCloseTo(0.5 * part, 6);
    }
    expect(rates.slice(6)).toEqual(ratesOf(schedule, { ...PHASE, epochs: 4.5 }).slice(0, STEPS - 6));
  });

  it('lets plateau ignore its epochs', () => {
    const plateau = { name: 'plateau', factor: 0.1, patience: 1, minLearningRate: 0 } as const;
    const after = (schedule: ScheduleConfig): number[] => {
      let state = STATE;
      return [0.1, 0.4, 0.4, 0.4].map((valLoss, index) => {
        state = stepSchedule(schedule, state, index + 1, valLoss);
        return state.baseRate;
      });
    };
    expect(after(plateau).map((rate) => Number(rate.toFixed(6)))).toEqual([0.5, 0.05, 0.005, 0.0005]);
    expect(after({ ...plateau, warmup }).map((rate) => Number(rate.toFixed(6)))).toEqual([0.5, 0.5, 0.5, 0.05]);
  });
});
