import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isBetter } from '../../services/core/objective.ts';
import type { Objective } from '../../services/core/objective.ts';
import type { ScheduleConfig } from '../../services/core/run-config.ts';
import { INITIAL_EARLY_STOPPING, stepEarlyStopping } from '../../services/trainer/training/early-stopping.ts';
import { initialScheduleState, learningRateAt, stepSchedule } from '../../services/trainer/training/learning-rate.ts';

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
    const stopped = epochs.indexOf(true);
    expect(stopped === -1 ? null : stopped + 1).toBe(wanted.stoppedEpoch);
  });

  it.each(expected.plateaus)('ReduceLROnPlateau($factor, $patience, $minLearningRate) on "$curve"', (wanted) => {
    let state = initialScheduleState(1e-3);
    const config = { ...wanted, name: 'plateau' as const };
    const rates = numbers(wanted.values).map((value) => {
      state = stepSchedule(config, state, value);
      return learningRateAt(config, state, 0, ONE_STEP);
    });
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
      expect(saved).toEqual(wanted.savedEpochs);
    },
  );

  it.each(expected.cosines)('CosineDecay($learningRate, $steps, $alpha)', ({ learningRate, steps, alpha, rates }) => {
    const state = initialScheduleState(learningRate);
    for (const [step, wanted] of rates.entries()) {
      const rate = learningRateAt({ name: 'cosine', alpha }, state, step, { stepsPerEpoch: steps, epochs: 1 });
      expect(Math.abs(rate - wanted)).toBeLessThanOrEqual(learningRate * 2e-7);
    }
  });

  it.each(expected.exponentials)(
    'ExponentialDecay($learningRate, $epochs epochs of $stepsPerEpoch steps, $factor, staircase: $staircase)',
    ({ learningRate, stepsPerEpoch, epochs, factor, staircase, rates }) => {
      const schedule: ScheduleConfig = staircase
        ? { name: 'step', stepEpochs: epochs, factor }
        : { name: 'exponential', decayEpochs: epochs, decayRate: factor };
      const state = initialScheduleState(learningRate);
      const got = rates.map((_, step) => learningRateAt(schedule, state, step, { stepsPerEpoch, epochs: 1 }));
      if (staircase) expect(got).toEqual(rates);
      // One unit in the last place: the C library's powf rounds some powers the other way.
      for (const [step, rate] of got.entries()) {
        expect(Math.abs(rate / (rates[step] ?? NaN) - 1)).toBeLessThanOrEqual(2 ** -23);
      }
    },
  );
});

function objectiveOf(metric: Metric): Objective {
  return { metric, goal: metric === 'val_loss' ? 'minimize' : 'maximize' };
}

function numbers(values: Values): number[] {
  return values.map(Number);
}
