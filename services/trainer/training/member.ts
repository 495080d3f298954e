import { isBetter } from '../../core/objective.ts';
import type { ClassMetric, Objective } from '../../core/objective.ts';
import { dropoutStream } from '../../core/rng/stream.ts';
import type { EarlyStoppingConfig, OptimizerConfig, RunConfig, ScheduleConfig } from '../../core/run-config.ts';
import type { CheckpointKind, CheckpointRef, EarlyStop, RungReport } from '../../core/task.ts';
import type { NamedTensor } from '../checkpoints/safetensors.ts';
import { CheckpointError, checkOwner } from '../checkpoints/training-checkpoint.ts';
import type { CheckpointOwner, TrainingCheckpoint, TrainingState } from '../checkpoints/training-checkpoint.ts';
import type { BatchLabels } from '../heads/batch-labels.ts';
import type { Loss, LossSums } from '../heads/loss.ts';
import { elementCount } from '../heads/trained-variable.ts';
import type { TrainedVariable } from '../heads/trained-variable.ts';
import { earlyStopOf, INITIAL_EARLY_STOPPING, stepEarlyStopping } from './early-stopping.ts';
import { withPenalty } from '../checkpoints/image-results.ts';
import type { ImageResults } from '../checkpoints/image-results.ts';
import { predictingVariables } from './learner.ts';
import type { Learner, LearnerStep, StepOutput } from './learner.ts';
import { initialScheduleState, learningRateAt, momentumAt, stepSchedule } from './learning-rate.ts';
import type { PhaseLength } from './learning-rate.ts';
import { addSums, NO_SUMS } from './loss-sums.ts';
import { TaskFailureError } from './task-error.ts';
import { ValidationPass } from './validation-pass.ts';
import type { ClassMetricValues, Validation } from './validation-pass.ts';

/** One training stage of a run: the head, or fine-tuning with an optimizer of its own. */
export interface Phase {
  readonly stage: 'HEAD' | 'FINE_TUNE';
  readonly epochs: number;
  readonly optimizer: OptimizerConfig;
  readonly schedule: ScheduleConfig;
  readonly earlyStopping: EarlyStoppingConfig | null;
}

export interface MemberOptions {
  readonly runId: string;
  readonly config: RunConfig;
  readonly phase: Phase;
  readonly learner: Learner;
  readonly loss: Loss;
  readonly objective: Objective;
  /** Class metrics to record each epoch. */
  readonly classMetrics: readonly ClassMetric[];
  /** Epochs of the stage after which its results by image are reported. */
  readonly milestoneEpochs: readonly number[];
  /** Epoch of the stage after which it leaves, to be continued by a later task; null: it trains to the end of the stage. */
  readonly pauseEpoch: number | null;
  /** Digest of the base's weights. */
  readonly baseDigest: string;
  readonly stepsPerEpoch: number;
}

/** The metrics of an epoch: those of Keras as it logs them (float32), and class metrics. */
export type EpochValues = Readonly<
  Record<'loss' | 'accuracy' | 'val_loss' | 'val_accuracy' | 'learning_rate', number>
> &
  ClassMetricValues;

interface PendingStep {
  readonly output: StepOutput;
  readonly batch: BatchLabels;
}

/** Steps whose outputs stay on the device: reading an output makes a GPU's queue run empty. */
const PENDING_STEPS = 32;

/** A run in training: its learner, and the state that determines its next step. */
export class Member {
  readonly runId: string;
  readonly config: RunConfig;
  readonly phase: Phase;
  readonly learner: Learner;
  readonly #options: MemberOptions;
  readonly #pending: PendingStep[] = [];
  #sums: LossSums = NO_SUMS;
  #epoch = 0;
  #stepInEpoch = 0;
  #step = 0;
  #schedule;
  #earlyStopping = INITIAL_EARLY_STOPPING;
  #best: { readonly epoch: number; readonly value: number; readonly checkpoint: CheckpointRef | null } | null = null;
  #lastValue: number | null = null;
  /** Results of the epoch that ended last; null after resuming. */
  #lastResults: ImageResults | null = null;
  #bestResults: ImageResults | null = null;
  /** Tensors of the best epoch since the start. Their arrays are reused: 64 heads of 13 MB would be much garbage. */
  #bestTensors: readonly NamedTensor[] | null = null;
  #isBestUnsaved = false;

  /** Takes ownership of the learner. */
  constructor(options: MemberOptions) {
    this.#options = options;
    this.runId = options.runId;
    this.config = options.config;
    this.phase = options.phase;
    this.learner = options.learner;
    this.#schedule = initialScheduleState(options.phase.optimizer.learningRate);
  }

  /** Completed epochs. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Completed steps of the current epoch. */
  get stepInEpoch(): number {
    return this.#stepInEpoch;
  }

  /** Epoch of the stage at which it leaves at the latest. */
  get lastEpoch(): number {
    return Math.min(this.phase.epochs, this.#options.pauseEpoch ?? Infinity);
  }

  /** The outcome with which it leaves the group at this epoch; null while it has epochs to train. */
  get finalOutcome(): 'SUCCEEDED' | 'EARLY_STOPPED' | 'PAUSED' | null {
    if (this.#epoch >= this.phase.epochs) return 'SUCCEEDED';
    if (this.#earlyStopping.stopped) return 'EARLY_STOPPED';
    return this.#epoch >= this.lastEpoch ? 'PAUSED' : null;
  }

  /** The reason for which early stopping ended the stage; null: it did not, or no value was finite. */
  get earlyStop(): EarlyStop | null {
    const config = this.phase.earlyStopping;
    if (this.finalOutcome !== 'EARLY_STOPPED' || config === null) return null;
    return earlyStopOf(this.#earlyStopping, config, this.#epoch);
  }

  /** Returns the inputs of the learner's next step. */
  nextStep(): LearnerStep & { readonly learner: Learner } {
    return {
      learner: this.learner,
      loss: this.#options.loss,
      learningRate: this.#learningRate(),
      momentum: momentumAt(this.phase.schedule, this.phase.optimizer, this.#step, this.#length),
      dropout: dropoutStream(this.config.seed, this.phase.stage, this.#step),
    };
  }

  /** Records that the learner did `nextStep`; takes ownership of the output. */
  finishStep(output: StepOutput, { labels, mix }: BatchLabels): void {
    this.#pending.push({ output, batch: { labels, mix } });
    this.#step += 1;
    this.#stepInEpoch += 1;
    if (this.#pending.length >= PENDING_STEPS || this.#stepInEpoch === this.#options.stepsPerEpoch) this.#settle();
  }

  /** Starts a pass over the validation split. */
  startValidation(imageCount: number): ValidationPass {
    const { loss, classMetrics } = this.#options;
    return new ValidationPass(loss, classMetrics, imageCount);
  }

  /**
   * Ends an epoch after its last step.
   *
   * @param validation results of the pass over the validation split after that step.
   * @throws {TaskFailureError} of class NUMERIC when a loss is not finite.
   */
  finishEpoch({ sums: validation, classMetrics, images }: Validation): EpochValues {
    const { objective, learner } = this.#options;
    const penalty = learner.penaltyValue();
    const values: EpochValues = {
      loss: Math.fround(this.#sums.lossSum / this.#sums.imageCount),
      accuracy: Math.fround(this.#sums.correctCount / this.#sums.imageCount),
      val_loss: Math.fround(validation.lossSum / validation.imageCount + penalty),
      val_accuracy: Math.fround(validation.correctCount / validation.imageCount),
      learning_rate: this.#learningRateOfLastStep(),
      ...classMetrics,
    };
    this.#checkFinite(values);
    this.#epoch += 1;
    this.#stepInEpoch = 0;
    this.#sums = NO_SUMS;
    const value = values[objective.metric] ?? Number.NaN;
    this.#lastValue = value;
    this.#lastResults = images === null ? null : withPenalty(images, penalty);
    if (isBetter(objective, value, this.#best?.value ?? null)) {
      this.#best = { epoch: this.#epoch, value, checkpoint: null };
      this.#bestResults = this.#lastResults;
      this.#bestTensors = tensorsOf(learner.variables, predictingVariables(learner), this.#bestTensors);
      this.#isBestUnsaved = true;
    }
    this.#schedule = stepSchedule(this.phase.schedule, this.#schedule, this.#epoch, values.val_loss);
    if (this.phase.earlyStopping !== null) {
      this.#earlyStopping = stepEarlyStopping(
        this.#earlyStopping,
        this.phase.earlyStopping,
        objective,
        this.#epoch,
        value,
      );
    }
    return values;
  }

  /** Returns the results by image that are due after an epoch: of a milestone, and of the best epoch at the end of the stage. */
  rungReports(): readonly RungReport[] {
    const isMilestone = this.#options.milestoneEpochs.includes(this.#epoch);
    const isEnd = this.finalOutcome === 'SUCCEEDED' || this.finalOutcome === 'EARLY_STOPPED';
    return [
      ...(isMilestone ? this.#rungReport(this.#epoch, false, this.#lastResults) : []),
      ...(isEnd && this.#best !== null ? this.#rungReport(this.#best.epoch, true, this.#bestResults) : []),
    ];
  }

  #rungReport(epoch: number, isEnd: boolean, results: ImageResults | null): readonly RungReport[] {
    if (results === null) return [];
    return [{ runId: this.runId, stage: this.phase.stage, epoch, isEnd, epochCount: this.#epoch, ...results }];
  }

  /** Returns the best epoch's state and tensors; null if they are saved. */
  unsavedBest(): { readonly state: TrainingState; readonly trained: readonly NamedTensor[] } | null {
    if (!this.#isBestUnsaved || this.#bestTensors === null || this.#best === null) return null;
    const state: TrainingState = {
      ...this.#state('BEST'),
      epoch: this.#best.epoch,
      step: this.#best.epoch * this.#options.stepsPerEpoch,
      stepInEpoch: 0,
      sums: NO_SUMS,
    };
    return { state, trained: this.#bestTensors };
  }

  /** Records the checkpoint of `unsavedBest`. */
  bestWasSaved(checkpoint: CheckpointRef): void {
    if (this.#best !== null) this.#best = { ...this.#best, checkpoint };
    this.#isBestUnsaved = false;
  }

  /** Returns everything that is needed to resume from here. */
  snapshot(): {
    readonly state: TrainingState;
    readonly trained: readonly NamedTensor[];
    readonly optimizerSlots: readonly NamedTensor[];
    readonly bestResults: ImageResults | null;
  } {
    this.#settle();
    return {
      state: this.#state('LAST'),
      trained: tensorsOf(this.learner.variables),
      optimizerSlots: tensorsOf(this.learner.slotVariables),
      bestResults: this.#bestResults,
    };
  }

  /**
   * Resumes exactly from a checkpoint of the same stage.
   *
   * @throws {CheckpointError} when it belongs to another run, stage, base or optimizer.
   */
  resume(path: string, { state, trained, optimizerSlots, bestResults }: TrainingCheckpoint): void {
    checkOwner(path, state, this.#owner());
    if (state.stage !== this.phase.stage || state.kind !== 'LAST') {
      throw new CheckpointError(
        path,
        'stage',
        `it is a ${state.kind} checkpoint of ${state.stage}; ${this.phase.stage} resumes only from its own LAST checkpoint.`,
      );
    }
    if (state.optimizer.name !== this.phase.optimizer.name) {
      throw new CheckpointError(
        path,
        'optimizer',
        `it was trained with ${state.optimizer.name}, but the run has ${this.phase.optimizer.name}.`,
      );
    }
    assignAll(path, this.learner.variables, trained);
    assignAll(path, this.learner.slotVariables, optimizerSlots);
    this.learner.restoreIterations(state.optimizer.iterations);
    this.#epoch = state.epoch;
    this.#stepInEpoch = state.stepInEpoch;
    this.#step = state.step;
    this.#schedule = state.schedule;
    this.#earlyStopping = state.earlyStopping;
    this.#best = state.best;
    this.#bestResults = bestResults;
    this.#lastValue = state.lastValue;
    this.#sums = state.sums;
  }

  dispose(): void {
    for (const { output } of this.#pending.splice(0)) output.dispose();
    this.learner.dispose();
  }

  /** Adds pending outputs to the sums, in the order of the steps. */
  #settle(): void {
    for (const { output, batch } of this.#pending.splice(0)) {
      const { logits, penalty } = output.read();
      const sums = this.#options.loss.measure(logits, batch, true);
      // Keras weights a batch's loss, including the penalty, by its images.
      this.#sums = addSums(this.#sums, { ...sums, lossSum: sums.lossSum + penalty * sums.imageCount });
      output.dispose();
    }
  }

  get #length(): PhaseLength {
    return { stepsPerEpoch: this.#options.stepsPerEpoch, epochs: this.phase.epochs };
  }

  #learningRate(): number {
    return this.#learningRateAt(this.#step);
  }

  #learningRateOfLastStep(): number {
    return this.#learningRateAt(Math.max(0, this.#step - 1));
  }

  #learningRateAt(step: number): number {
    return learningRateAt(this.phase.schedule, this.#schedule, step, this.#length);
  }

  #checkFinite(values: EpochValues): void {
    for (const name of ['loss', 'val_loss'] as const) {
      if (Number.isFinite(values[name])) continue;
      throw new TaskFailureError(
        'NUMERIC',
        'LOSS_NOT_FINITE',
        `${name} of epoch ${this.#epoch + 1} (${this.phase.stage}) is ${values[name]}. A lower learning rate ` +
          `(now ${values.learning_rate}) may help.`,
      );
    }
  }

  #owner(): CheckpointOwner {
    const { augmentation, seed, dataSeed } = this.config;
    return {
      runId: this.runId,
      baseDigest: this.#options.baseDigest,
      trainedTensors: this.learner.variables.map(({ name, shape }) => ({ name, shape })),
      randomKeys: { seed, dataSeed, augmentationSeed: augmentation?.seed ?? null },
    };
  }

  #state(kind: CheckpointKind): TrainingState {
    const { runId, baseDigest, trainedTensors, randomKeys } = this.#owner();
    return {
      runId,
      stage: this.phase.stage,
      kind,
      epoch: this.#epoch,
      stepInEpoch: this.#stepInEpoch,
      step: this.#step,
      trainedTensors: trainedTensors.map(({ name, shape }) => ({ name, shape: [...shape] })),
      baseDigest,
      randomKeys,
      optimizer: { name: this.phase.optimizer.name, iterations: this.learner.iterations },
      schedule: this.#schedule,
      earlyStopping: this.#earlyStopping,
      best: this.#best,
      lastValue: this.#lastValue,
      sums: this.#sums,
    };
  }
}

/**
 * Assigns saved values by name.
 *
 * @throws {CheckpointError} when one is missing.
 */
export function assignAll(
  path: string,
  variables: readonly TrainedVariable[],
  saved: ReadonlyMap<string, NamedTensor>,
): void {
  for (const variable of variables) {
    const tensor = saved.get(variable.name);
    if (tensor === undefined) throw new CheckpointError(path, variable.name, 'it is not in the file.');
    variable.assign(tensor.values);
  }
}

/**
 * @param sources variables whose values are taken, in the same order.
 * @param into tensors of the same variables, whose arrays are reused.
 */
function tensorsOf(
  variables: readonly TrainedVariable[],
  sources = variables,
  into: readonly NamedTensor[] | null = null,
): readonly NamedTensor[] {
  return variables.map((variable, index) => {
    const { name, shape } = variable;
    const values = into?.[index]?.values ?? new Float32Array(elementCount(variable));
    return { name, shape, values: (sources[index] ?? variable).values(values) };
  });
}
