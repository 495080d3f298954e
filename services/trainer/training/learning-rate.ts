import { momentumOf } from '../../core/network/head-variables.ts';
import type { OneCycleConfig, OptimizerConfig, ScheduleConfig, WarmupConfig } from '../../core/run-config.ts';
import { isImprovement } from './early-stopping.ts';

/** The state that a checkpoint must contain. */
export interface ScheduleState {
  /** Rate to which the schedule is applied; float32, as in Keras. */
  readonly baseRate: number;
  /** Best val_loss of `plateau`. */
  readonly best: number | null;
  /** Epochs of `plateau` without improvement. */
  readonly wait: number;
}

export function initialScheduleState(learningRate: number): ScheduleState {
  return { baseRate: Math.fround(learningRate), best: null, wait: 0 };
}

/** Default `min_delta` of Keras' `ReduceLROnPlateau`. */
const PLATEAU_MIN_DELTA = 1e-4;

/** The length of a phase, in which schedules are defined. */
export interface PhaseLength {
  readonly stepsPerEpoch: number;
  readonly epochs: number;
}

/**
 * Returns the learning rate of a step in float32, as Keras 3.15's schedules
 * (keras/src/optimizers/schedules/learning_rate_schedule.py):
 * `cosine`: `CosineDecay(initial, all steps, alpha)`.
 * `step`: `ExponentialDecay(initial, stepEpochs · stepsPerEpoch, factor, staircase=True)`.
 * `exponential`: `ExponentialDecay(initial, decayEpochs · stepsPerEpoch, decayRate)`.
 * `one_cycle`: PyTorch 2.9's `OneCycleLR(rate, all steps, pctStart, 'cos', …)` (torch/optim/lr_scheduler.py), computed in double
 * precision and rounded.
 * A warm-up is `CosineDecay`'s, for every schedule: it comes first, and the schedule has the steps that remain.
 *
 * @param step from 0, over the whole phase.
 */
export function learningRateAt(
  schedule: ScheduleConfig,
  state: ScheduleState,
  step: number,
  phase: PhaseLength,
): number {
  const { stepsPerEpoch, epochs } = phase;
  const warmupSteps = warmupStepsOf(schedule, phase);
  if (step < warmupSteps) return warmupRate(state.baseRate, step / warmupSteps, warmupOf(schedule)?.start ?? 0);
  const scheduled = step - warmupSteps;
  switch (schedule.name) {
    case 'constant':
    case 'plateau':
      return state.baseRate;
    case 'cosine':
      return cosineDecay(state.baseRate, scheduled, stepsPerEpoch * epochs - warmupSteps, schedule.alpha);
    case 'step':
      return exponentialDecay(
        state.baseRate,
        schedule.factor,
        Math.floor(scheduled / (schedule.stepEpochs * stepsPerEpoch)),
      );
    case 'exponential': {
      const periods = Math.fround(Math.fround(scheduled) / Math.fround(schedule.decayEpochs * stepsPerEpoch));
      return exponentialDecay(state.baseRate, schedule.decayRate, periods);
    }
    case 'one_cycle': {
      const first = state.baseRate / schedule.divFactor;
      const ends = { first, peak: state.baseRate, last: first / schedule.finalDivFactor };
      return Math.fround(oneCycle(schedule, step, stepsPerEpoch * epochs, ends));
    }
  }
}

/**
 * Returns the momentum of a step (Adam: beta 1): the optimizer's own, or the one of a `one_cycle` schedule. PyTorch's schedule also
 * gives a momentum to SGD and RMSprop without one; here they stay without.
 */
export function momentumAt(
  schedule: ScheduleConfig,
  optimizer: OptimizerConfig,
  step: number,
  { stepsPerEpoch, epochs }: PhaseLength,
): number {
  const own = momentumOf(optimizer);
  if (own === 0 || schedule.name !== 'one_cycle' || schedule.momentum === null) return own;
  const { base, max } = schedule.momentum;
  return oneCycle(schedule, step, stepsPerEpoch * epochs, { first: max, peak: base, last: max });
}

/** Returns the value of a step that goes from `first` to `peak`, and then to `last`, each on half a cosine. */
function oneCycle(
  { pctStart }: OneCycleConfig,
  step: number,
  stepCount: number,
  { first, peak, last }: { readonly first: number; readonly peak: number; readonly last: number },
): number {
  const anneal = (from: number, to: number, part: number): number =>
    to + ((from - to) / 2) * (Math.cos(Math.PI * part) + 1);
  const peakStep = pctStart * stepCount - 1;
  // PyTorch divides by zero where the first step is the peak.
  if (peakStep > 0 && step <= peakStep) return anneal(first, peak, step / peakStep);
  return anneal(peak, last, (step - peakStep) / (stepCount - 1 - peakStep));
}

function warmupOf(schedule: ScheduleConfig): WarmupConfig | undefined {
  return schedule.name === 'one_cycle' ? undefined : schedule.warmup;
}

function warmupStepsOf(schedule: ScheduleConfig, { stepsPerEpoch }: PhaseLength): number {
  return Math.round((warmupOf(schedule)?.epochs ?? 0) * stepsPerEpoch);
}

/** Returns the rate at a part of the warm-up, in the order of operations of Keras' `_warmup_function`. */
function warmupRate(target: number, completed: number, start: number): number {
  const f = Math.fround;
  const initial = f(target * start);
  return f(f(f(target - initial) * f(completed)) + initial);
}

function cosineDecay(rate: number, step: number, stepCount: number, alpha: number): number {
  const f = Math.fround;
  const completed = f(Math.min(step, stepCount) / stepCount);
  const cosine = f(0.5 * f(1 + f(Math.cos(f(f(Math.PI) * completed)))));
  return f(rate * f(f(f(1 - alpha) * cosine) + f(alpha)));
}

function exponentialDecay(rate: number, factor: number, periods: number): number {
  return Math.fround(rate * Math.fround(Math.pow(Math.fround(factor), periods)));
}

/**
 * Returns the state after an epoch. `plateau` is Keras 3.15 `ReduceLROnPlateau(monitor='val_loss', factor, patience, min_lr)`
 * with its default min_delta 1e-4 and cooldown 0 (keras/src/callbacks/reduce_lr_on_plateau.py). It ignores the epochs of a
 * warm-up.
 *
 * @param epoch from 1.
 */
export function stepSchedule(
  schedule: ScheduleConfig,
  state: ScheduleState,
  epoch: number,
  valLoss: number,
): ScheduleState {
  if (schedule.name !== 'plateau' || epoch - 1 < (schedule.warmup?.epochs ?? 0)) return state;
  if (isImprovement('minimize', valLoss, state.best, PLATEAU_MIN_DELTA)) return { ...state, best: valLoss, wait: 0 };
  const wait = state.wait + 1;
  if (wait < schedule.patience || !(state.baseRate > Math.fround(schedule.minLearningRate))) return { ...state, wait };
  const reduced = Math.max(state.baseRate * schedule.factor, schedule.minLearningRate);
  return { ...state, baseRate: Math.fround(reduced), wait: 0 };
}
