import { joinPath } from './hdf5-file.ts';
import type { Hdf5File, StoredTensor } from './hdf5-file.ts';
import { fileError } from './weight-file-error.ts';

/** A tensor that a file lists for a layer. */
export interface FileTensor {
  /** `gamma`, as legacy files name it; null: the file says the position only. */
  readonly role: string | null;
  /** null: the file lists the tensor and lacks it. */
  readonly stored: StoredTensor | null;
}

/** The weights of one layer as a file has them. */
export interface FileLayer {
  /** null: Keras 3 before 3.12 or so stored no names. */
  readonly name: string | null;
  /** Its place in the file, for errors. */
  readonly path: string;
  /** `conv2d_3`, its class and its number among the layers of that class, in Keras 3's layout; else null. */
  readonly key: string | null;
  readonly tensors: readonly FileTensor[];
}

/** Layers with weights of one model in a file; a file holds several where models are nested. */
export interface FileModel {
  /** Its place in the file, for errors. */
  readonly path: string;
  readonly layers: readonly FileLayer[];
}

/** More than any model has; a group that contains itself would otherwise never end. */
const MAX_DEPTH = 32;
/** Models without weights of their own. */
const NOT_LAYERS: ReadonlySet<string> = new Set(['vars', 'optimizer', 'optimizer_weights']);

/** Models of a file in the legacy layout and in Keras 3's; empty: the file has another layout. */
export function readModels(file: Hdf5File): readonly FileModel[] {
  return [...legacyModels(file), ...numberedModels(file, '/', 0)];
}

/**
 * The legacy layout (`layer_names`, `weight_names`), of weights alone or of a whole model, layers in the file's order. A model
 * inside it is one entry of `layer_names`, with the weights of all its layers: those that are trained first, then the others.
 */
function legacyModels(file: Hdf5File): readonly FileModel[] {
  const root = file.kindOf('/model_weights') === 'group' ? '/model_weights' : '/';
  const entries = namesOf(file, root, 'layer_names').flatMap((name) => {
    const path = joinPath(root, name);
    if (file.kindOf(path) !== 'group') return [];
    const tensors = namesOf(file, path, 'weight_names').map((weight) => ({
      weight,
      role: baseName(weight).replace(/:\d+$/, ''),
      stored: file.tensor(path, weight),
    }));
    return tensors.length === 0 ? [] : [{ name, path, tensors }];
  });
  if (entries.length === 0) return [];
  const outer = { path: root, layers: entries.map((entry) => ({ ...entry, key: null })) };
  return [outer, ...entries.flatMap(({ path, tensors }) => nestedLegacyModels(path, tensors))];
}

/** Weights of a nested model are named `<layer>/<role>`, in some versions with the model's name before it. */
function nestedLegacyModels(
  path: string,
  tensors: readonly (FileTensor & { readonly weight: string })[],
): readonly FileModel[] {
  const models = new Map<string, Map<string, FileTensor[]>>();
  for (const tensor of tensors) {
    const layer = parentName(tensor.weight);
    const model = parentName(layer);
    const layers = models.get(model) ?? new Map<string, FileTensor[]>();
    models.set(model, layers);
    layers.set(layer, [...(layers.get(layer) ?? []), tensor]);
  }
  return [...models].flatMap(([model, layers]) => {
    // A single layer, whose weights have its own name in front.
    if (layers.size === 1) return [];
    return [
      {
        path: model === '' ? path : joinPath(path, model),
        layers: [...layers].map(([layer, own]) => ({
          name: baseName(layer),
          path: joinPath(path, layer),
          key: null,
          tensors: own,
        })),
      },
    ];
  });
}

/** Keras 3's layout: a group `vars` in each layer, and layers in the groups of models and wrappers, at any depth. */
function numberedModels(file: Hdf5File, path: string, depth: number): readonly FileModel[] {
  if (depth > MAX_DEPTH) throw fileError(file.source, `its groups are nested more than ${MAX_DEPTH} deep, at ${path}`);
  const layers: FileLayer[] = [];
  const inner: FileModel[] = [];
  for (const key of file.children(path)) {
    const child = joinPath(path, key);
    if (NOT_LAYERS.has(key) || file.kindOf(child) !== 'group') continue;
    const variables = joinPath(child, 'vars');
    const tensors = file.kindOf(variables) === 'group' ? numberedTensors(file, variables) : [];
    if (tensors.length > 0) {
      layers.push({ name: file.strings(variables, 'name')?.[0] ?? null, path: child, key, tensors });
    }
    inner.push(...numberedModels(file, child, depth + 1));
  }
  return layers.length === 0 ? inner : [{ path, layers }, ...inner];
}

function numberedTensors(file: Hdf5File, variables: string): readonly FileTensor[] {
  const numbers = [...file.children(variables)].filter((key) => /^\d{1,3}$/.test(key));
  const count = Math.max(-1, ...numbers.map(Number)) + 1;
  return Array.from({ length: count }, (_, number) => ({ role: null, stored: file.tensor(variables, String(number)) }));
}

/** Keras splits attributes that are too long for HDF5 into `<name>0`, `<name>1`, … */
function namesOf(file: Hdf5File, group: string, name: string): readonly string[] {
  const whole = file.strings(group, name);
  if (whole !== null) return whole;
  const parts: string[] = [];
  for (let index = 0; ; index++) {
    const part = file.strings(group, `${name}${index}`);
    if (part === null) return parts;
    parts.push(...part);
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function parentName(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
