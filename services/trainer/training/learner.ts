import { AVERAGE_SLOT } from '../../core/network/head-variables.ts';
import type { OptimizerConfig } from '../../core/run-config.ts';
import type { RandomStream } from '../../core/rng/stream.ts';
import { tf } from '../engine/engine.ts';
import type { Loss } from '../heads/loss.ts';
import { predictHeads, trainHeads } from '../heads/native-head.ts';
import type { NativeHead } from '../heads/native-head.ts';
import { Optimizer } from '../heads/optimizer.ts';
import type { TrainedVariable } from '../heads/trained-variable.ts';
import type { InputSpec, Network } from './network.ts';
import type { Batch } from './split-reader.ts';

/** The inputs of a step besides the batch. */
export interface LearnerStep {
  readonly loss: Loss;
  readonly learningRate: number;
  /** Momentum of RMSprop and SGD, or Adam's beta 1, of this step. */
  readonly momentum: number;
  /** Random stream of this step. */
  readonly dropout: RandomStream;
}

/** The output of a step, which may still be on the device. */
export interface StepOutput {
  /** Returns the logits [n, outputs] and the L2 part of the loss, both from before the update. Waits for the device. */
  read(): { readonly logits: Float32Array; readonly penalty: number };
  dispose(): void;
}

interface LearnerState {
  readonly input: InputSpec;
  readonly variables: readonly TrainedVariable[];
  /** The optimizer's variables, named `<slot>/<variable>`. */
  readonly slotVariables: readonly TrainedVariable[];
  /** Completed steps, including those that only accumulate gradients. */
  readonly iterations: number;
  /** Sets the step count, after `slotVariables` were assigned from a checkpoint. */
  restoreIterations(iterations: number): void;
  /** Returns the L2 penalty of the weights with which the learner predicts. */
  penaltyValue(): number;
  dispose(): void;
}

/**
 * Returns the variables with which a learner predicts: those that are validated, kept as the best and exported. They are the moving
 * averages of the weights where the optimizer has them, else the weights.
 */
export function predictingVariables({ variables, slotVariables }: LearnerState): readonly TrainedVariable[] {
  const slots = new Map(slotVariables.map((slot) => [slot.name, slot]));
  return variables.map((variable) => slots.get(`${AVERAGE_SLOT}/${variable.name}`) ?? variable);
}

/** A network and its optimizer on TensorFlow's ops. Its steps are not fused with those of others. */
export class NetworkLearner implements LearnerState {
  readonly kind = 'network';
  readonly #network: Network;
  readonly #optimizer: Optimizer;

  /** Takes ownership of the network. */
  constructor(network: Network, optimizer: OptimizerConfig) {
    this.#network = network;
    this.#optimizer = new Optimizer(optimizer, network.variables);
  }

  get input(): InputSpec {
    return this.#network.input;
  }

  get variables(): readonly TrainedVariable[] {
    return this.#network.variables;
  }

  get slotVariables(): readonly TrainedVariable[] {
    return this.#optimizer.slotVariables;
  }

  get iterations(): number {
    return this.#optimizer.iterations;
  }

  restoreIterations(iterations: number): void {
    this.#optimizer.restoreIterations(iterations);
  }

  train(batch: Batch, { loss, learningRate, momentum, dropout }: LearnerStep): StepOutput {
    const targets = loss.targets(batch);
    const { logits, gradients, penalty } = this.#network.train(batch.input(this.input), targets, dropout);
    this.#optimizer.apply(gradients, learningRate, momentum);
    tf.dispose([...gradients, targets.values]);
    targets.sampleWeights?.dispose();
    return {
      read: () => ({ logits: logits.dataSync<'float32'>(), penalty: penalty?.dataSync<'float32'>()[0] ?? 0 }),
      dispose: () => tf.dispose(penalty === null ? [logits] : [logits, penalty]),
    };
  }

  /** Returns logits [n, outputs] without dropout. */
  predict(batch: Batch): Float32Array {
    const logits = this.#optimizer.withAverages(() => this.#network.predict(batch.input(this.input)));
    try {
      return logits.dataSync<'float32'>();
    } finally {
      logits.dispose();
    }
  }

  penaltyValue(): number {
    return this.#optimizer.withAverages(() => this.#network.penaltyValue());
  }

  dispose(): void {
    this.#optimizer.dispose();
    this.#network.dispose();
  }
}

/** A head in native code. Its steps are fused with those of other heads on the same features. */
export class NativeLearner implements LearnerState {
  readonly kind = 'native';
  readonly input: InputSpec;
  readonly head: NativeHead;

  /** Takes ownership of the head. */
  constructor(input: InputSpec, head: NativeHead) {
    this.input = input;
    this.head = head;
  }

  get variables(): readonly TrainedVariable[] {
    return this.head.variables;
  }

  get slotVariables(): readonly TrainedVariable[] {
    return this.head.slotVariables;
  }

  get iterations(): number {
    return this.head.iterations;
  }

  restoreIterations(iterations: number): void {
    this.head.restoreIterations(iterations);
  }

  penaltyValue(): number {
    return this.head.penaltyValue();
  }

  dispose(): void {
    this.head.dispose();
  }
}

/** The part of a member that is trained, with its optimizer. */
export type Learner = NetworkLearner | NativeLearner;

/**
 * Takes one step of each learner on one batch. Heads on the same features are fused; what a learner computes does not depend
 * on the others of its group.
 */
export function trainTogether(
  steps: readonly (LearnerStep & { readonly learner: Learner })[],
  batch: Batch,
): ReadonlyMap<Learner, StepOutput> {
  const outputs = new Map<Learner, StepOutput>();
  const fused = new Map<string, (LearnerStep & { readonly learner: NativeLearner })[]>();
  for (const { learner, ...step } of steps) {
    if (learner.kind === 'network') outputs.set(learner, learner.train(batch, step));
    else appendTo(fused, learner, { ...step, learner });
  }
  for (const group of fused.values()) {
    const heads = group.map(({ learner, ...step }) => ({ head: learner.head, ...step }));
    const results = trainHeads(heads, featuresOf(batch, group), batch);
    for (const [index, result] of results.entries()) {
      const learner = group[index]?.learner;
      if (learner !== undefined) outputs.set(learner, { read: () => result, dispose: () => undefined });
    }
  }
  return outputs;
}

/** Returns logits [n, outputs] of each learner without dropout. Heads are fused as in training. */
export function predictTogether(learners: readonly Learner[], batch: Batch): ReadonlyMap<Learner, Float32Array> {
  const outputs = new Map<Learner, Float32Array>();
  const fused = new Map<string, { readonly learner: NativeLearner }[]>();
  for (const learner of learners) {
    if (learner.kind === 'network') outputs.set(learner, learner.predict(batch));
    else appendTo(fused, learner, { learner });
  }
  for (const group of fused.values()) {
    const heads = group.map(({ learner }) => learner.head);
    const results = predictHeads(heads, featuresOf(batch, group), batch.labels.length);
    for (const [index, result] of results.entries()) {
      const learner = group[index]?.learner;
      if (learner !== undefined) outputs.set(learner, result);
    }
  }
  return outputs;
}

function appendTo<T>(groups: Map<string, T[]>, { input }: NativeLearner, item: T): void {
  const key = JSON.stringify([input.layer, input.pooling]);
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [item]);
  else group.push(item);
}

/** Returns the features [n, features] of a group that reads the same input. */
function featuresOf(batch: Batch, [first]: readonly { readonly learner: NativeLearner }[]): Float32Array {
  if (first === undefined) throw new RangeError('unreachable: groups are not empty');
  return batch.input(first.learner.input).dataSync<'float32'>();
}
