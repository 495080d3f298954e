import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isBetter } from '../../services/core/objective.ts';
import type { Objective } from '../../services/core/objective.ts';
import type { ScheduleConfig } from '../../services/core/run-config.ts';
import { INITIAL_EARLY_STOPPING, stepEarlyStopping } from '../../services/trainer/training/early-stopping.ts';
import { initialScheduleState, learningRateAt, stepSchedule } from '../../services/trainer/training/learning-rate.ts';
import { recordParity } from './table.ts';

const ONE_STEP = { stepsPerEpoch: 1, epochs: 1 };

type Metric = Objective['metric'];
type Values = readonly (number | 'NaN')[];

interface Expected {
  readonly keras: string;
  readonly stopping: readonly {
    curve: string;
    metric: Metric;
    values: Values;
    patience: number;
    minDelta: number;
    stoppedEpoch: number | null;
  }[];
  readonly plateaus: readonly {
    curve: string;
    values: Values;
    factor: number;
    patience: number;
    minLearningRate: number;
    rates: readonly number[];
  }[];
  readonly checkpoints: readonly { curve: string; metric: Metric; values: Values; savedEpochs: readonly number[] }[];
  readonly cosines: readonly { learningRate: number; steps: number; alpha: number; rates: readonly number[] }[];
  readonly exponentials: readonly {
    learningRate: number;
    stepsPerEpoch: number;
    /** Of one period. */
    epochs: number;
    factor: number;
    staircase: boolean;
    rates: readonly number[];
  }[];
}

/** Made by callbacks.py. */
const expected = JSON.parse(readFileSync(new URL('callbacks.json', import.meta.url), 'utf8')) as Expected;

describe(`callbacks against Keras ${expected.keras}`, () => {
  it.each(expected.stopping)('EarlyStopping($metric, $patience, $minDelta) on "$curve"', (wanted) => {
    let state = INITIAL_EARLY_STOPPING;
    const config = { patience: wanted.patience, minDelta: wanted.minDelta };
    const epochs = numbers(wanted.values).map((value, index) => {
      state = stepEarlyStopping(state, config, objectiveOf(wanted.metric), index + 1, value);
      return state.stopped;
    });
    const index = epochs.indexOf(true);
    const stopped = index === -1 ? null : index + 1;
    recordDecision('EarlyStopping', stopped === wanted.stoppedEpoch);
    expect(stopped).toBe(wanted.stoppedEpoch);
  });

  it.each(expected.plateaus)('ReduceLROnPlateau($factor, $patience, $minLearningRate) on "$curve"', (wanted) => {
    let state = initialScheduleState(1e-3);
    const config = { ...wanted, name: 'plateau' as const };
    const rates = numbers(wanted.values).map((value) => {
      state = stepSchedule(config, state, value);
      return learningRateAt(config, state, 0, ONE_STEP);
    });
    recordDecision('ReduceLROnPlateau', rates.join() === wanted.rates.join());
    expect(rates).toEqual(wanted.rates);
  });

  // A NaN in the first epoch blocks Keras' ModelCheckpoint for good; Graft's rule takes the first finite value instead.
  it.each(expected.checkpoints.filter(({ curve }) => curve !== 'nan first'))(
    'ModelCheckpoint(save_best_only) of $metric on "$curve"',
    (wanted) => {
      let best: number | null = null;
      const saved: number[] = [];
      for (const [index, value] of numbers(wanted.values).map(Math.fround).entries()) {
        if (!isBetter(objectiveOf(wanted.metric), value, best)) continue;
        best = value;
        saved.push(index + 1);
      }
      recordDecision('ModelCheckpoint', saved.join() === wanted.savedEpochs.join());
      expect(saved).toEqual(wanted.savedEpochs);
    },
  );

  it.each(expected.cosines)('CosineDecay($learningRate, $steps, $alpha)', ({ learningRate, steps, alpha, rates }) => {
    const state = initialScheduleState(learningRate);
    const schedule = { name: 'cosine', alpha } as const;
    const got = rates.map((_, step) => learningRateAt(schedule, state, step, { stepsPerEpoch: steps, epochs: 1 }));
    // Of the first rate: towards the end the cosine's rounding is large beside what is left.
    const differences = got.map((rate, step) => Math.abs(rate - (rates[step] ?? NaN)) / learningRate);
    expectRates('CosineDecay', differences, 2e-7);
  });

  it.each(expected.exponentials)(
    'ExponentialDecay($learningRate, $epochs epochs of $stepsPerEpoch steps, $factor, staircase: $staircase)',
    ({ learningRate, stepsPerEpoch, epochs, factor, staircase, rates }) => {
      const schedule: ScheduleConfig = staircase
        ? { name: 'step', stepEpochs: epochs, factor }
        : { name: 'exponential', decayEpochs: epochs, decayRate: factor };
      const state = initialScheduleState(learningRate);
      const got = rates.map((_, step) => learningRateAt(schedule, state, step, { stepsPerEpoch, epochs: 1 }));
      const differences = got.map((rate, step) => Math.abs(rate / (rates[step] ?? NaN) - 1));
      if (staircase) expectRates('ExponentialDecay, staircase', differences, 0);
      // One unit in the last place: the C library's powf rounds some powers the other way.
      else expectRates('ExponentialDecay', differences, 2 ** -23);
    },
  );
});

function recordDecision(family: string, agrees: boolean): void {
  const figure = { point: '6 callbacks', check: 'curves with another decision', family, size: null } as const;
  recordParity({ ...figure, maxError: agrees ? 0 : 1, limit: 0 });
}

function expectRates(family: string, differences: readonly number[], limit: number): void {
  const maxError = Math.max(...differences);
  const point = '4 optimizers and schedules';
  recordParity({ point, check: 'learning rate of each step', family, size: null, maxError, limit });
  expect(maxError).toBeLessThanOrEqual(limit);
}

function objectiveOf(metric: Metric): Objective {
  return { metric, goal: metric === 'val_loss' ? 'minimize' : 'maximize' };
}

function numbers(values: Values): number[] {
  return values.map(Number);
}
