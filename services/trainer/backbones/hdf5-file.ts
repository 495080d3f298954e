import { closeSync, openSync, readSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { File, Group, ready } from 'h5wasm/node';
import type { Metadata } from 'h5wasm/node';
import { fileError, lookalikeHint } from './weight-file-error.ts';
import type { WeightSource } from './weight-file-error.ts';

type H5Module = Awaited<typeof ready>;

/** A dataset as its header describes it; its values are not read. */
export interface StoredTensor {
  /** Path inside the HDF5 file, from the root. */
  readonly path: string;
  readonly shape: readonly number[];
  readonly metadata: Metadata;
}

/** `\x89HDF\r\n\x1a\n`. h5wasm itself gives a broken handle for other files. */
const HDF5_SIGNATURE = Buffer.from('894844460d0a1a0a', 'hex');

const SCAN_BYTES = 1 << 22;

/**
 * An HDF5 file, of which only hard links are followed: what lies elsewhere is not covered by the digest of the weights.
 * h5wasm reports no failed read by itself, so every status is checked here.
 */
export class Hdf5File implements Disposable {
  readonly source: WeightSource;
  readonly sizeBytes: number;
  readonly #module: H5Module;
  readonly #file: File;
  readonly #path: string;
  readonly #children = new Map<string, ReadonlySet<string>>();
  readonly #contains = new Map<Buffer, boolean>();

  private constructor(source: WeightSource, path: string, sizeBytes: number, module: H5Module, file: File) {
    this.source = source;
    this.sizeBytes = sizeBytes;
    this.#path = path;
    this.#module = module;
    this.#file = file;
  }

  /** @throws BackboneError for a file that is not HDF5 or that the library can't open. */
  static async open(path: string, source: WeightSource): Promise<Hdf5File> {
    const module = await ready;
    const signature = Buffer.alloc(HDF5_SIGNATURE.length);
    {
      await using file = await open(path, 'r');
      await file.read(signature, 0, signature.length, 0);
    }
    if (!signature.equals(HDF5_SIGNATURE)) {
      throw fileError(source, `it is not an HDF5 file${await lookalikeHint(path)}`);
    }
    const { size } = await stat(path);
    const file = new File(path, 'r');
    // A file that the library refuses has a negative number.
    if (file.file_id < 0n) throw fileError(source, 'it is truncated or damaged. Download it again');
    return new Hdf5File(source, path, size, module, file);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  /** Names of what a group holds. */
  children(group: string): ReadonlySet<string> {
    const known = this.#children.get(group);
    if (known !== undefined) return known;
    const found = new Set(this.#module.get_names(this.#file.file_id, group, false));
    this.#children.set(group, found);
    return found;
  }

  /** The group above must exist. @throws BackboneError for a link to elsewhere. */
  kindOf(path: string): 'group' | 'dataset' | null {
    // The library prints an error for whatever is asked about and isn't there.
    const slash = path.lastIndexOf('/');
    if (!this.children(slash === 0 ? '/' : path.slice(0, slash)).has(path.slice(slash + 1))) return null;
    const id = this.#file.file_id;
    // Declared to be strings always; null and undefined where the object is no such link.
    const soft: unknown = this.#module.get_symbolic_link(id, path);
    const external: unknown = this.#module.get_external_link(id, path).filename;
    const target = soft ?? external;
    if (typeof target === 'string') {
      throw fileError(
        this.source,
        `${path} is a link to ${target}. Only what lies in the file itself is read: save the weights again with Keras`,
      );
    }
    const type = this.#module.get_type(id, path);
    if (type === this.#module.H5G_GROUP) return 'group';
    return type === this.#module.H5G_DATASET ? 'dataset' : null;
  }

  /**
   * Finds a dataset below a group, each part of its path on its own; null where there is none.
   *
   * @throws BackboneError for a link, or when the header can't be read.
   */
  tensor(group: string, name: string): StoredTensor | null {
    const path = joinPath(group, name);
    const parts = path.slice(1).split('/');
    for (const index of parts.keys()) {
      const kind = this.kindOf(`/${parts.slice(0, index + 1).join('/')}`);
      if (kind !== (index === parts.length - 1 ? 'dataset' : 'group')) return null;
    }
    const metadata = this.#module.get_dataset_metadata(this.#file.file_id, path);
    return metadata.shape === null ? null : { path, shape: metadata.shape, metadata };
  }

  /** Strings of an attribute; null: the object has no such attribute. */
  strings(path: string, name: string): readonly string[] | null {
    const attribute = new Group(this.#file.file_id, path).attrs[name];
    if (attribute === undefined) return null;
    const { size, total_size: count } = attribute.metadata;
    if (size * count > this.sizeBytes) {
      throw fileError(this.source, `${path} has an attribute ${name} of ${size * count} bytes, more than the file has`);
    }
    const value: unknown = attribute.value;
    if (typeof value === 'string') return [value];
    return Array.isArray(value) ? value.map(String) : [];
  }

  filters(tensor: StoredTensor): ReturnType<H5Module['get_dataset_filters']> {
    return this.#module.get_dataset_filters(this.#file.file_id, tensor.path);
  }

  /** Tells whether the bytes stand anywhere in the file. */
  contains(bytes: Buffer): boolean {
    const known = this.#contains.get(bytes);
    if (known !== undefined) return known;
    const found = fileContains(this.#path, bytes);
    this.#contains.set(bytes, found);
    return found;
  }

  /**
   * Reads a dataset's bytes, little-endian. The caller has compared its shape with what it expects: what a header declares
   * may be of any size.
   *
   * @returns null when the library can't read them.
   */
  bytes({ path, metadata }: StoredTensor): Uint8Array | null {
    const byteCount = metadata.size * metadata.total_size;
    const address = this.#module._malloc(byteCount);
    if (address === 0) throw new RangeError(`Array buffer allocation failed: ${byteCount} bytes of ${path}`);
    try {
      const status = this.#module.get_dataset_data(this.#file.file_id, path, null, null, null, BigInt(address));
      return status < 0 ? null : this.#module.HEAPU8.slice(address, address + byteCount);
    } finally {
      this.#module._free(address);
    }
  }
}

export function joinPath(group: string, name: string): string {
  return `${group}/${name}`.replaceAll(/\/+/g, '/');
}

function fileContains(path: string, wanted: Buffer): boolean {
  const window = Buffer.alloc(SCAN_BYTES);
  const file = openSync(path, 'r');
  try {
    for (let position = 0; ; position += SCAN_BYTES - wanted.length) {
      const length = readSync(file, window, 0, SCAN_BYTES, position);
      if (window.subarray(0, length).includes(wanted)) return true;
      if (length < SCAN_BYTES) return false;
    }
  } finally {
    closeSync(file);
  }
}
