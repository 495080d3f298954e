import { channelCoefficients, weightOf } from '../backbones/folded-weights.ts';
import type { Weights } from '../backbones/folded-weights.ts';
import { layerIndex } from '../../core/network/layer-graph.ts';
import type { LayerGraph } from '../../core/network/layer-graph.ts';
import type { ImageShape } from '../../core/network/layer-shapes.ts';
import type { Layer, NormalizationLayer } from '../../core/network/layer.ts';
import type { ConfigValue, KerasClass, KerasLayer, KerasWeight } from './keras-layer.ts';

export interface BaseOptions {
  readonly graph: LayerGraph;
  readonly weights: Weights;
  /** Values of unfrozen layers by `<layer>/<weight>`. */
  readonly trained: ReadonlyMap<string, Float32Array>;
  /** Layer at which the base ends; null: its last layer. */
  readonly cut: string | null;
  /** Layer before the base. */
  readonly input: string;
  /** False if the format has no `Normalization`; an equivalent `Rescaling` of the same name is written instead. */
  readonly withNormalization: boolean;
}

/** Returns the layers of a base up to its cut as Keras' classes, with the weights of the run. */
export function baseLayers(options: BaseOptions): readonly KerasLayer[] {
  const { graph, cut } = options;
  return graph.layers.slice(0, layerIndex(graph, cut) + 1).map((layer, index) => baseLayer(layer, index, options));
}

function baseLayer(layer: Layer, index: number, options: BaseOptions): KerasLayer {
  const { graph, trained } = options;
  const { className, config } = kerasClassOf(layer, options);
  // A normalization that became a rescaling has its values in the configuration.
  const specs = className === 'Rescaling' ? [] : (graph.weights[index] ?? []);
  return {
    className,
    name: layer.name,
    config,
    inputs: layer.inputs.length === 0 ? [options.input] : layer.inputs,
    shape: outputShape(layer, graph.shapes[index] as ImageShape),
    trainable: specs.length === 0 || specs.some(({ name }) => trained.has(name)),
    weights: specs.map(({ name, role, shape }): KerasWeight => {
      const values = trained.get(name) ?? weightOf(graph, options.weights, name).values;
      return { name: role, shape, values: role === 'count' ? BigInt64Array.from(values, roundToBigInt) : values };
    }),
  };
}

/** Returns Keras' output shape. Graft treats a global average as an image of one pixel; in Keras it is a vector. */
function outputShape(layer: Layer, shape: ImageShape): readonly number[] {
  return layer.kind === 'global-average' ? [shape[2]] : shape;
}

interface KerasClassOf {
  readonly className: KerasClass;
  readonly config: KerasLayer['config'];
}

function kerasClassOf(layer: Layer, options: BaseOptions): KerasClassOf {
  switch (layer.kind) {
    case 'conv': {
      const { filters, padding, useBias, activation } = layer;
      const config = { filters, ...window(layer), padding, activation, use_bias: useBias };
      return { className: 'Conv2D', config };
    }
    case 'depthwise':
      return { className: 'DepthwiseConv2D', config: { ...window(layer), padding: layer.padding, use_bias: false } };
    case 'separable': {
      const config = { filters: layer.filters, ...window({ ...layer, stride: 1 }), padding: 'same', use_bias: false };
      return { className: 'SeparableConv2D', config };
    }
    case 'batch-norm':
      return { className: 'BatchNormalization', config: { axis: -1, epsilon: layer.epsilon } };
    case 'activation':
      // Keras' MobileNets have this class.
      if (layer.activation === 'relu6') return { className: 'ReLU', config: { max_value: 6 } };
      return { className: 'Activation', config: { activation: layer.activation } };
    case 'zero-pad':
      return { className: 'ZeroPadding2D', config: { padding: [layer.padding, layer.padding] } };
    case 'max-pool':
      return { className: 'MaxPooling2D', config: { ...poolWindow(layer), padding: layer.padding } };
    case 'average-pool':
      return { className: 'AveragePooling2D', config: { ...poolWindow(layer), padding: 'valid' } };
    case 'global-average':
      return { className: 'GlobalAveragePooling2D', config: {} };
    case 'add':
      return { className: 'Add', config: {} };
    case 'multiply':
      return { className: 'Multiply', config: {} };
    case 'concat':
      return { className: 'Concatenate', config: { axis: -1 } };
    case 'rescaling':
      return { className: 'Rescaling', config: { scale: oneOrAll(layer.scale), offset: 0 } };
    case 'normalization':
      return normalization(layer, options);
    case 'identity':
      return identity(layer, options.graph);
  }
}

function normalization(layer: NormalizationLayer, { graph, weights, withNormalization }: BaseOptions): KerasClassOf {
  if (!withNormalization) {
    const { scale, offset } = channelCoefficients(graph, weights, layer);
    return { className: 'Rescaling', config: { scale: [...scale], offset: [...offset] } };
  }
  const { mean, variance } = layer.statistics ?? { mean: null, variance: null };
  return { className: 'Normalization', config: { axis: [-1], mean, variance, invert: false } };
}

/** Returns Keras' `Reshape` after a global average, else a `Dropout` of rate 0. */
function identity(layer: Layer, graph: LayerGraph): KerasClassOf {
  const index = graph.indexOf.get(layer.inputs[0] ?? '') ?? -1;
  if (graph.layers[index]?.kind !== 'global-average') return { className: 'Dropout', config: { rate: 0 } };
  return { className: 'Reshape', config: { target_shape: [...(graph.shapes[index] as ImageShape)] } };
}

function window({ kernelSize, stride }: { readonly kernelSize: number; readonly stride: number }) {
  return { kernel_size: [kernelSize, kernelSize], strides: [stride, stride] };
}

function poolWindow({ poolSize, stride }: { readonly poolSize: number; readonly stride: number }) {
  return { pool_size: [poolSize, poolSize], strides: [stride, stride] };
}

function oneOrAll(values: readonly number[]): ConfigValue {
  const [first = 1] = values;
  return values.every((value) => value === first) ? first : values;
}

function roundToBigInt(value: number): bigint {
  return BigInt(Math.round(value));
}
