import type { HeadConfig } from '../../core/run-config.ts';
import { denseShapes, outputCountOf } from '../../core/network/head-variables.ts';
import type { DenseShape } from '../../core/network/head-variables.ts';
import type { RandomStream } from '../../core/rng/stream.ts';
import { tf } from '../engine/engine.ts';
import type { Tensor } from '../engine/engine.ts';
import { boolAttribute, executeOp, typeAttribute } from '../engine/op.ts';
import { activate, activationGradient } from './activation.ts';
import { dropoutMask } from './dropout.ts';
import { initialKernel } from './initial-kernel.ts';
import { focalGradient } from './focal.ts';
import type { Focal } from './focal.ts';
import { ResourceVariable } from './resource-variable.ts';

const T = [typeAttribute('T', 'float32')];
const MATMUL = matMulAttributes(false, false);
const MATMUL_LEFT_TRANSPOSED = matMulAttributes(true, false);
const MATMUL_RIGHT_TRANSPOSED = matMulAttributes(false, true);
const SUM = [boolAttribute('keep_dims', false), typeAttribute('T', 'float32'), typeAttribute('Tidx', 'int32')];

/** Result of one training step of a head; the caller owns all tensors. */
export interface HeadStep {
  /** [n, outputs], before sigmoid or softmax. */
  readonly logits: Tensor;
  /** Gradients in the order of `Head.variables`. */
  readonly gradients: readonly Tensor[];
  /** L2 penalty of the loss, a scalar; null without L2. */
  readonly penalty: Tensor | null;
  /** [n, features]; null unless requested. */
  readonly featureGradient: Tensor | null;
}

/** Targets of one batch. */
export interface HeadTargets {
  /** [n, outputs]: 0, 1 or smoothed. */
  readonly values: Tensor;
  /** [n, 1]; null means that all weights are 1. */
  readonly sampleWeights: Tensor | null;
  /** Null: the loss is cross-entropy. */
  readonly focal: Focal | null;
}

interface DenseLayer {
  readonly kernel: ResourceVariable;
  readonly bias: ResourceVariable;
}

interface HiddenPass {
  readonly input: Tensor;
  readonly beforeActivation: Tensor;
  readonly activated: Tensor;
  readonly mask: Tensor | null;
}

/**
 * A classifier head: [Dense(units, activation) → Dropout] × layers → Dense(1) for two classes, else Dense(classes).
 * Without hidden layers, dropout applies to the features. Kernels are initialised by Keras' `GlorotUniform`, drawn from
 * ("init", tensor), biases by zeros.
 *
 * Forward and backward passes are written out on TensorFlow ops: a head has few of them, and tfjs' gradient tape and
 * tensor bookkeeping cost more than the arithmetic.
 */
export class Head {
  /** Kernel and bias of each layer, from the features to the output. */
  readonly variables: readonly ResourceVariable[];
  readonly outputCount: number;
  readonly #config: HeadConfig;
  readonly #hidden: readonly DenseLayer[];
  readonly #output: DenseLayer;
  readonly #l2Factor: Tensor;

  /**
   * @param featureCount length of one image's features after pooling or flattening.
   * @param seed seed of the run.
   */
  constructor(config: HeadConfig, featureCount: number, classCount: number, seed: number) {
    this.#config = config;
    this.outputCount = outputCountOf(classCount);
    const layers = denseShapes(config, featureCount, classCount).map((shape) => createDense(shape, seed));
    const [output] = layers.splice(-1);
    if (output === undefined) throw new RangeError('unreachable: a head has an output layer');
    this.#hidden = layers;
    this.#output = output;
    this.variables = [...this.#hidden, this.#output].flatMap(({ kernel, bias }) => [kernel, bias]);
    this.#l2Factor = tf.keep(tf.scalar(2 * config.l2));
  }

  /** Returns the logits [n, outputs] without dropout. `features` is [n, features]. */
  predict(features: Tensor): Tensor {
    return tf.tidy(() => {
      let x = features;
      for (const layer of this.#hidden) x = activate(this.#config.activation, dense(layer, x));
      return dense(this.#output, x);
    });
  }

  /**
   * Returns the logits with dropout and the gradients of the batch's mean loss: binary or categorical cross-entropy of
   * the logits, plus l2 times the squared sum of the kernels. No buffer of the variables is held on return.
   *
   * @param features [n, features]
   * @param dropout random stream of this step's dropout.
   */
  train(features: Tensor, targets: HeadTargets, dropout: RandomStream, withFeatureGradient: boolean): HeadStep {
    // tidy keeps every tensor it finds in an object, but its type allows plain records only.
    const compute = (): unknown => this.#trainInTidy(features, targets, dropout, withFeatureGradient);
    return tf.tidy(compute as () => Tensor) as unknown as HeadStep;
  }

  dispose(): void {
    for (const variable of this.variables) variable.dispose();
    this.#l2Factor.dispose();
  }

  #trainInTidy(features: Tensor, targets: HeadTargets, dropout: RandomStream, withFeatureGradient: boolean): HeadStep {
    const { activation, dropout: rate } = this.#config;
    const featureMask = this.#hidden.length === 0 && rate > 0 ? dropoutMask(features.shape, rate, dropout) : null;
    let x = featureMask === null ? features : multiply(features, featureMask);
    const passes: HiddenPass[] = [];
    for (const layer of this.#hidden) {
      const beforeActivation = dense(layer, x);
      const activated = activate(activation, beforeActivation);
      const mask = rate > 0 ? dropoutMask(activated.shape, rate, dropout) : null;
      passes.push({ input: x, beforeActivation, activated, mask });
      x = mask === null ? activated : multiply(activated, mask);
    }
    const logits = dense(this.#output, x);

    const gradients: Tensor[] = [];
    let dy = this.#logitGradient(logits, targets);
    const [outputKernel, outputBias] = this.#denseGradients(this.#output, x, dy);
    gradients.unshift(outputKernel, outputBias);
    let upper = this.#output;
    for (const [index, layer] of [...this.#hidden.entries()].reverse()) {
      const pass = passes[index];
      if (pass === undefined) continue;
      const dropped = matMul(MATMUL_RIGHT_TRANSPOSED, dy, upper.kernel.read());
      const dActivated = pass.mask === null ? dropped : multiply(dropped, pass.mask);
      dy = activationGradient(activation, pass.beforeActivation, pass.activated, dActivated);
      gradients.unshift(...this.#denseGradients(layer, pass.input, dy));
      upper = layer;
    }
    return {
      logits,
      gradients,
      penalty: this.#penalty(),
      featureGradient: withFeatureGradient ? inputGradient(upper, dy, featureMask) : null,
    };
  }

  /** d(mean loss)/d(logits): for cross-entropy (probability − target) · weight / n, for both sigmoid and softmax. */
  #logitGradient(logits: Tensor, targets: HeadTargets): Tensor {
    const gradient =
      targets.focal === null
        ? this.#crossEntropyGradient(logits, targets.values)
        : focalGradient(logits, targets.values, targets.focal);
    const weighted = targets.sampleWeights === null ? gradient : multiply(gradient, targets.sampleWeights);
    return multiply(weighted, tf.scalar(1 / rowCount(logits)));
  }

  #crossEntropyGradient(logits: Tensor, targets: Tensor): Tensor {
    const probabilities = executeOp(this.outputCount === 1 ? 'Sigmoid' : 'Softmax', T, [logits]);
    return executeOp('Sub', T, [probabilities, targets]);
  }

  #denseGradients(layer: DenseLayer, input: Tensor, dy: Tensor): [Tensor, Tensor] {
    const kernelGradient = matMul(MATMUL_LEFT_TRANSPOSED, input, dy);
    const biasGradient = executeOp('Sum', SUM, [dy, tf.tensor1d([0], 'int32')]);
    if (this.#config.l2 === 0) return [kernelGradient, biasGradient];
    const decay = multiply(layer.kernel.read(), this.#l2Factor);
    return [executeOp('AddV2', T, [kernelGradient, decay]), biasGradient];
  }

  #penalty(): Tensor | null {
    if (this.#config.l2 === 0) return null;
    // L2Loss computes half the squared sum.
    const halves = [...this.#hidden, this.#output].map(({ kernel }) => executeOp('L2Loss', T, [kernel.read()]));
    return halves.map((half) => multiply(half, this.#l2Factor)).reduce((a, b) => executeOp('AddV2', T, [a, b]));
  }

  /** Returns the current L2 penalty of the loss; 0 without L2. */
  penaltyValue(): number {
    return tf.tidy(() => this.#penalty()?.dataSync()[0] ?? 0);
  }
}

function inputGradient(layer: DenseLayer, dy: Tensor, mask: Tensor | null): Tensor {
  const gradient = matMul(MATMUL_RIGHT_TRANSPOSED, dy, layer.kernel.read());
  return mask === null ? gradient : multiply(gradient, mask);
}

function rowCount(tensor: Tensor): number {
  const [rows = 0] = tensor.shape as readonly number[];
  return rows;
}

function createDense(shape: DenseShape, seed: number): DenseLayer {
  const { name, inputCount, outputCount } = shape;
  return {
    kernel: new ResourceVariable(`${name}/kernel`, [inputCount, outputCount], initialKernel(shape, seed)),
    bias: new ResourceVariable(`${name}/bias`, [outputCount], new Float32Array(outputCount)),
  };
}

function dense(layer: DenseLayer, x: Tensor): Tensor {
  return executeOp('BiasAdd', T, [matMul(MATMUL, x, layer.kernel.read()), layer.bias.read()]);
}

function matMul(attributes: ReturnType<typeof matMulAttributes>, a: Tensor, b: Tensor): Tensor {
  return executeOp('MatMul', attributes, [a, b]);
}

function multiply(a: Tensor, b: Tensor): Tensor {
  return executeOp('Mul', T, [a, b]);
}

function matMulAttributes(transposeA: boolean, transposeB: boolean) {
  return [
    typeAttribute('T', 'float32'),
    boolAttribute('transpose_a', transposeA),
    boolAttribute('transpose_b', transposeB),
  ] as const;
}
