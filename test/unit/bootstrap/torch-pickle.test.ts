import { describe, expect, it } from 'vitest';
import { arrangeTensor } from '../../../deploy/bootstrap/weights/arrange-tensor.js';
import { readTorchTensors, TorchFormatError } from '../../../deploy/bootstrap/weights/torch-pickle.js';

// Pickles are put together by hand here, opcode by opcode, as Python's pickletools would show them.
const u8 = (value: number): Buffer => Buffer.from([value]);
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const op = {
  proto: Buffer.from([0x80, 2]),
  mark: Buffer.from('('),
  emptyDict: Buffer.from('}'),
  emptyList: Buffer.from(']'),
  emptyTuple: Buffer.from(')'),
  tuple: Buffer.from('t'),
  tuple1: Buffer.from([0x85]),
  tuple2: Buffer.from([0x86]),
  reduce: Buffer.from('R'),
  persistentId: Buffer.from('Q'),
  setItems: Buffer.from('u'),
  appends: Buffer.from('e'),
  build: Buffer.from('b'),
  false: Buffer.from([0x89]),
  true: Buffer.from([0x88]),
  none: Buffer.from('N'),
  stop: Buffer.from('.'),
  int: (value: number): Buffer => Buffer.concat([Buffer.from('K'), u8(value)]),
  string: (text: string): Buffer => Buffer.concat([Buffer.from('X'), u32(Buffer.byteLength(text)), Buffer.from(text)]),
  global: (module: string, name: string): Buffer => Buffer.from(`c${module}\n${name}\n`),
  put: (index: number): Buffer => Buffer.concat([Buffer.from('q'), u8(index)]),
  get: (index: number): Buffer => Buffer.concat([Buffer.from('h'), u8(index)]),
};

const magic = Buffer.concat([
  op.proto,
  Buffer.from([0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]),
  op.stop,
]);
const protocol = Buffer.concat([op.proto, Buffer.from([0x4d, 0xe9, 0x03]), op.stop]);
const system = (littleEndian: boolean): Buffer =>
  Buffer.concat([
    op.proto,
    op.emptyDict,
    op.mark,
    op.string('little_endian'),
    littleEndian ? op.true : op.false,
    op.setItems,
    op.stop,
  ]);

interface TensorParts {
  readonly key: string;
  readonly type?: string;
  readonly elements: number;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

function tensor({ key, type = 'FloatStorage', elements, offset, shape, strides }: TensorParts): Buffer {
  const sizes = (values: readonly number[]): Buffer => Buffer.concat([op.mark, ...values.map(op.int), op.tuple]);
  return Buffer.concat([
    op.global('torch._utils', '_rebuild_tensor_v2'),
    op.mark,
    ...[op.mark, op.string('storage'), op.global('torch', type), op.string(key), op.string('cpu')],
    ...[op.int(elements), op.none, op.tuple, op.persistentId],
    op.int(offset),
    sizes(shape),
    sizes(strides),
    op.false,
    ...[op.global('collections', 'OrderedDict'), op.emptyTuple, op.reduce],
    op.tuple,
    op.reduce,
  ]);
}

function stateDict(entries: readonly (readonly [string, Buffer])[]): Buffer {
  return Buffer.concat([
    op.proto,
    ...[op.global('collections', 'OrderedDict'), op.emptyTuple, op.reduce, op.put(0)],
    op.mark,
    ...entries.flatMap(([name, value]) => [op.string(name), value]),
    op.setItems,
    // The attribute _metadata, as torch writes it.
    ...[op.emptyDict, op.mark, op.string('_metadata'), op.emptyDict, op.setItems, op.build],
    op.stop,
  ]);
}

function storageKeys(keys: readonly string[]): Buffer {
  return Buffer.concat([op.proto, op.emptyList, op.mark, ...keys.map(op.string), op.appends, op.stop]);
}

function floatStorage(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 + values.length * 4);
  bytes.writeBigInt64LE(BigInt(values.length));
  values.forEach((value, index) => bytes.writeFloatLE(value, 8 + index * 4));
  return bytes;
}

function longStorage(values: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(8 + values.length * 8);
  bytes.writeBigInt64LE(BigInt(values.length));
  values.forEach((value, index) => bytes.writeBigInt64LE(value, 8 + index * 8));
  return bytes;
}

function file(state: Buffer, keys: readonly string[], storages: readonly Buffer[], littleEndian = true): Buffer {
  return Buffer.concat([magic, protocol, system(littleEndian), state, storageKeys(keys), ...storages]);
}

const weight = tensor({ key: '7', elements: 6, offset: 0, shape: [2, 3], strides: [1, 2] });

describe('readTorchTensors', () => {
  it('reads tensors with their shapes, strides and offsets, of both types, also out of one storage', () => {
    const bias = tensor({ key: '7', elements: 6, offset: 4, shape: [2], strides: [1] });
    const count = tensor({ key: '9', type: 'LongStorage', elements: 1, offset: 0, shape: [], strides: [] });
    const bytes = file(
      stateDict([
        ['layer.weight', weight],
        ['layer.bias', bias],
        ['layer.num_batches_tracked', count],
      ]),
      ['7', '9'],
      [floatStorage([0, 1, 2, 3, 4, 5]), longStorage([-3n])],
    );
    const tensors = readTorchTensors(bytes);
    expect([...tensors.keys()]).toEqual(['layer.weight', 'layer.bias', 'layer.num_batches_tracked']);
    const storage = new Float32Array([0, 1, 2, 3, 4, 5]);
    expect(tensors.get('layer.weight')).toEqual({ shape: [2, 3], strides: [1, 2], offset: 0, storage });
    expect(tensors.get('layer.bias')).toEqual({ shape: [2], strides: [1], offset: 4, storage });
    expect(tensors.get('layer.num_batches_tracked')).toMatchObject({ shape: [], storage: new BigInt64Array([-3n]) });
  });

  it.each([
    ['posix', 'system'],
    ['builtins', 'eval'],
    ['__builtin__', 'getattr'],
    ['torch', 'DoubleStorage'],
    ['collections', 'defaultdict'],
  ])('refuses a file that asks for %s.%s, by name, before it is called', (module, name) => {
    const malicious = Buffer.concat([
      op.proto,
      op.global(module, name),
      ...[op.string('touch /tmp/owned'), op.tuple1, op.reduce, op.stop],
    ]);
    expect(() => readTorchTensors(file(malicious, [], []))).toThrow(TorchFormatError);
    expect(() => readTorchTensors(file(malicious, [], []))).toThrow(
      `the file asks for ${module}.${name}, which is no part`,
    );
  });

  it('refuses opcodes that a dictionary of tensors does not need', () => {
    // STACK_GLOBAL, the other way to name a function.
    const stackGlobal = Buffer.concat([op.proto, op.string('os'), op.string('system'), u8(0x93), op.stop]);
    expect(() => readTorchTensors(file(stackGlobal, [], []))).toThrow(/opcode 0x93 is not allowed/);
    // INST, the old way to call one.
    const inst = Buffer.concat([op.proto, op.mark, Buffer.from('ios\nsystem\n'), op.stop]);
    expect(() => readTorchTensors(file(inst, [], []))).toThrow(/opcode 0x69 is not allowed/);
  });

  it('refuses calls with other arguments than tensors have', () => {
    const call = Buffer.concat([
      op.proto,
      op.global('torch._utils', '_rebuild_tensor_v2'),
      ...[op.string('x'), op.tuple1, op.reduce, op.stop],
    ]);
    expect(() => readTorchTensors(file(call, [], []))).toThrow(/call of torch\._utils\._rebuild_tensor_v2/);
    const callOfString = Buffer.concat([op.proto, op.string('x'), op.emptyTuple, op.reduce, op.stop]);
    expect(() => readTorchTensors(file(callOfString, [], []))).toThrow(/something that is no function/);
  });

  it('refuses tensors that reach beyond their storage', () => {
    const tooFar = tensor({ key: '7', elements: 6, offset: 1, shape: [2, 3], strides: [1, 2] });
    const bytes = file(stateDict([['w', tooFar]]), ['7'], [floatStorage([0, 1, 2, 3, 4, 5])]);
    expect(() => readTorchTensors(bytes)).toThrow(/w reaches beyond its storage of 6 numbers/);
  });

  it('refuses files that are cut off, of another format, or with storages missing or of another length', () => {
    const state = stateDict([['w', weight]]);
    const whole = file(state, ['7'], [floatStorage([0, 1, 2, 3, 4, 5])]);
    expect(readTorchTensors(whole).size).toBe(1);
    for (const end of [0, 5, 40, 100, whole.length - 1]) {
      expect(() => readTorchTensors(whole.subarray(0, end))).toThrow(TorchFormatError);
    }
    expect(() => readTorchTensors(Buffer.from('PK\x03\x04 a zip file'))).toThrow(TorchFormatError);
    expect(() => readTorchTensors(file(state, [], []))).toThrow(/the storage of w is missing/);
    expect(() => readTorchTensors(file(state, ['7'], [floatStorage([0, 1])]))).toThrow(/has 2 numbers instead of 6/);
    expect(() => readTorchTensors(file(state, ['8'], [floatStorage([0, 1])]))).toThrow(/8 belongs to no tensor/);
    expect(() => readTorchTensors(file(state, ['7'], [], false))).toThrow(/little-endian/);
  });

  it('refuses a pickle that is not made of tensors only', () => {
    expect(() => readTorchTensors(file(stateDict([['w', op.string('text')]]), [], []))).toThrow(
      /the entry w is no tensor/,
    );
    const unbalanced = Buffer.concat([op.proto, op.reduce, op.stop]);
    expect(() => readTorchTensors(file(unbalanced, [], []))).toThrow(/empty stack/);
    const unknownMemo = Buffer.concat([op.proto, op.get(9), op.stop]);
    expect(() => readTorchTensors(file(unknownMemo, [], []))).toThrow(/recalls 9/);
  });
});

describe('arrangeTensor', () => {
  it('honours strides and offset and rearranges axes', () => {
    const storage = new Float32Array([9, 0, 1, 2, 3, 4, 5]);
    const columnMajor = { shape: [2, 3], strides: [1, 2], offset: 1, storage };
    expect(arrangeTensor(columnMajor, [0, 1])).toEqual({ shape: [2, 3], data: new Float32Array([0, 2, 4, 1, 3, 5]) });
    expect(arrangeTensor(columnMajor, [1, 0])).toEqual({ shape: [3, 2], data: new Float32Array([0, 1, 2, 3, 4, 5]) });
  });

  it('puts a convolution of torch (out, in, height, width) into the order of TensorFlow', () => {
    const [out, inputs, height, width] = [2, 3, 4, 5] as const;
    const storage = Float32Array.from({ length: 120 }, (_, index) => index);
    const { shape, data } = arrangeTensor(
      { shape: [out, inputs, height, width], strides: [60, 20, 5, 1], offset: 0, storage },
      [2, 3, 1, 0],
    );
    expect(shape).toEqual([height, width, inputs, out]);
    // Element (h 3, w 4, in 2, out 1) of the result is element (1, 2, 3, 4) of the source.
    expect(data[((3 * width + 4) * inputs + 2) * out + 1]).toBe(1 * 60 + 2 * 20 + 3 * 5 + 4);
  });

  it('refuses integers', () => {
    const storage = new BigInt64Array([1n]);
    expect(() => arrangeTensor({ shape: [1], strides: [1], offset: 0, storage }, [0])).toThrow(/float32/);
  });
});
