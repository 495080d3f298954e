import type { RandomStream } from '../../core/rng/stream.ts';
import type { RunConfig } from '../../core/run-config.ts';
import type { Pooling } from '../../core/task.ts';
import { poolingOf } from '../../core/planner/feature-set.ts';
import { resolveUnfreeze } from '../../core/network/resolve-unfreeze.ts';
import type { Backbone, BackboneShape, BackboneTop } from '../backbones/backbone.ts';
import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor4D } from '../engine/engine.ts';
import { Head } from '../heads/head.ts';
import type { HeadStep, HeadTargets } from '../heads/head.ts';
import { ResourceVariable } from '../heads/resource-variable.ts';
import { featuresGradient, featuresOf } from './pooling.ts';

/** The input of a network: outputs of the frozen layers below it. */
export interface InputSpec {
  /** Layer of the base; null: images with values 0..255. */
  readonly layer: string | null;
  /** Applied to the layer's outputs. */
  readonly pooling: Pooling;
}

export type NetworkStep = Omit<HeadStep, 'featureGradient'>;

/** The network that a run trains. */
export interface Network {
  readonly input: InputSpec;
  readonly variables: readonly ResourceVariable[];
  /** Computes logits and gradients (in the order of `variables`) of one step. The caller owns the tensors. */
  train(input: Tensor, targets: HeadTargets, dropout: RandomStream): NetworkStep;
  /** Returns logits [n, outputs] without dropout. */
  predict(input: Tensor): Tensor;
  /** Returns the L2 penalty of the current weights. */
  penaltyValue(): number;
  dispose(): void;
}

/** A head on the outputs of the frozen base. */
export class HeadNetwork implements Network {
  readonly input: InputSpec;
  readonly #head: Head;

  constructor(config: RunConfig, backbone: BackboneShape, classCount: number) {
    this.input = headInput(config, backbone);
    this.#head = createHead(config, backbone, classCount);
  }

  get variables(): readonly ResourceVariable[] {
    return this.#head.variables;
  }

  train(input: Tensor, targets: HeadTargets, dropout: RandomStream): NetworkStep {
    const features = asRows(input);
    const step = this.#head.train(features, targets, dropout, false);
    if (features !== input) features.dispose();
    return step;
  }

  predict(input: Tensor): Tensor {
    return tf.tidy(() => this.#head.predict(asRows(input)));
  }

  penaltyValue(): number {
    return this.#head.penaltyValue();
  }

  dispose(): void {
    this.#head.dispose();
  }
}

/** The unfrozen layers of the base under the head. BatchNormalization stays frozen, in inference mode. */
export class FineTuneNetwork implements Network {
  readonly input: InputSpec;
  readonly variables: readonly ResourceVariable[];
  readonly #pooling: RunConfig['head']['pooling'];
  readonly #top: BackboneTop;
  readonly #topVariables: readonly ResourceVariable[];
  readonly #head: Head;

  /** @throws {UnknownLayerError} when the base does not have the layers to unfreeze. */
  constructor(config: RunConfig, unfreeze: string, backbone: Backbone, classCount: number) {
    const { trainableFrom } = resolveUnfreeze(backbone.layers, config.backbone.cut, unfreeze);
    this.#pooling = config.head.pooling;
    this.#top = backbone.createTop(trainableFrom, config.backbone.cut);
    this.input = { layer: this.#top.splitAfter, pooling: 'none' };
    this.#topVariables = this.#top.parameters.map(
      ({ name, shape, values }) => new ResourceVariable(name, shape, values),
    );
    this.#head = createHead(config, backbone, classCount);
    this.variables = [...this.#topVariables, ...this.#head.variables];
  }

  /** The variables that are in the checkpoint of a trained head. */
  get headVariables(): readonly ResourceVariable[] {
    return this.#head.variables;
  }

  train(input: Tensor, targets: HeadTargets, dropout: RandomStream): NetworkStep {
    const kept: { head?: HeadStep } = {};
    // The head computes its own gradients. For the gradient tape it is one op; the gradients of its variables are kept aside.
    const headOp = tf.customGrad((outputs, save) => {
      const features = featuresOf(outputs as Tensor4D, this.#pooling);
      const step = this.#head.train(features, targets, dropout, true);
      kept.head = step;
      for (const tensor of [step.logits, step.penalty, ...step.gradients]) if (tensor !== null) tf.keep(tensor);
      if (step.featureGradient === null) throw new Error('unreachable: the gradient was requested');
      (save as (tensors: Tensor[]) => void)([
        featuresGradient(outputs as Tensor4D, features, step.featureGradient, this.#pooling),
      ]);
      return { value: tf.scalar(0), gradFunc: (_dy: Tensor, saved: Tensor[]) => saved };
    });
    const parameters = this.#topVariables.map((variable) => variable.read());
    const topGradients = tf.grads((...tensors: Tensor[]) => headOp(this.#top.forward(input as Tensor4D, tensors)))(
      parameters,
    );
    tf.dispose(parameters);
    const { head } = kept;
    if (head === undefined) throw new Error('unreachable: the head was run');
    return { logits: head.logits, penalty: head.penalty, gradients: [...topGradients, ...head.gradients] };
  }

  predict(input: Tensor): Tensor {
    return tf.tidy(() => {
      const parameters = this.#topVariables.map((variable) => variable.read());
      return this.#head.predict(featuresOf(this.#top.forward(input as Tensor4D, parameters), this.#pooling));
    });
  }

  penaltyValue(): number {
    return this.#head.penaltyValue();
  }

  dispose(): void {
    for (const variable of this.#topVariables) variable.dispose();
    this.#head.dispose();
    this.#top.dispose();
  }
}

/** Returns the name of the layer with which a run's base ends. */
function lastLayer(config: RunConfig, backbone: BackboneShape): string {
  const last = config.backbone.cut ?? backbone.layers.at(-1)?.name;
  if (last === undefined) throw new RangeError(`The backbone ${backbone.name} has no layers.`);
  return last;
}

/** Returns the input of a head on the frozen base. */
export function headInput(config: RunConfig, backbone: BackboneShape): InputSpec {
  return { layer: lastLayer(config, backbone), pooling: poolingOf(config.head) };
}

/** Returns the number of features of one image after pooling or flattening. */
export function featureCountOf(config: RunConfig, backbone: BackboneShape): number {
  const [height, width, channels] = backbone.outputShape(config.backbone.cut);
  return config.head.pooling === 'flatten' ? height * width * channels : channels;
}

function createHead(config: RunConfig, backbone: BackboneShape, classCount: number): Head {
  return new Head(config.head, featureCountOf(config, backbone), classCount, config.seed);
}

function elementsPerRow(input: Tensor): number {
  return input.shape.slice(1).reduce((product, size) => product * size, 1);
}

function asRows(input: Tensor): Tensor {
  return input.shape.length === 2 ? input : tf.reshape(input, [-1, elementsPerRow(input)]);
}
