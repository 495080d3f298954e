import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

/**
 * A tensor of a safetensors file (github.com/huggingface/safetensors, "Format"). The file has 8 bytes of little-endian length N,
 * N bytes of JSON `{name: {dtype, shape, data_offsets}, __metadata__: {string: string}}`, then the tensors' bytes, little-endian,
 * without gaps. Reading one never executes code. Graft stores float32 (`F32`), and feature sets also as float16 (`F16`).
 */
export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Values in row-major order; their number is the product of `shape`. */
  readonly values: Float32Array;
}

export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, NamedTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

export type SafetensorsDtype = 'F32' | 'F16';

export interface SafetensorsEntry<Dtype = SafetensorsDtype> {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Position of the first byte in the file. */
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface SafetensorsHeader<Dtype = SafetensorsDtype> {
  readonly entries: readonly SafetensorsEntry<Dtype>[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Thrown for a file that is not a safetensors file of Graft. */
export class SafetensorsError extends Error {
  override readonly name = 'SafetensorsError';
  readonly path: string;
  readonly problem: string;

  constructor(path: string, problem: string) {
    super(`${path} is not a safetensors file of Graft: ${problem}.`);
    this.path = path;
    this.problem = problem;
  }
}

/** Maximum header size of the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;
const FLOAT_BYTES = 4;
const DTYPE_BYTES: Readonly<Record<SafetensorsDtype, number>> = { F32: FLOAT_BYTES, F16: 2 };
const OWN_DTYPE_BYTES: ReadonlyMap<unknown, number> = new Map(Object.entries(DTYPE_BYTES));
/** All dtypes of the format, with bytes per value. */
const FORMAT_DTYPE_BYTES: ReadonlyMap<unknown, number> = new Map([
  ...['F64', 'I64', 'U64'].map((dtype) => [dtype, 8] as const),
  ...['F32', 'I32', 'U32'].map((dtype) => [dtype, 4] as const),
  ...['F16', 'BF16', 'I16', 'U16'].map((dtype) => [dtype, 2] as const),
  ...['F8_E4M3', 'F8_E5M2', 'I8', 'U8', 'BOOL'].map((dtype) => [dtype, 1] as const),
]);
const READ_BYTES = 1 << 30;

/**
 * Encodes the header of a file for tensors, whose values must follow in the same order. The default dtype is float32.
 *
 * @throws {RangeError} when a name is used twice or is `__metadata__`.
 */
export function encodeSafetensorsHeader(
  tensors: readonly { readonly name: string; readonly shape: readonly number[]; readonly dtype?: SafetensorsDtype }[],
  metadata: Readonly<Record<string, string>>,
): Buffer {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const { name, shape, dtype = 'F32' } of tensors) {
    if (Object.hasOwn(header, name)) throw new RangeError(`A safetensors file can't hold two tensors named ${name}.`);
    const end = offset + elementCount(shape) * DTYPE_BYTES[dtype];
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Spaces after the JSON align the tensors to eight bytes, so that the file can be memory-mapped.
  const paddedLength = Math.ceil(json.length / 8) * 8;
  const head = Buffer.alloc(8 + paddedLength, ' ');
  head.writeBigUInt64LE(BigInt(paddedLength), 0);
  json.copy(head, 8);
  return head;
}

/**
 * The bytes of a safetensors file in parts, without copying the values.
 *
 * @throws {RangeError} when a tensor's values do not fill its shape
 */
export function encodeSafetensors(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>>,
): readonly Uint8Array[] {
  for (const { name, shape, values } of tensors) {
    if (elementCount(shape) !== values.length) {
      throw new RangeError(`Tensor ${name} has ${values.length} values, but its shape is [${shape.join(', ')}].`);
    }
  }
  return [encodeSafetensorsHeader(tensors, metadata), ...tensors.map(({ values }) => bytesOf(values))];
}

/** Reads a file. @throws {SafetensorsError} when it is damaged or has tensors of another dtype than float32. */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  await using file = await open(path, 'r');
  const { entries, metadata } = await readHeader(file, path);
  const tensors = new Map<string, NamedTensor>();
  for (const entry of entries) {
    if (entry.dtype !== 'F32') throw wrongDtype(path, entry.name, entry.dtype);
    const values = new Float32Array(entry.sizeBytes / FLOAT_BYTES);
    await readFully(file, path, bytesOf(values), entry.offset);
    tensors.set(entry.name, { name: entry.name, shape: entry.shape, values });
  }
  return { tensors, metadata };
}

/** Reads names, shapes and positions, without the values. @throws {SafetensorsError} */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  await using file = await open(path, 'r');
  // Without `await` the file would be closed before it is read.
  return await readHeader(file, path);
}

/** Reads the header of a file of another program, with any dtype of the format. @throws {SafetensorsError} */
export async function readForeignHeader(path: string): Promise<SafetensorsHeader<string>> {
  await using file = await open(path, 'r');
  return await readRawHeader(file, path, FORMAT_DTYPE_BYTES);
}

/** Reads the bytes of one tensor, little-endian. @throws {SafetensorsError} */
export async function readTensorBytes(
  path: string,
  { offset, sizeBytes }: Pick<SafetensorsEntry, 'offset' | 'sizeBytes'>,
): Promise<Uint8Array> {
  await using file = await open(path, 'r');
  const bytes = new Uint8Array(sizeBytes);
  await readFully(file, path, bytes, offset);
  return bytes;
}

async function readHeader(file: FileHandle, path: string): Promise<SafetensorsHeader> {
  const { entries, metadata } = await readRawHeader(file, path, OWN_DTYPE_BYTES);
  const own = entries.map(({ dtype, ...entry }): SafetensorsEntry => {
    if (dtype === 'F32' || dtype === 'F16') return { ...entry, dtype };
    throw wrongDtype(path, entry.name, dtype);
  });
  return { entries: own, metadata };
}

async function readRawHeader(
  file: FileHandle,
  path: string,
  dtypes: ReadonlyMap<unknown, number>,
): Promise<SafetensorsHeader<string>> {
  const fileSize = (await file.stat()).size;
  if (fileSize < 8)
    throw new SafetensorsError(path, `it has ${fileSize} bytes, but the length of the header alone takes 8`);
  const lengthBytes = new Uint8Array(8);
  await readFully(file, path, lengthBytes, 0);
  const headerLength = Number(new DataView(lengthBytes.buffer).getBigUint64(0, true));
  if (headerLength > MAX_HEADER_BYTES || headerLength > fileSize - 8) {
    throw new SafetensorsError(path, `its header length is ${headerLength} bytes, but the file has ${fileSize}`);
  }
  const json = new Uint8Array(headerLength);
  await readFully(file, path, json, 8);
  return parseHeader(path, json, { dtypes, dataStart: 8 + headerLength, fileSize });
}

interface HeaderContext {
  /** Bytes per value of the accepted dtypes. */
  readonly dtypes: ReadonlyMap<unknown, number>;
  readonly dataStart: number;
  readonly fileSize: number;
}

function parseHeader(path: string, json: Uint8Array, context: HeaderContext): SafetensorsHeader<string> {
  const { dataStart, fileSize } = context;
  const header = parseJsonObject(path, json);
  const entries: SafetensorsEntry<string>[] = [];
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = parseMetadata(path, value);
    else entries.push(parseEntry(path, name, value, context));
  }
  entries.sort((a, b) => a.offset - b.offset || a.sizeBytes - b.sizeBytes);
  let expected = dataStart;
  for (const { name, offset, sizeBytes } of entries) {
    if (offset !== expected) {
      throw new SafetensorsError(path, `tensor ${name} begins at byte ${offset} instead of ${expected}`);
    }
    expected += sizeBytes;
  }
  if (expected !== fileSize) {
    throw new SafetensorsError(
      path,
      `its tensors end at byte ${expected}, but the file has ${fileSize}: it was truncated or extended`,
    );
  }
  return { entries, metadata };
}

function parseJsonObject(path: string, json: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const header: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
    if (isRecord(header)) return header;
  } catch {
    // The error below reports it.
  }
  throw new SafetensorsError(path, 'its header is not a JSON object');
}

function parseMetadata(path: string, value: unknown): Readonly<Record<string, string>> {
  if (!isRecord(value)) throw new SafetensorsError(path, '__metadata__ is not an object of strings');
  const metadata: Record<string, string> = {};
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry !== 'string') throw new SafetensorsError(path, `__metadata__.${key} is not a string`);
    metadata[key] = entry;
  }
  return metadata;
}

function parseEntry(
  path: string,
  name: string,
  value: unknown,
  { dtypes, dataStart }: HeaderContext,
): SafetensorsEntry<string> {
  const entry = isRecord(value) ? value : {};
  const shape = entry['shape'];
  const offsets = entry['data_offsets'];
  const dtype = entry['dtype'];
  const bytes = dtypes.get(dtype);
  if (typeof dtype !== 'string' || bytes === undefined) throw wrongDtype(path, name, dtype);
  if (!isCountList(shape)) throw new SafetensorsError(path, `tensor ${name} has no valid shape`);
  if (!isCountList(offsets) || offsets.length !== 2) {
    throw new SafetensorsError(path, `tensor ${name} has no valid data_offsets`);
  }
  const [begin = 0, end = 0] = offsets;
  if (end - begin !== elementCount(shape) * bytes) {
    throw new SafetensorsError(path, `tensor ${name} of shape [${shape.join(', ')}] has ${end - begin} bytes`);
  }
  return { name, dtype, shape, offset: dataStart + begin, sizeBytes: end - begin };
}

function wrongDtype(path: string, name: string, dtype: unknown): SafetensorsError {
  return new SafetensorsError(path, `tensor ${name} has dtype ${JSON.stringify(dtype)}; only "F32" is supported`);
}

async function readFully(file: FileHandle, path: string, target: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const { bytesRead } = await file.read(target, done, Math.min(target.length - done, READ_BYTES), position + done);
    if (bytesRead === 0)
      throw new SafetensorsError(path, `it ends at byte ${position + done}, in the middle of a tensor`);
    done += bytesRead;
  }
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCountList(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && Number(size) >= 0);
}
