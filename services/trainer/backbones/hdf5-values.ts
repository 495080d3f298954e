import type { Hdf5File, StoredTensor } from './hdf5-file.ts';
import type { WeightSpec } from '../../core/network/layer-shapes.ts';
import { FORMAT_BYTES, toFloat32, valueProblem } from './weight-values.ts';
import type { FloatFormat } from './weight-values.ts';

/** Filters of the HDF5 library itself that the build here has. */
const READABLE_FILTERS: ReadonlySet<number> = new Set([1, 2, 3]);
/** Registered numbers of filters that people use; a file need not say their names. */
const FILTER_NAMES: ReadonlyMap<number, string> = new Map([
  [4, 'szip'],
  [5, 'nbit'],
  [6, 'scale-offset'],
  [305, 'lzo'],
  [307, 'bzip2'],
  [32_000, 'lzf'],
  [32_001, 'blosc'],
  [32_004, 'lz4'],
  [32_008, 'bitshuffle'],
  [32_013, 'zfp'],
  [32_015, 'zstd'],
  [32_026, 'blosc2'],
]);

/** HDF5's numbers of type classes. */
const INTEGER = 0;
const FLOAT = 1;
const OPAQUE = 5;
const CLASS_NAMES = ['integer', 'float', 'time', 'string', 'bit field', 'opaque', 'compound', 'reference', 'enum'];

/**
 * Number formats as the header of a dataset describes them: size, bit offset, precision, place and size of exponent and
 * mantissa, exponent bias (HDF5 File Format Specification, "Datatype Message", class 1).
 */
const FLOAT_TYPES: Readonly<Record<FloatFormat, Buffer>> = {
  float16: Buffer.from('02000000000010000a05000a0f000000', 'hex'),
  bfloat16: Buffer.from('0200000000001000070800077f000000', 'hex'),
  float32: Buffer.from('0400000000002000170800177f000000', 'hex'),
  float64: Buffer.from('0800000000004000340b0034ff030000', 'hex'),
};

/** A chunk is unpacked as a whole. */
const MAX_CHUNK_BYTES = 1 << 28;

/**
 * Tells whether the file can hold what its headers declare: a dataset that was never written, or that lies in another file,
 * reads as zeros or as that file's bytes.
 */
export function storageProblem(file: Hdf5File, tensors: readonly StoredTensor[]): string | null {
  const plain = tensors.filter((tensor) => file.filters(tensor).length === 0);
  const declared = plain.reduce((sum, { metadata }) => sum + metadata.size * metadata.total_size, 0);
  if (declared <= file.sizeBytes) return null;
  return (
    `it declares ${declared} bytes of uncompressed weights, but the file has ${file.sizeBytes}: they were never written, ` +
    'or lie in another file'
  );
}

/**
 * Reads a tensor of the shape that the layer needs, as float32.
 *
 * @returns a string that completes "<tensor> …" when the values can't be read or used.
 */
export function readStoredTensor(file: Hdf5File, tensor: StoredTensor, spec: WeightSpec): Float32Array | string {
  const problem = headerProblem(file, tensor);
  if (problem !== null) return problem;
  const { type, size } = tensor.metadata;
  if (type === INTEGER && spec.role === 'count') return readCount(file, tensor);
  const format = floatFormat(file, tensor);
  if (format === null) {
    const name =
      type === INTEGER ? `integers of ${8 * size} bits` : `values of type ${CLASS_NAMES[type] ?? type}, ${size} bytes`;
    return `holds ${name}; float16, bfloat16, float32 and float64 are read. Save the weights as floating-point numbers`;
  }
  const bytes = file.bytes(tensor);
  if (bytes === null) return "can't be read: its data are damaged. Download the file again";
  const values = toFloat32(bytes, format);
  return valueProblem(spec, values) ?? values;
}

function headerProblem(file: Hdf5File, tensor: StoredTensor): string | null {
  const { chunks, size, virtual_sources: sources } = tensor.metadata;
  if (sources !== undefined) {
    return `is a view of data elsewhere (${sources.map(({ file_name: name }) => name).join(', ')}); save the values themselves`;
  }
  const filter = file.filters(tensor).find(({ id }) => !READABLE_FILTERS.has(id));
  if (filter !== undefined) {
    const name = FILTER_NAMES.get(filter.id) ?? (filter.name === '' ? 'unknown' : filter.name);
    return `is packed by the filter ${name} (${filter.id}), which can't be read here. Rewrite the file with gzip or without compression`;
  }
  const chunkBytes = (chunks ?? []).reduce((product, length) => product * length, size);
  return chunks !== null && chunkBytes > MAX_CHUNK_BYTES ? `is stored in chunks of ${chunkBytes} bytes` : null;
}

function floatFormat(file: Hdf5File, { path, metadata }: StoredTensor): FloatFormat | null {
  const { type, size } = metadata;
  // Keras writes bfloat16 so.
  const says = file.strings(path, 'dtype')?.[0] ?? null;
  if (size === 2 && says === 'bfloat16' && (type === OPAQUE || type === FLOAT)) return 'bfloat16';
  if (type !== FLOAT) return null;
  const known = (['float16', 'bfloat16', 'float32', 'float64'] as const).filter((format) => {
    return FORMAT_BYTES[format] === size && file.contains(FLOAT_TYPES[format]);
  });
  // h5wasm tells no more than the size; a file with both formats of two bytes leaves open which is which.
  return known.length === 1 ? (known[0] ?? null) : null;
}

/** The count of images that a Normalization layer has seen; nothing is computed from it. */
function readCount(file: Hdf5File, tensor: StoredTensor): Float32Array | string {
  const bytes = file.bytes(tensor);
  if (bytes === null) return "can't be read: its data are damaged. Download the file again";
  const { size } = tensor.metadata;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (size === 8) return Float32Array.of(Number(view.getBigInt64(0, true)));
  return size === 4 ? Float32Array.of(view.getInt32(0, true)) : `holds integers of ${8 * size} bits`;
}
