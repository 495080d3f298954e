import { open } from 'node:fs/promises';
import { File, ready } from 'h5wasm/node';
import { BackboneError } from './backbone.ts';
import type { WeightTensor } from './backbone.ts';
import { readLegacyLayers, readNumberedLayers } from './hdf5-layers.ts';
import type { FileLayer, NumberedLayer } from './hdf5-layers.ts';
import type { LayerGraph } from './layer-graph.ts';
import type { WeightSpec } from './layer-shapes.ts';
import type { Layer } from './layer.ts';

interface LayerWithWeights {
  readonly name: string;
  /** As Keras 3 writes it in a file. */
  readonly kerasClass: string;
  readonly specs: readonly WeightSpec[];
}

const KERAS_CLASSES: Readonly<Partial<Record<Layer['kind'], string>>> = {
  conv: 'conv2d',
  depthwise: 'depthwise_conv2d',
  separable: 'separable_conv2d',
  'batch-norm': 'batch_normalization',
  normalization: 'normalization',
};

/**
 * Reads the weights of a base from a Keras file: the legacy layout or Keras 3's `.weights.h5`. Layers of a top are ignored.
 *
 * @param shownPath what errors call the file, when it was taken out of another.
 * @throws BackboneError that names the layer and both shapes when something doesn't match.
 */
export async function readHdf5Weights(
  path: string,
  graph: LayerGraph,
  shownPath: string = path,
): Promise<ReadonlyMap<string, WeightTensor>> {
  await ready;
  const file = await openFile(path, graph, shownPath);
  try {
    const wanted = layersWithWeights(graph);
    const legacy = readLegacyLayers(file);
    const layers = legacy === null ? matchNumbered(wanted, readNumberedLayers(file)) : matchLegacy(wanted, legacy);
    if (layers === null) {
      throw fileError(graph, shownPath, 'it is neither a legacy Keras weight file nor a Keras 3 .weights.h5 file');
    }
    return assignWeights(shownPath, graph, wanted, layers);
  } finally {
    file.close();
  }
}

/** `\x89HDF\r\n\x1a\n`. h5wasm itself gives a broken handle for other files. */
const HDF5_SIGNATURE = Buffer.from('894844460d0a1a0a', 'hex');

async function openFile(path: string, graph: LayerGraph, shownPath: string): Promise<File> {
  const signature = Buffer.alloc(HDF5_SIGNATURE.length);
  {
    await using file = await open(path, 'r');
    await file.read(signature, 0, signature.length, 0);
  }
  if (!signature.equals(HDF5_SIGNATURE)) throw fileError(graph, shownPath, 'it is not an HDF5 file');
  const file = new File(path, 'r');
  // A file that the library refuses has a negative number.
  if (file.file_id < 0n) throw fileError(graph, shownPath, 'it is truncated or damaged. Fetch it anew');
  return file;
}

function layersWithWeights(graph: LayerGraph): readonly LayerWithWeights[] {
  return graph.layers.flatMap((layer, index) => {
    const specs = graph.weights[index] ?? [];
    return specs.length === 0 ? [] : [{ name: layer.name, kerasClass: KERAS_CLASSES[layer.kind] ?? '', specs }];
  });
}

/** What a file has for the wanted layers, in their order. */
interface Match {
  readonly found: readonly (FileLayer | null)[];
  /** Layers with weights in the file. */
  readonly count: number;
}

/** By name; where the file uses other names, in order, as Keras loads legacy files (names changed between its versions). */
function matchLegacy(wanted: readonly LayerWithWeights[], layers: readonly FileLayer[]): Match {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  const found = wanted.map(({ name }) => byName.get(name) ?? null);
  const inOrder = found.includes(null) && layers.length === wanted.length;
  return { found: inOrder && fits(wanted, layers) ? layers : found, count: layers.length };
}

/** Whether the layers have as many tensors as wanted, one for one: what tells renamed layers from a file of another base. */
function fits(wanted: readonly LayerWithWeights[], layers: readonly FileLayer[]): boolean {
  return wanted.every(({ specs }, index) => layers[index]?.tensors.length === specs.length);
}

/** By name; where the file doesn't say all names, by class and number, as Keras 3 loads its files. */
function matchNumbered(
  wanted: readonly LayerWithWeights[],
  models: readonly (readonly NumberedLayer[])[],
): Match | null {
  const matches = models.map((layers) => matchModel(wanted, layers));
  return matches.find(({ found }) => !found.includes(null)) ?? matches[0] ?? null;
}

function matchModel(wanted: readonly LayerWithWeights[], layers: readonly NumberedLayer[]): Match {
  const byName = new Map(layers.map((layer) => [layer.name, layer.tensors]));
  const byKey = new Map(layers.map((layer) => [layer.key, layer.tensors]));
  const named = wanted.map(({ name }) => byName.get(name) ?? null);
  const numbers = new Map<string, number>();
  const numbered = wanted.map(({ kerasClass }) => {
    const number = numbers.get(kerasClass) ?? 0;
    numbers.set(kerasClass, number + 1);
    return byKey.get(number === 0 ? kerasClass : `${kerasClass}_${number}`) ?? null;
  });
  const saysNames = layers.some(({ name }) => name !== null);
  const usesNumbers = named.includes(null) && (!saysNames || layers.length === wanted.length);
  const tensors = usesNumbers ? numbered : named;
  const found = wanted.map(({ name }, index) => {
    const own = tensors[index] ?? null;
    return own === null ? null : { name, tensors: own };
  });
  return { found, count: layers.length };
}

function assignWeights(
  path: string,
  graph: LayerGraph,
  wanted: readonly LayerWithWeights[],
  { found, count }: Match,
): ReadonlyMap<string, WeightTensor> {
  const missing = wanted.filter((_, index) => found[index] === null).map(({ name }) => name);
  if (missing.length > 0) {
    const shown = `${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ', …' : ''}`;
    throw fileError(
      graph,
      path,
      `it has weights of ${count} layers and lacks ${missing.length} of the ${wanted.length} that are needed: ${shown}`,
    );
  }
  const weights = new Map<string, WeightTensor>();
  for (const [index, { specs }] of wanted.entries()) {
    const tensors = found[index]?.tensors ?? [];
    for (const [position, spec] of specs.entries()) {
      weights.set(spec.name, checkedTensor(path, graph, spec, tensors[position] ?? null));
    }
  }
  return weights;
}

function checkedTensor(path: string, graph: LayerGraph, spec: WeightSpec, tensor: WeightTensor | null): WeightTensor {
  if (tensor !== null && tensor.shape.join() === spec.shape.join()) return tensor;
  const layer = spec.name.slice(0, spec.name.lastIndexOf('/'));
  const found = tensor === null ? 'has no such tensor' : `has shape [${tensor.shape.join(', ')}]`;
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
