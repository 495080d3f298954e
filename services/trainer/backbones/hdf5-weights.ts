import { open } from 'node:fs/promises';
import { Dataset, File, Group, ready } from 'h5wasm/node';
import { BackboneError } from './backbone.ts';
import type { WeightTensor } from './backbone.ts';
import type { LayerGraph } from './layer-graph.ts';
import type { WeightSpec } from './layer-shapes.ts';

/** The weights of one layer as a file has them, in Keras' order. */
interface FileLayer {
  readonly name: string;
  readonly tensors: readonly WeightTensor[];
}

interface LayerWithWeights {
  readonly name: string;
  readonly kerasClass: string;
  readonly specs: readonly WeightSpec[];
}

/** Keras 3 numbers the layers of each class in a file; these are the names it gives the classes. */
const KERAS_CLASSES: Readonly<Record<string, string>> = {
  conv: 'conv2d',
  depthwise: 'depthwise_conv2d',
  'batch-norm': 'batch_normalization',
};

/**
 * Reads the weights of a base without top from a Keras file: the legacy layout (`layer_names`, `weight_names`) or Keras 3's
 * `.weights.h5` (`layers/<class>_<number>/vars/<n>`).
 *
 * @throws BackboneError that names the layer and both shapes when something doesn't match.
 */
export async function readHdf5Weights(path: string, graph: LayerGraph): Promise<ReadonlyMap<string, WeightTensor>> {
  await ready;
  const file = await openFile(path, graph);
  try {
    const wanted = layersWithWeights(graph);
    const layers = attributeNames(file, 'layer_names').length > 0 ? legacyLayers(file) : keras3Layers(file, wanted);
    if (layers === null) {
      throw fileError(graph, path, 'it is neither a legacy Keras weight file nor a Keras 3 .weights.h5 file');
    }
    return assignWeights(path, graph, wanted, layers);
  } finally {
    file.close();
  }
}

/** `\x89HDF\r\n\x1a\n`. h5wasm itself gives a broken handle for other files. */
const HDF5_SIGNATURE = Buffer.from('894844460d0a1a0a', 'hex');

async function openFile(path: string, graph: LayerGraph): Promise<File> {
  const signature = Buffer.alloc(HDF5_SIGNATURE.length);
  {
    await using file = await open(path, 'r');
    await file.read(signature, 0, signature.length, 0);
  }
  if (!signature.equals(HDF5_SIGNATURE)) throw fileError(graph, path, 'it is not an HDF5 file');
  return new File(path, 'r');
}

function layersWithWeights(graph: LayerGraph): readonly LayerWithWeights[] {
  return graph.layers.flatMap((layer, index) => {
    const specs = graph.weights[index] ?? [];
    return specs.length === 0 ? [] : [{ name: layer.name, kerasClass: KERAS_CLASSES[layer.kind] ?? '', specs }];
  });
}

function legacyLayers(file: File): readonly FileLayer[] {
  return attributeNames(file, 'layer_names').flatMap((name) => {
    const group = file.get(name);
    if (!(group instanceof Group)) return [];
    const tensors = attributeNames(group, 'weight_names').flatMap((weightName) => tensorAt(group, weightName));
    return tensors.length === 0 ? [] : [{ name, tensors }];
  });
}

/** Keras splits attributes that are too long for HDF5 into `<name>0`, `<name>1`, … */
function attributeNames(group: Group, name: string): readonly string[] {
  const whole = textList(group, name);
  if (whole !== null) return whole;
  const parts: string[] = [];
  for (let index = 0; ; index++) {
    const part = textList(group, `${name}${index}`);
    if (part === null) return parts;
    parts.push(...part);
  }
}

function textList(group: Group, name: string): readonly string[] | null {
  const value: unknown = group.attrs[name]?.value;
  if (value === undefined) return null;
  return Array.isArray(value) ? value.map(String) : [];
}

/**
 * Since 3.12 or so the file says the layer's name; before, only its class and its number among the layers of that class.
 * Returns null when the file has no `layers` group.
 */
function keras3Layers(file: File, wanted: readonly LayerWithWeights[]): readonly FileLayer[] | null {
  const root = file.get('layers');
  if (!(root instanceof Group)) return null;
  const named = root.keys().flatMap((key) => {
    const vars = root.get(`${key}/vars`);
    const name: unknown = vars instanceof Group ? vars.attrs['name']?.value : undefined;
    const tensors = vars instanceof Group ? variables(vars) : [];
    return tensors.length > 0 ? [{ key, name: typeof name === 'string' ? name : null, tensors }] : [];
  });
  if (named.every(({ name }) => name !== null))
    return named.map(({ name, tensors }) => ({ name: name ?? '', tensors }));
  const byKey = new Map(named.map((layer) => [layer.key, layer.tensors]));
  const counters = new Map<string, number>();
  return wanted.flatMap(({ name, kerasClass }) => {
    const number = counters.get(kerasClass) ?? 0;
    counters.set(kerasClass, number + 1);
    const tensors = byKey.get(number === 0 ? kerasClass : `${kerasClass}_${number}`);
    return tensors === undefined ? [] : [{ name, tensors }];
  });
}

function variables(vars: Group): readonly WeightTensor[] {
  return Array.from(vars.keys(), Number)
    .sort((a, b) => a - b)
    .flatMap((index) => tensorAt(vars, String(index)));
}

function tensorAt(group: Group, name: string): WeightTensor[] {
  const dataset = group.get(name);
  if (!(dataset instanceof Dataset)) return [];
  const value: unknown = dataset.value;
  if (!(value instanceof Float32Array)) return [];
  return [{ shape: dataset.shape ?? [], values: value }];
}

/**
 * By name; where a file uses other names, in order, as Keras does for `load_weights` of legacy files (layer names changed
 * between its versions).
 */
function assignWeights(
  path: string,
  graph: LayerGraph,
  wanted: readonly LayerWithWeights[],
  layers: readonly FileLayer[],
): ReadonlyMap<string, WeightTensor> {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  const known = wanted.filter(({ name }) => byName.has(name)).length;
  if (known < wanted.length && (known > 0 || layers.length !== wanted.length)) {
    const missing = wanted.filter(({ name }) => !byName.has(name)).map(({ name }) => name);
    const shown = missing.slice(0, 5).join(', ');
    throw fileError(graph, path, `it has weights of ${layers.length} layers and lacks ${missing.length}: ${shown}`);
  }
  const weights = new Map<string, WeightTensor>();
  for (const [index, { name, specs }] of wanted.entries()) {
    const layer = byName.get(name) ?? layers[index];
    for (const [position, spec] of specs.entries()) {
      weights.set(spec.name, checkedTensor(path, graph, spec, layer?.tensors[position]));
    }
  }
  return weights;
}

function checkedTensor(
  path: string,
  graph: LayerGraph,
  spec: WeightSpec,
  tensor: WeightTensor | undefined,
): WeightTensor {
  const shape = tensor?.shape ?? null;
  if (tensor !== undefined && shape?.join() === spec.shape.join()) return tensor;
  const layer = spec.name.slice(0, spec.name.lastIndexOf('/'));
  const found = shape === null ? 'has no such tensor' : `has shape [${shape.join(', ')}]`;
  throw new BackboneError(
    `${path} doesn't fit ${graph.backbone}: layer ${layer} needs ${spec.role} of shape [${spec.shape.join(', ')}], ` +
      `but the file ${found}.`,
    { backbone: graph.backbone, layer },
  );
}

function fileError(graph: LayerGraph, path: string, problem: string): BackboneError {
  return new BackboneError(`${path} doesn't hold weights of ${graph.backbone}: ${problem}.`, {
    backbone: graph.backbone,
  });
}
