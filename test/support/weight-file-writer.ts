import { File, ready } from 'h5wasm/node';
import type { Group } from 'h5wasm/node';
import { buildLayerGraph } from '../../services/core/network/layer-graph.ts';
import type { LayerGraph } from '../../services/core/network/layer-graph.ts';
import { randomWeights } from '../../services/trainer/backbones/random-weights.ts';
import { backboneDefinition } from '../../services/core/network/backbones.ts';

/** The smallest base: 54 layers with weights. */
export const SMALL_BACKBONE = 'mobilenet_0.25';
export const SMALL_GRAPH: LayerGraph = graphOf(SMALL_BACKBONE);
export const SMALL_WEIGHTS: ReadonlyMap<string, FileTensor> = randomWeights(SMALL_GRAPH, 3);

export interface FileTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export function graphOf(backbone: string): LayerGraph {
  return buildLayerGraph(backbone, backboneDefinition(backbone).layers(224), 224);
}

export async function writeHdf5File(path: string, write: (file: Group) => void): Promise<void> {
  await ready;
  const file = new File(path, 'w');
  try {
    write(file);
  } finally {
    file.close();
  }
}

/** Changes an existing file. */
export async function editHdf5File(path: string, edit: (file: Group) => void): Promise<void> {
  await ready;
  const file = new File(path, 'a');
  try {
    edit(file);
  } finally {
    file.close();
  }
}

export interface LegacyOptions {
  /** Orders the tensors `<layer>/<role>` that a layer lists. */
  readonly sortRoles?: (roles: readonly string[]) => readonly string[];
  /** Returns the name of a layer in the file. */
  readonly rename?: (name: string, index: number) => string;
}

/** Writes the legacy layout: `layer_names`, and `weight_names` in each layer's group. */
export function writeLegacy(group: Group, weights: ReadonlyMap<string, FileTensor>, options: LegacyOptions = {}): void {
  const layers = tensorsByLayer(weights);
  const sortRoles = options.sortRoles ?? ((roles: readonly string[]) => roles);
  const rename = options.rename ?? ((name: string) => name);
  const names = [...layers.keys()].map((name, index) => rename(name, index));
  group.create_attribute('layer_names', names);
  for (const [index, [layer, tensors]] of [...layers].entries()) {
    const name = names[index] ?? layer;
    const own = group.create_group(name);
    const roles = sortRoles(tensors.map((tensor) => tensor.slice(layer.length + 1)));
    own.create_attribute(
      'weight_names',
      roles.map((role) => `${name}/${role}:0`),
    );
    const inner = own.create_group(name);
    for (const role of roles) {
      const { shape, values } = weights.get(`${layer}/${role}`) as FileTensor;
      inner.create_dataset({ name: `${role}:0`, data: values, shape: [...shape], dtype: '<f' });
    }
  }
}

/** Writes Keras 3's layout below `layers`, with the names of the layers. */
export function writeNumbered(group: Group, weights: ReadonlyMap<string, FileTensor>, withNames: boolean): void {
  const layers = tensorsByLayer(weights);
  const counts = new Map<string, number>();
  for (const [layer, tensors] of layers) {
    const roles = tensors.length > 1 ? 'batch_normalization' : '';
    const kerasClass = roles === '' ? (/_dw_|dw_\d+$/.test(layer) ? 'depthwise_conv2d' : 'conv2d') : roles;
    const number = counts.get(kerasClass) ?? 0;
    counts.set(kerasClass, number + 1);
    const variables = group.create_group(number === 0 ? kerasClass : `${kerasClass}_${number}`).create_group('vars');
    if (withNames) variables.create_attribute('name', layer);
    for (const [index, tensor] of tensors.entries()) {
      const { shape, values } = weights.get(tensor) as FileTensor;
      variables.create_dataset({ name: String(index), data: values, shape: [...shape], dtype: '<f' });
    }
  }
}

function tensorsByLayer(weights: ReadonlyMap<string, FileTensor>): ReadonlyMap<string, readonly string[]> {
  const layers = new Map<string, readonly string[]>();
  for (const name of weights.keys()) {
    const layer = name.slice(0, name.lastIndexOf('/'));
    layers.set(layer, [...(layers.get(layer) ?? []), name]);
  }
  return layers;
}
