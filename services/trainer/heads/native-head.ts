import { denseShapes, momentumOf, outputCountOf, slotNamesOf } from '../../core/network/head-variables.ts';
import type { RandomStream } from '../../core/rng/stream.ts';
import type { HeadConfig, OptimizerConfig } from '../../core/run-config.ts';
import type { BatchLabels } from './batch-labels.ts';
import type { Focal } from './focal.ts';
import { stepRole } from './step-role.ts';
import { initialKernel } from './initial-kernel.ts';
import type { Loss } from './loss.ts';
import { native } from './native-module.ts';
import type { NativeHandle, NativeHeadConfig } from './native-module.ts';
import { checkLength, elementCount } from './trained-variable.ts';
import type { TrainedVariable } from './trained-variable.ts';

/** Inputs of one head's step apart from the images. */
export interface NativeStep {
  readonly head: NativeHead;
  readonly loss: Loss;
  readonly learningRate: number;
  /** Momentum of RMSprop and SGD, or Adam's beta 1, of this step; the optimizer's own by default. */
  readonly momentum?: number;
  /** Random stream of this step's dropout. */
  readonly dropout: RandomStream;
}

export interface NativeStepResult {
  /** [rows, outputs], before sigmoid or softmax and before the update. */
  readonly logits: Float32Array;
  /** L2 part of the loss; 0 without L2. */
  readonly penalty: number;
}

/**
 * A head with its optimizer in native code (`native/`), for CPUs. The mathematics are those of `Head` and `Optimizer`.
 * A weight's gradient is computed in registers and applied immediately, so a step traverses weights and slots once for
 * the forward pass and once for the update.
 *
 * Heads that read the same features execute a step together (`trainHeads`). A head's result is bit-identical regardless
 * of the other heads and of the number of threads.
 */
export class NativeHead {
  /** Kernel and bias of each layer, from the features to the output. */
  readonly variables: readonly TrainedVariable[];
  /** Optimizer slots named `<slot>/<variable>`, ordered by slot. */
  readonly slotVariables: readonly TrainedVariable[];
  readonly featureCount: number;
  readonly outputCount: number;
  /** Number of dropout masks; each consumes two random numbers per step. */
  readonly maskCount: number;
  readonly handle: NativeHandle;
  readonly #optimizer: OptimizerConfig;
  #iterations = 0;

  /**
   * Creates a head. Kernels are initialised by Keras' `GlorotUniform`, biases and slots by zeros.
   *
   * @param featureCount length of one image's features after pooling or flattening.
   * @param seed seed of the run.
   */
  constructor(config: HeadConfig, optimizer: OptimizerConfig, featureCount: number, classCount: number, seed: number) {
    const layers = denseShapes(config, featureCount, classCount);
    const hidden = layers.slice(0, -1);
    this.featureCount = featureCount;
    this.outputCount = outputCountOf(classCount);
    this.maskCount = config.dropout === 0 ? 0 : Math.max(1, hidden.length);
    this.#optimizer = optimizer;
    this.handle = native.createHead({
      inputs: featureCount,
      units: hidden.map(({ outputCount }) => outputCount),
      outputs: this.outputCount,
      activation: ACTIVATIONS.indexOf(config.activation),
      dropout: config.dropout,
      dropoutScale: 1 / (1 - config.dropout),
      l2: config.l2,
      ...optimizerNumbers(optimizer),
      accumulationSteps: optimizer.gradientAccumulationSteps ?? 1,
      isAveraged: optimizer.emaMomentum === undefined ? 0 : 1,
      clipping: optimizer.clipping === undefined ? 0 : CLIPPINGS.indexOf(optimizer.clipping.by),
      clippingLimit: optimizer.clipping?.limit ?? 0,
    });
    this.variables = layers.flatMap(({ name, inputCount, outputCount }, layer) => [
      new NativeVariable(this.handle, 2 * layer, -1, `${name}/kernel`, [inputCount, outputCount]),
      new NativeVariable(this.handle, 2 * layer + 1, -1, `${name}/bias`, [outputCount]),
    ]);
    this.slotVariables = slotNamesOf(optimizer).flatMap((slotName, slot) =>
      this.variables.map(
        ({ name, shape }, variable) => new NativeVariable(this.handle, variable, slot, `${slotName}/${name}`, shape),
      ),
    );
    for (const [index, layer] of layers.entries()) this.variables[2 * index]?.assign(initialKernel(layer, seed));
  }

  /** Number of steps done, on which Adam's bias correction and the accumulation of gradients depend. */
  get iterations(): number {
    return this.#iterations;
  }

  /** Restores the step count after `slotVariables` were assigned from a checkpoint. */
  restoreIterations(iterations: number): void {
    this.#iterations = iterations;
  }

  /** Counts a step and returns its numbers after the learning rate, in the order of `NativeModule.trainHeads`. */
  countStep(momentum = momentumOf(this.#optimizer)): readonly number[] {
    const role = stepRole(this.#optimizer, this.#iterations);
    this.#iterations += 1;
    const { name } = this.#optimizer;
    const power = (beta: number): number => Math.pow(Math.fround(beta), role.updateCount + 1);
    const powers = name === 'adam' || name === 'adamw' ? [power(momentum), power(this.#optimizer.beta2)] : [1, 1];
    return [momentum, ...powers, role.isUpdate ? 1 : 0, role.averageMomentum];
  }

  /** Returns the current L2 penalty of the loss; 0 without L2. */
  penaltyValue(): number {
    return native.penaltyOf(this.handle);
  }

  /** Frees the native memory immediately. */
  dispose(): void {
    native.disposeHead(this.handle);
  }
}

/** Numbers of one head's step, as `NativeModule.trainHeads` lists them. */
const STEP_NUMBERS = 8;

/**
 * Executes one training step of each head on the same images.
 *
 * @param features [rows, features], read by every head.
 * @returns results in the order of `steps`.
 */
export function trainHeads(
  steps: readonly NativeStep[],
  features: Float32Array,
  batch: BatchLabels,
): readonly NativeStepResult[] {
  const { labels } = batch;
  const rows = labels.length;
  const outputs = steps.reduce((sum, { head }) => sum + head.outputCount, 0);
  const masks = steps.reduce((sum, { head }) => sum + head.maskCount, 0);
  const numbers = new Float64Array(STEP_NUMBERS * steps.length);
  const seeds = new Int32Array(2 * masks);
  const targets = new Float32Array(rows * outputs);
  const sampleWeights = new Float32Array(rows * steps.length);
  const logits = new Float32Array(rows * outputs);
  const penalties = new Float64Array(steps.length);
  let seedAt = 0;
  let outputAt = 0;
  for (const [index, { head, loss, learningRate, momentum, dropout }] of steps.entries()) {
    const { gamma, alpha } = loss.focal ?? CROSS_ENTROPY;
    numbers.set([learningRate, ...head.countStep(momentum), gamma, alpha ?? Number.NaN], STEP_NUMBERS * index);
    for (let mask = 0; mask < head.maskCount; mask++) {
      seeds[seedAt++] = dropout.uint32() | 0;
      seeds[seedAt++] = dropout.uint32() | 0;
    }
    loss.fillTargets(batch, targets.subarray(outputAt, outputAt + rows * head.outputCount));
    loss.fillSampleWeights(labels, sampleWeights.subarray(rows * index, rows * (index + 1)));
    outputAt += rows * head.outputCount;
  }
  const handles = steps.map(({ head }) => head.handle);
  native.trainHeads(handles, features, rows, numbers, seeds, targets, sampleWeights, logits, penalties);
  outputAt = 0;
  return steps.map(({ head }, index) => {
    const end = outputAt + rows * head.outputCount;
    const result = { logits: logits.subarray(outputAt, end), penalty: penalties[index] ?? 0 };
    outputAt = end;
    return result;
  });
}

/**
 * Returns the logits [rows, outputs] of each head, without dropout.
 *
 * @param features [rows, features], read by every head.
 */
export function predictHeads(
  heads: readonly NativeHead[],
  features: Float32Array,
  rows: number,
): readonly Float32Array[] {
  const outputs = heads.reduce((sum, { outputCount }) => sum + outputCount, 0);
  const logits = new Float32Array(rows * outputs);
  const handles = heads.map(({ handle }) => handle);
  native.predictHeads(handles, features, rows, logits);
  let outputAt = 0;
  return heads.map(({ outputCount }) => logits.subarray(outputAt, (outputAt += rows * outputCount)));
}

const CROSS_ENTROPY: Focal = { gamma: -1, alpha: null };

/** One tensor in the memory of the native module. */
class NativeVariable implements TrainedVariable {
  readonly name: string;
  readonly shape: readonly number[];
  readonly #handle: NativeHandle;
  readonly #variable: number;
  readonly #slot: number;

  constructor(handle: NativeHandle, variable: number, slot: number, name: string, shape: readonly number[]) {
    this.#handle = handle;
    this.#variable = variable;
    this.#slot = slot;
    this.name = name;
    this.shape = shape;
  }

  values(into: Float32Array = new Float32Array(elementCount(this))): Float32Array {
    native.readVariable(this.#handle, this.#variable, this.#slot, into);
    return into;
  }

  assign(values: Float32Array): void {
    checkLength(this, values);
    native.writeVariable(this.#handle, this.#variable, this.#slot, values);
  }
}

/** Activations in the order of `native/activation.h`. */
const ACTIVATIONS: readonly HeadConfig['activation'][] = ['linear', 'relu', 'tanh', 'gelu', 'swish'];
/** Clipping modes in the order of `Clipping` in `native/head.h`. */
const CLIPPINGS = ['none', 'norm', 'global_norm', 'value'];
/** Update rules in the order of `Rule` in `native/kernels.h`. */
const RULES = [
  'rmsprop',
  'rmsprop_momentum',
  'rmsprop_centered',
  'rmsprop_centered_momentum',
  'adam',
  'sgd',
  'sgd_momentum',
  'sgd_nesterov',
] as const;

type OptimizerNumbers = Pick<NativeHeadConfig, 'rule' | 'rho' | 'epsilon' | 'weightDecay'>;

function optimizerNumbers(config: OptimizerConfig): OptimizerNumbers {
  switch (config.name) {
    case 'rmsprop': {
      const { momentum, rho, epsilon, centered } = config;
      const name = `rmsprop${centered ? ('_centered' as const) : ('' as const)}` as const;
      const rule = momentum === 0 ? name : (`${name}_momentum` as const);
      return { rule: RULES.indexOf(rule), rho, epsilon, weightDecay: 0 };
    }
    case 'adam':
    case 'adamw': {
      const { beta2, epsilon } = config;
      const weightDecay = config.name === 'adamw' ? config.weightDecay : 0;
      return { rule: RULES.indexOf('adam'), rho: beta2, epsilon, weightDecay };
    }
    case 'sgd': {
      const { momentum, nesterov } = config;
      const withMomentum = nesterov ? 'sgd_nesterov' : 'sgd_momentum';
      const rule = RULES.indexOf(momentum === 0 ? 'sgd' : withMomentum);
      return { rule, rho: 0, epsilon: 0, weightDecay: 0 };
    }
  }
}
