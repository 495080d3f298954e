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

/** What a step needs besides the batch. */
export interface LearnerStep {
  readonly loss: Loss;
  readonly learningRate: number;
  /** Draws for this step. */
  readonly dropout: RandomStream;
}

/** What a step gave, which may still be on the device. */
export interface StepOutput {
  /** Logits [n, outputs] and the L2 part of the loss, both from before the update. Waits for the device. */
  read(): { readonly logits: Float32Array; readonly penalty: number };
  dispose(): void;
}

interface LearnerState {
  readonly input: InputSpec;
  readonly variables: readonly TrainedVariable[];
  /** Of the optimizer, named `<slot>/<variable>`. */
  readonly slotVariables: readonly TrainedVariable[];
  /** Optimizer steps done. */
  readonly iterations: number;
  /** After `slotVariables` were assigned from a checkpoint. */
  restoreIterations(iterations: number): void;
  /** L2 penalty of the loss now. */
  penaltyValue(): number;
  dispose(): void;
}

/** A network and its optimizer on TensorFlow's ops; takes its steps alone. */
export class NetworkLearner implements LearnerState {
  readonly kind = 'network';
  readonly #network: Network;
  readonly #optimizer: Optimizer;

  /** The network becomes the learner's. */
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

  train(batch: Batch, { loss, learningRate, dropout }: LearnerStep): StepOutput {
    const targets = loss.targets(batch.labels);
    const { logits, gradients, penalty } = this.#network.train(batch.input(this.input), targets, dropout);
    this.#optimizer.apply(gradients, learningRate);
    tf.dispose([...gradients, targets.values]);
    targets.sampleWeights?.dispose();
    return {
      read: () => ({ logits: logits.dataSync<'float32'>(), penalty: penalty?.dataSync<'float32'>()[0] ?? 0 }),
      dispose: () => tf.dispose(penalty === null ? [logits] : [logits, penalty]),
    };
  }

  /** Logits [n, outputs] without dropout. */
  predict(batch: Batch): Float32Array {
    const logits = this.#network.predict(batch.input(this.input));
    try {
      return logits.dataSync<'float32'>();
    } finally {
      logits.dispose();
    }
  }

  penaltyValue(): number {
    return this.#network.penaltyValue();
  }

  dispose(): void {
    this.#optimizer.dispose();
    this.#network.dispose();
  }
}

/** A head in native code; takes its steps together with others that read the same features. */
export class NativeLearner implements LearnerState {
  readonly kind = 'native';
  readonly input: InputSpec;
  readonly head: NativeHead;

  /** The head becomes the learner's. */
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

/** What a member trains, and how. */
export type Learner = NetworkLearner | NativeLearner;

/**
 * One step of each learner on one batch, fused where they are heads on the same features. Who else is in the group changes
 * nothing in what a learner computes.
 *
 * @returns in the order of the steps
 */
export function trainTogether(
  steps: readonly (LearnerStep & { readonly learner: Learner })[],
  batch: Batch,
): ReadonlyMap<Learner, StepOutput> {
  const outputs = new Map<Learner, StepOutput>();
  const fused = new Map<string, (LearnerStep & { readonly learner: NativeLearner })[]>();
  for (const { learner, loss, learningRate, dropout } of steps) {
    const step = { loss, learningRate, dropout };
    if (learner.kind === 'network') outputs.set(learner, learner.train(batch, step));
    else appendTo(fused, learner, { ...step, learner });
  }
  for (const group of fused.values()) {
    const heads = group.map(({ learner, ...step }) => ({ head: learner.head, ...step }));
    const results = trainHeads(heads, featuresOf(batch, group), batch.labels);
    for (const [index, result] of results.entries()) {
      const learner = group[index]?.learner;
      if (learner !== undefined) outputs.set(learner, { read: () => result, dispose: () => undefined });
    }
  }
  return outputs;
}

/** Logits [n, outputs] of each learner without dropout, fused as in training. */
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

/** [n, features] of a group that reads the same input. */
function featuresOf(batch: Batch, [first]: readonly { readonly learner: NativeLearner }[]): Float32Array {
  if (first === undefined) throw new RangeError('unreachable: groups are not empty');
  return batch.input(first.learner.input).dataSync<'float32'>();
}
