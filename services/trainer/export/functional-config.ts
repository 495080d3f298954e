import type { KerasLayer, KerasModel } from './keras-layer.ts';

/**
 * A JSON form of a functional model: that of `.keras` files (every layer names its module), that of Keras 3's `.h5` files (without
 * modules), and that of Keras 2, which TensorFlow.js reads.
 */
export type ConfigStyle = 'keras' | 'keras-h5' | 'keras-2';

type Json = Readonly<Record<string, unknown>>;

/** Returns `serialize_keras_object(model)` (keras/src/models/functional.py `get_config`) of a model that was not compiled. */
export function functionalConfig(model: KerasModel, style: ConfigStyle): Json {
  const first = model.layers[0]?.name;
  const last = model.layers.at(-1)?.name;
  const inAndOut =
    style === 'keras-2'
      ? { input_layers: [[first, 0, 0]], output_layers: [[last, 0, 0]] }
      : { input_layers: [first, 0, 0], output_layers: [last, 0, 0] };
  const byName = new Map(model.layers.map((layer) => [layer.name, layer]));
  const layers = model.layers.map((layer) => layerConfig(layer, byName, style));
  const config = { name: model.name, trainable: true, layers, ...inAndOut };
  if (style !== 'keras') return { class_name: 'Functional', config };
  return {
    module: 'keras.src.models.functional',
    class_name: 'Functional',
    config,
    registered_name: 'Functional',
    build_config: { input_shape: null },
  };
}

function layerConfig(layer: KerasLayer, byName: ReadonlyMap<string, KerasLayer>, style: ConfigStyle): Json {
  const { className, name } = layer;
  const nodes = layer.inputs.length === 0 ? [] : [inboundNode(layer, byName, style)];
  const entry = { class_name: className, config: ownConfig(layer, style), name, inbound_nodes: nodes };
  return style === 'keras' ? { module: 'keras.layers', registered_name: null, ...entry } : entry;
}

function ownConfig({ className, name, config, shape, trainable }: KerasLayer, style: ConfigStyle): Json {
  if (className !== 'InputLayer') return { name, trainable, dtype: 'float32', ...config };
  const batchShape = [null, ...shape];
  const common = { name, dtype: 'float32', sparse: false };
  return style === 'keras-2' ? { ...common, batch_input_shape: batchShape } : { ...common, batch_shape: batchShape };
}

function inboundNode(layer: KerasLayer, byName: ReadonlyMap<string, KerasLayer>, style: ConfigStyle): unknown {
  if (style === 'keras-2') return layer.inputs.map((input) => [input, 0, 0, {}]);
  const tensors = layer.inputs.map((input) => ({
    class_name: '__keras_tensor__',
    config: { shape: [null, ...(byName.get(input)?.shape ?? [])], dtype: 'float32', keras_history: [input, 0, 0] },
  }));
  return { args: tensors.length === 1 ? tensors : [tensors], kwargs: {} };
}
