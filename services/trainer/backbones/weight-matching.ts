import type { StoredTensor } from './hdf5-file.ts';
import type { FileLayer, FileModel } from './hdf5-layers.ts';
import type { LayerGraph } from '../../core/network/layer-graph.ts';
import type { WeightSpec } from '../../core/network/layer-shapes.ts';
import type { Layer } from '../../core/network/layer.ts';

interface LayerWithWeights {
  readonly name: string;
  /** Class as Keras 3 writes it in a file. */
  readonly kerasClass: string;
  readonly specs: readonly WeightSpec[];
}

/** Locations of a base's layers in a file. */
export interface Match {
  /** Location of the model in the file, or of the layers at its ends, for errors. */
  readonly place: string;
  readonly layers: readonly { readonly wanted: LayerWithWeights; readonly found: FileLayer | null }[];
  /** Layers with weights in the model. */
  readonly layerCount: number;
}

/** Layers with one name in one model, of which a base needs one. */
export class AmbiguousLayerError extends Error {
  override readonly name = 'AmbiguousLayerError';
}

const KERAS_CLASSES: Readonly<Partial<Record<Layer['kind'], string>>> = {
  conv: 'conv2d',
  depthwise: 'depthwise_conv2d',
  separable: 'separable_conv2d',
  'batch-norm': 'batch_normalization',
  normalization: 'normalization',
};

/** Matches a generated name: its number depends on the layers built before it in the session. */
const MADE_UP_NAME = new RegExp(`^(${Object.values(KERAS_CLASSES).join('|')})(_\\d+)?$`);

/**
 * Finds the base in the models of a file: by name; where none has all names, by order or number, as Keras loads its files.
 *
 * @returns the models that fit, all of them where there are several; else none, and the one that lacks the least.
 */
export function matchBase(
  graph: LayerGraph,
  models: readonly FileModel[],
): { readonly fitting: readonly Match[]; readonly nearest: Match | null } {
  const wanted = layersWithWeights(graph);
  const named = models.map((model) => matchByName(wanted, model));
  const byName = named.filter(isFitting);
  if (byName.length > 0) return { fitting: byName, nearest: byName[0] ?? null };
  const others = models.flatMap((model) => [...matchByOrder(wanted, model), ...matchByNumber(wanted, model)]);
  const fitting = others.filter(isFitting);
  const [nearest = null] = [...named, ...others].toSorted((a, b) => lackOf(a) - lackOf(b));
  return { fitting, nearest };
}

function layersWithWeights(graph: LayerGraph): readonly LayerWithWeights[] {
  return graph.layers.flatMap((layer, index) => {
    const specs = graph.weights[index] ?? [];
    return specs.length === 0 ? [] : [{ name: layer.name, kerasClass: KERAS_CLASSES[layer.kind] ?? '', specs }];
  });
}

function matchByName(wanted: readonly LayerWithWeights[], { path, layers }: FileModel): Match {
  const byName = new Map<string | null, FileLayer>();
  const names = new Set(wanted.map(({ name }) => name));
  for (const layer of layers) {
    const other = byName.get(layer.name);
    if (other !== undefined && layer.name !== null && names.has(layer.name)) {
      throw new AmbiguousLayerError(`${other.path} and ${layer.path} are both named "${layer.name}"`);
    }
    byName.set(layer.name, layer);
  }
  return matchOf(path, wanted, layers, ({ name }) => byName.get(name) ?? null);
}

/** Names changed between Keras' versions: its own loader of legacy files goes by order. */
function matchByOrder(wanted: readonly LayerWithWeights[], { path, layers }: FileModel): readonly Match[] {
  if (layers.length !== wanted.length || layers.some(({ key }) => key !== null)) return [];
  const positions = new Map(wanted.map(({ name }, index) => [name, index]));
  // A name that is right in another place tells a file of another order from one with other names.
  const isOrder = layers.every(({ name }, index) => {
    return name === null || MADE_UP_NAME.test(name) || (positions.get(name) ?? index) === index;
  });
  const isWhole = wanted.every(({ specs }, index) => layers[index]?.tensors.length === specs.length);
  return isOrder && isWhole ? [matchOf(path, wanted, layers, (_, index) => layers[index] ?? null)] : [];
}

/**
 * Matches by class and number, as Keras 3 loads its files. If the model has more layers of a class, the base's may be
 * the first or the last of them.
 */
function matchByNumber(wanted: readonly LayerWithWeights[], { path, layers }: FileModel): readonly Match[] {
  const saysNames = layers.some(({ name }) => name !== null);
  if (saysNames && layers.length !== wanted.length) return [];
  const byKey = new Map(layers.map((layer) => [layer.key, layer]));
  const match = (isLast: boolean): Match => {
    const numbers = new Map<string, number>();
    const offset = (kerasClass: string): number =>
      isLast ? countOf(layers, kerasClass) - wanted.filter((layer) => layer.kerasClass === kerasClass).length : 0;
    return matchOf(path, wanted, layers, ({ kerasClass }) => {
      const number = numbers.get(kerasClass) ?? Math.max(0, offset(kerasClass));
      numbers.set(kerasClass, number + 1);
      return byKey.get(number === 0 ? kerasClass : `${kerasClass}_${number}`) ?? null;
    });
  };
  const first = match(false);
  const last = match(true);
  const isSame = first.layers.every(({ found }, index) => found === last.layers[index]?.found);
  if (isSame) return [first];
  return [first, last].map((own) => ({ ...own, place: endsOf(own) }));
}

function countOf(layers: readonly FileLayer[], kerasClass: string): number {
  return layers.filter(({ key }) => key?.replace(/_\d+$/, '') === kerasClass).length;
}

function endsOf({ place, layers }: Match): string {
  return `${layers[0]?.found?.path ?? place} to ${layers.at(-1)?.found?.path ?? place}`;
}

function matchOf(
  place: string,
  wanted: readonly LayerWithWeights[],
  layers: readonly FileLayer[],
  find: (layer: LayerWithWeights, index: number) => FileLayer | null,
): Match {
  const pairs = wanted.map((layer, index) => ({ wanted: layer, found: find(layer, index) }));
  return { place, layers: pairs, layerCount: layers.length };
}

/** Returns the layer's tensors in Keras' order: by role if the file names the roles, else in file order. */
export function tensorsInOrder(specs: readonly WeightSpec[], { tensors }: FileLayer): readonly (StoredTensor | null)[] {
  const byRole = specs.map((spec) => tensors.filter(({ role }) => role !== null && isRole(spec, role)));
  if (byRole.every((own) => own.length === 1)) return byRole.map(([own]) => own?.stored ?? null);
  return specs.map((_, position): StoredTensor | null => tensors[position]?.stored ?? null);
}

/** Keras 2 called a depthwise kernel by its whole name. */
function isRole({ role }: WeightSpec, name: string): boolean {
  return name === role || (role === 'kernel' && name === 'depthwise_kernel');
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

function isFitting(match: Match): boolean {
  return lackOf(match) === 0;
}

/** Returns the difference; missing layers count more than those of another shape. */
function lackOf({ layers }: Match): number {
  return layers.reduce((sum, { wanted, found }) => {
    if (found === null) return sum + 1000;
    const tensors = tensorsInOrder(wanted.specs, found);
    if (found.tensors.length > wanted.specs.length) return sum + 1;
    const isWhole = wanted.specs.every(({ shape }, index) => sameShape(tensors[index]?.shape ?? [-1], shape));
    return sum + (isWhole ? 0 : 1);
  }, 0);
}
