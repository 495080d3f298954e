import { Dataset, Group } from 'h5wasm/node';
import type { File } from 'h5wasm/node';
import type { WeightTensor } from './backbone.ts';

/** The weights of one layer as a file has them, in Keras' order; null where a tensor that the file speaks of is missing. */
export interface FileLayer {
  readonly name: string;
  readonly tensors: readonly (WeightTensor | null)[];
}

/** A layer of a Keras 3 file. */
export interface NumberedLayer {
  /** `conv2d_3`: its class and its number among the layers of that class. */
  readonly key: string;
  /** Files say it since Keras 3.12 or so. */
  readonly name: string | null;
  readonly tensors: readonly (WeightTensor | null)[];
}

/**
 * Layers with weights of the legacy layout (`layer_names`, `weight_names`), in the file's order; of weights alone or of a whole
 * model. null: the file has another layout.
 */
export function readLegacyLayers(file: File): readonly FileLayer[] | null {
  const model = file.get('model_weights');
  const root = model instanceof Group ? model : file;
  const names = attributeNames(root, 'layer_names');
  if (names.length === 0) return null;
  return names.flatMap((name) => {
    const group = root.get(name);
    if (!(group instanceof Group)) return [];
    const tensors = attributeNames(group, 'weight_names').map((weightName) => tensorAt(group, weightName));
    return tensors.length === 0 ? [] : [{ name, tensors }];
  });
}

/**
 * Layers with weights of Keras 3's layout (`layers/<class>_<number>/vars/<n>`): those of the model itself, then those of each
 * model inside it. Empty: the file has another layout.
 */
export function readNumberedLayers(file: File): readonly (readonly NumberedLayer[])[] {
  const root = file.get('layers');
  if (!(root instanceof Group)) return [];
  const inner = root.keys().map((key) => root.get(`${key}/layers`));
  return [root, ...inner].flatMap((group) => (group instanceof Group ? [numberedLayers(group)] : []));
}

function numberedLayers(group: Group): readonly NumberedLayer[] {
  return group.keys().flatMap((key) => {
    const variables = group.get(`${key}/vars`);
    if (!(variables instanceof Group)) return [];
    const tensors = numberedTensors(variables);
    const name: unknown = variables.attrs['name']?.value;
    return tensors.length === 0 ? [] : [{ key, name: typeof name === 'string' ? name : null, tensors }];
  });
}

function numberedTensors(variables: Group): readonly (WeightTensor | null)[] {
  const numbers = variables.keys().map(Number);
  const count = Math.max(-1, ...numbers) + 1;
  return Array.from({ length: count }, (_, number) =>
    numbers.includes(number) ? tensorAt(variables, String(number)) : null,
  );
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

function tensorAt(group: Group, name: string): WeightTensor | null {
  const dataset = group.get(name);
  if (!(dataset instanceof Dataset)) return null;
  const values = floats(dataset.value);
  return values === null ? null : { shape: dataset.shape ?? [], values };
}

/** The count of a normalisation layer is a whole number, and one number comes without an array. */
function floats(value: unknown): Float32Array | null {
  if (value instanceof Float32Array) return value;
  if (typeof value === 'number' || typeof value === 'bigint') return Float32Array.of(Number(value));
  if (value instanceof Float64Array || value instanceof Int32Array) return Float32Array.from(value);
  if (value instanceof BigInt64Array) return Float32Array.from(value, Number);
  return null;
}
