/**
 * Reads the tensors of a file in PyTorch's legacy format (torch.save before 1.6): a magic number, a protocol number and
 * facts of the writing system, each a pickle; the pickled state dict, whose tensors name their storages by persistent
 * ids; the pickled list of storage keys; then each storage's length and raw little-endian numbers.
 *
 * A pickle is a program, and loading a foreign one with Python runs what it says. This interpreter knows the opcodes and
 * the four globals that a dictionary of tensors needs, builds plain data from them and refuses everything else.
 */

/** The file is not a dictionary of tensors in the legacy format, or asks for something that is not allowed. */
export class TorchFormatError extends Error {
  /**
   * @param {string} message
   * @param {number} position of the offending byte
   */
  constructor(message, position) {
    super(`${message} (at byte ${position})`);
    this.name = 'TorchFormatError';
    this.position = position;
  }
}

/**
 * A tensor as stored: element (i, j, …) is `storage[offset + i * strides[0] + j * strides[1] + …]`.
 *
 * @typedef {{ shape: number[], strides: number[], offset: number, storage: Float32Array | BigInt64Array }} StoredTensor
 */

const MAGIC_NUMBER = 0x1950a86a20f9469cfc6cn;
const PROTOCOL_VERSION = 1001;

/** @type {Readonly<Record<string, { bytes: number, view: (buffer: ArrayBuffer) => Float32Array | BigInt64Array }>>} */
const storageTypes = {
  'torch.FloatStorage': { bytes: 4, view: (buffer) => new Float32Array(buffer) },
  'torch.LongStorage': { bytes: 8, view: (buffer) => new BigInt64Array(buffer) },
};
const allowedGlobals = ['collections.OrderedDict', 'torch._utils._rebuild_tensor_v2', ...Object.keys(storageTypes)];

const MARK = Symbol('mark');

class Global {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }
}

class Storage {
  /**
   * @param {string} type
   * @param {string} key
   * @param {number} length
   */
  constructor(type, key, length) {
    this.type = type;
    this.key = key;
    this.length = length;
    /** @type {Float32Array | BigInt64Array | undefined} filled from the end of the file */
    this.data = undefined;
  }
}

class Tensor {
  /**
   * @param {Storage} storage
   * @param {number} offset
   * @param {number[]} shape
   * @param {number[]} strides
   */
  constructor(storage, offset, shape, strides) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/**
 * @param {Uint8Array} bytes the whole file
 * @returns {Map<string, StoredTensor>} in the order of the file
 * @throws {TorchFormatError}
 */
export function readTorchTensors(bytes) {
  const reader = new Reader(bytes);
  /** @type {Map<string, Storage>} */
  const storages = new Map();
  const magic = unpickle(reader, storages);
  if (magic !== MAGIC_NUMBER) throw new TorchFormatError('not a file of the legacy torch format', 0);
  const protocol = unpickle(reader, storages);
  if (protocol !== PROTOCOL_VERSION)
    throw new TorchFormatError(`torch protocol ${String(protocol)} is not 1001`, reader.position);
  const system = unpickle(reader, storages);
  if (!(system instanceof Map) || system.get('little_endian') !== true) {
    throw new TorchFormatError('the file was not written on a little-endian machine', reader.position);
  }
  const state = unpickle(reader, storages);
  if (!(state instanceof Map)) throw new TorchFormatError('the file holds no dictionary', reader.position);
  const keys = unpickle(reader, storages);
  if (!Array.isArray(keys)) throw new TorchFormatError('the list of storages is missing', reader.position);
  for (const key of keys) readStorage(reader, storages, key);
  return collectTensors(state, reader.position);
}

/**
 * @param {Map<unknown, unknown>} state
 * @param {number} position
 */
function collectTensors(state, position) {
  /** @type {Map<string, StoredTensor>} */
  const tensors = new Map();
  for (const [name, value] of state) {
    if (typeof name !== 'string' || !(value instanceof Tensor)) {
      throw new TorchFormatError(`the entry ${String(name)} is no tensor`, position);
    }
    const { storage, offset, shape, strides } = value;
    if (storage.data === undefined) throw new TorchFormatError(`the storage of ${name} is missing`, position);
    const last = shape.includes(0)
      ? 0
      : shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), offset);
    if (last >= storage.length && !shape.includes(0)) {
      throw new TorchFormatError(`${name} reaches beyond its storage of ${storage.length} numbers`, position);
    }
    tensors.set(name, { shape, strides, offset, storage: storage.data });
  }
  return tensors;
}

/**
 * @param {Reader} reader
 * @param {Map<string, Storage>} storages
 * @param {unknown} key
 */
function readStorage(reader, storages, key) {
  const storage = storages.get(String(key));
  const type = storage === undefined ? undefined : storageTypes[storage.type];
  if (storage === undefined || type === undefined) {
    throw new TorchFormatError(`the storage ${String(key)} belongs to no tensor`, reader.position);
  }
  const length = Number(reader.view(8).getBigInt64(0, true));
  if (length !== storage.length) {
    throw new TorchFormatError(
      `the storage ${storage.key} has ${length} numbers instead of ${storage.length}`,
      reader.position,
    );
  }
  const raw = reader.take(length * type.bytes);
  // A copy of its own: the numbers need not be aligned in the file.
  storage.data = type.view(/** @type {ArrayBuffer} */ (new Uint8Array(raw).buffer));
}

class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.position = 0;
  }

  /** @param {number} count */
  take(count) {
    const end = this.position + count;
    if (!(count >= 0) || end > this.bytes.length) {
      throw new TorchFormatError(`the file ends where ${count} more bytes should be`, this.position);
    }
    const part = this.bytes.subarray(this.position, end);
    this.position = end;
    return part;
  }

  /** @param {number} count */
  view(count) {
    const part = this.take(count);
    return new DataView(part.buffer, part.byteOffset, count);
  }

  line() {
    const end = this.bytes.indexOf(10, this.position);
    if (end < 0) throw new TorchFormatError('a line has no end', this.position);
    const text = Buffer.from(this.take(end - this.position)).toString('latin1');
    this.position += 1;
    return text;
  }
}

/**
 * @typedef {object} Machine
 * @property {Reader} reader
 * @property {unknown[]} stack
 * @property {Map<number, unknown>} memo
 * @property {Map<string, Storage>} storages
 */

/**
 * The opcodes that a dictionary of tensors needs, of Python's pickletools.
 *
 * @type {Readonly<Record<number, (machine: Machine) => void>>}
 */
const opcodes = {
  0x80: ({ reader }) => void reader.take(1), // PROTO
  0x28: ({ stack }) => void stack.push(MARK), // MARK
  0x4e: ({ stack }) => void stack.push(null), // NONE
  0x88: ({ stack }) => void stack.push(true), // NEWTRUE
  0x89: ({ stack }) => void stack.push(false), // NEWFALSE
  0x4b: ({ reader, stack }) => void stack.push(reader.view(1).getUint8(0)), // BININT1
  0x4d: ({ reader, stack }) => void stack.push(reader.view(2).getUint16(0, true)), // BININT2
  0x4a: ({ reader, stack }) => void stack.push(reader.view(4).getInt32(0, true)), // BININT
  0x8a: ({ reader, stack }) => void stack.push(readLong(reader)), // LONG1
  0x58: ({ reader, stack }) => {
    const length = reader.view(4).getUint32(0, true); // BINUNICODE
    stack.push(Buffer.from(reader.take(length)).toString('utf8'));
  },
  0x7d: ({ stack }) => void stack.push(new Map()), // EMPTY_DICT
  0x5d: ({ stack }) => void stack.push([]), // EMPTY_LIST
  0x29: ({ stack }) => void stack.push([]), // EMPTY_TUPLE
  0x74: (machine) => void machine.stack.push(popToMark(machine)), // TUPLE
  0x85: (machine) => void machine.stack.push([pop(machine)]), // TUPLE1
  0x86: (machine) => void machine.stack.push([pop(machine), pop(machine)].reverse()), // TUPLE2
  0x71: (machine) => void machine.memo.set(machine.reader.view(1).getUint8(0), top(machine)), // BINPUT
  0x72: (machine) => void machine.memo.set(machine.reader.view(4).getUint32(0, true), top(machine)), // LONG_BINPUT
  0x68: (machine) => recall(machine, machine.reader.view(1).getUint8(0)), // BINGET
  0x6a: (machine) => recall(machine, machine.reader.view(4).getUint32(0, true)), // LONG_BINGET
  0x65: (machine) => {
    const items = popToMark(machine); // APPENDS
    list(machine).push(...items);
  },
  0x73: (machine) => {
    const value = pop(machine); // SETITEM
    const key = pop(machine);
    dictionary(machine).set(key, value);
  },
  0x75: (machine) => {
    const items = popToMark(machine); // SETITEMS
    const target = dictionary(machine);
    for (let index = 0; index + 1 < items.length; index += 2) target.set(items[index], items[index + 1]);
  },
  0x63: ({ reader, stack }) => {
    const start = reader.position - 1; // GLOBAL
    const name = `${reader.line()}.${reader.line()}`;
    if (!allowedGlobals.includes(name)) {
      throw new TorchFormatError(
        `the file asks for ${name}, which is no part of a dictionary of tensors: refused`,
        start,
      );
    }
    stack.push(new Global(name));
  },
  0x51: (machine) => void machine.stack.push(storageOf(machine, pop(machine))), // BINPERSID
  0x52: (machine) => {
    const args = pop(machine); // REDUCE
    machine.stack.push(call(machine, pop(machine), args));
  },
  0x62: (machine) => {
    pop(machine); // BUILD: the dictionary's attribute _metadata, which is not needed
    dictionary(machine);
  },
};

const STOP = 0x2e;

/**
 * @param {Reader} reader
 * @param {Map<string, Storage>} storages
 * @returns {unknown}
 */
function unpickle(reader, storages) {
  /** @type {Machine} */
  const machine = { reader, stack: [], memo: new Map(), storages };
  for (;;) {
    const position = reader.position;
    const [code = 0] = reader.take(1);
    if (code === STOP) return pop(machine);
    const run = opcodes[code];
    if (run === undefined) {
      throw new TorchFormatError(`the pickle opcode 0x${code.toString(16).padStart(2, '0')} is not allowed`, position);
    }
    run(machine);
  }
}

/**
 * @param {Machine} machine
 * @param {unknown} callee
 * @param {unknown} args
 */
function call(machine, callee, args) {
  const name = callee instanceof Global ? callee.name : undefined;
  if (name === 'collections.OrderedDict' && Array.isArray(args) && args.length === 0) return new Map();
  if (name === 'torch._utils._rebuild_tensor_v2' && Array.isArray(args)) {
    const [storage, offset, shape, strides] = args;
    if (
      storage instanceof Storage &&
      isSize(offset) &&
      isSizes(shape) &&
      isSizes(strides) &&
      shape.length === strides.length
    ) {
      return new Tensor(storage, offset, shape, strides);
    }
  }
  throw new TorchFormatError(
    `a call of ${name ?? 'something that is no function'} with these arguments is not allowed`,
    machine.reader.position,
  );
}

/**
 * @param {Machine} machine
 * @param {unknown} id ('storage', type, key, device, number of elements, view)
 */
function storageOf(machine, id) {
  const [kind, type, key, , length] = Array.isArray(id) ? id : [];
  const isStorage = kind === 'storage' && type instanceof Global && type.name in storageTypes;
  if (!isStorage || typeof key !== 'string' || !isSize(length)) {
    throw new TorchFormatError('a persistent id names no storage', machine.reader.position);
  }
  const known = machine.storages.get(key) ?? new Storage(type.name, key, length);
  machine.storages.set(key, known);
  return known;
}

/**
 * @param {unknown} value
 * @returns {value is number}
 */
function isSize(value) {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}

/**
 * @param {unknown} value
 * @returns {value is number[]}
 */
function isSizes(value) {
  return Array.isArray(value) && value.every(isSize);
}

/** @param {Reader} reader */
function readLong(reader) {
  const bytes = reader.take(reader.view(1).getUint8(0));
  const value = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return BigInt.asIntN(bytes.length * 8, value);
}

/** @param {Machine} machine */
function pop({ stack, reader }) {
  if (stack.length === 0 || stack.at(-1) === MARK)
    throw new TorchFormatError('the pickle takes from an empty stack', reader.position);
  return stack.pop();
}

/** @param {Machine} machine */
function top({ stack, reader }) {
  if (stack.length === 0) throw new TorchFormatError('the pickle looks at an empty stack', reader.position);
  return stack.at(-1);
}

/** @param {Machine} machine */
function popToMark({ stack, reader }) {
  const mark = stack.lastIndexOf(MARK);
  if (mark < 0) throw new TorchFormatError('the pickle misses a mark', reader.position);
  const items = stack.splice(mark);
  items.shift();
  return items;
}

/**
 * @param {Machine} machine
 * @param {number} index
 */
function recall({ memo, stack, reader }, index) {
  if (!memo.has(index))
    throw new TorchFormatError(`the pickle recalls ${index}, which was not stored`, reader.position);
  stack.push(memo.get(index));
}

/** @param {Machine} machine */
function dictionary(machine) {
  const value = top(machine);
  if (!(value instanceof Map))
    throw new TorchFormatError('the pickle fills something that is no dictionary', machine.reader.position);
  return value;
}

/** @param {Machine} machine */
function list(machine) {
  const value = top(machine);
  if (!Array.isArray(value))
    throw new TorchFormatError('the pickle fills something that is no list', machine.reader.position);
  return value;
}
