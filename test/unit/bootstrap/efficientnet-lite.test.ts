import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findPython } from '../../../deploy/bootstrap/pip.js';
import { repositoryRoot } from '../../../deploy/bootstrap/paths.js';

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

/** A convolution of torch, (out 2, in 1, height 1, width 3), stored by columns. */
const kernel = tensor({ key: '7', elements: 6, offset: 0, shape: [2, 1, 1, 3], strides: [1, 6, 6, 2] });

interface Header {
  readonly __metadata__?: Readonly<Record<string, string>>;
  readonly [name: string]: unknown;
}

const python = await findPython();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'graft-torch-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const LITE0 = '1,2,2,3,3,4,1';

/** Runs the converter and reads what it wrote. */
function convert(
  bytes: Buffer,
  repeats = LITE0,
): {
  readonly header: Header;
  readonly body: readonly number[];
  readonly padded: number;
} {
  const [source, target] = [join(folder, 'source.pth'), join(folder, 'target.safetensors')];
  writeFileSync(source, bytes);
  const script = join(repositoryRoot, 'deploy/bootstrap/weights/efficientnet_lite.py');
  execFileSync(python, [script, source, target, JSON.stringify({ note: 'Größe' }), repeats], { stdio: 'pipe' });
  const written = readFileSync(target);
  const length = Number(written.readBigUInt64LE(0));
  const values = written.subarray(8 + length);
  return {
    header: JSON.parse(written.subarray(8, 8 + length).toString('utf8')) as Header,
    body: Array.from({ length: values.length / 4 }, (_, index) => values.readFloatLE(4 * index)),
    padded: length,
  };
}

describe('efficientnet_lite.py', () => {
  it("writes safetensors with strides and offsets resolved and axes in TensorFlow's order", () => {
    const bias = tensor({ key: '7', elements: 6, offset: 4, shape: [2], strides: [1] });
    const count = tensor({ key: '9', type: 'LongStorage', elements: 1, offset: 0, shape: [], strides: [] });
    const bytes = file(
      stateDict([
        ['_conv_stem.weight', kernel],
        ['_bn0.bias', bias],
        ['_bn0.num_batches_tracked', count],
        ['_fc.weight', bias],
      ]),
      ['7', '9'],
      [floatStorage([0, 1, 2, 3, 4, 5]), longStorage([-3n])],
    );
    const { header, body, padded } = convert(bytes);
    expect(header).toEqual({
      __metadata__: { note: 'Größe' },
      'stem_conv/kernel': { dtype: 'F32', shape: [1, 3, 1, 2], data_offsets: [0, 24] },
      'stem_bn/beta': { dtype: 'F32', shape: [2], data_offsets: [24, 32] },
    });
    expect(padded % 8).toBe(0);
    expect(body).toEqual([0, 1, 2, 3, 4, 5, 4, 5]);
  });

  it('keeps the numbers of a depthwise kernel with their channels', () => {
    const depthwise = tensor({ key: '1', elements: 18, offset: 0, shape: [2, 1, 3, 3], strides: [9, 9, 3, 1] });
    const values = Array.from({ length: 18 }, (_, index) => index);
    const { header, body } = convert(
      file(stateDict([['_blocks.4._depthwise_conv.weight', depthwise]]), ['1'], [floatStorage(values)]),
    );
    expect(header['block3b_dwconv/kernel']).toMatchObject({ shape: [3, 3, 2, 1] });
    // (height 2, width 1, channel 1, 0) is (1, 0, 2, 1) of the source.
    expect(body[(2 * 3 + 1) * 2 + 1]).toBe(1 * 9 + 2 * 3 + 1);
  });

  it("names the blocks of a deeper network by its stages' lengths", () => {
    const one = tensor({ key: '7', elements: 2, offset: 0, shape: [2], strides: [1] });
    const state = stateDict([0, 3, 19, 20].map((block) => [`_blocks.${block}._bn1.weight`, one]));
    const { header } = convert(file(state, ['7'], [floatStorage([0, 1])]), '1,3,3,4,4,5,1');
    const names = Object.keys(header).filter((name) => name !== '__metadata__');
    expect(names).toEqual(['block1a_bn/gamma', 'block2c_bn/gamma', 'block6e_bn/gamma', 'block7a_bn/gamma']);
  });

  it.each([
    '_blocks.16._bn1.weight',
    '_blocks.0._se_reduce.weight',
    '_conv_stem.bias',
    'layer4.conv.weight',
    '_blocks.x',
  ])('refuses %s, which is no part of the network', (name) => {
    const one = tensor({ key: '7', elements: 2, offset: 0, shape: [2], strides: [1] });
    expect(() => convert(file(stateDict([[name, one]]), ['7'], [floatStorage([0, 1])]))).toThrow(
      name === '_blocks.x' ? /ValueError/ : `"${name}" is no tensor`,
    );
  });

  it.each([
    ['posix', 'system'],
    ['builtins', 'eval'],
    ['__builtin__', 'getattr'],
    ['torch', 'DoubleStorage'],
    ['collections', 'defaultdict'],
  ])('refuses a file that asks for %s.%s, by name, before it is called', (module, name) => {
    const mark = join(folder, 'owned');
    const malicious = Buffer.concat([
      op.proto,
      op.global(module, name),
      ...[op.string(`touch ${mark}`), op.tuple1, op.reduce, op.stop],
    ]);
    expect(() => convert(file(malicious, [], []))).toThrow(`the file asks for ${module}.${name}, which is no part`);
    expect(existsSync(mark)).toBe(false);
  });

  it('refuses the other opcodes that name a function', () => {
    const stackGlobal = Buffer.concat([op.proto, op.string('os'), op.string('system'), u8(0x93), op.stop]);
    expect(() => convert(file(stackGlobal, [], []))).toThrow(/the file asks for os\.system/);
    const inst = Buffer.concat([op.proto, op.mark, Buffer.from('ios\nsystem\n'), op.stop]);
    expect(() => convert(file(inst, [], []))).toThrow(/the file asks for os\.system/);
  });

  it('refuses calls with other arguments than tensors have', () => {
    const call = Buffer.concat([
      op.proto,
      op.global('torch._utils', '_rebuild_tensor_v2'),
      ...[op.string('x'), op.tuple1, op.reduce, op.stop],
    ]);
    expect(() => convert(file(call, [], []))).toThrow(/TypeError: .*missing 3 required positional arguments/);
    const callOfString = Buffer.concat([op.proto, op.string('x'), op.emptyTuple, op.reduce, op.stop]);
    expect(() => convert(file(callOfString, [], []))).toThrow(/TypeError: 'str' object is not callable/);
  });

  it('refuses tensors that reach beyond their storage, and integers where weights belong', () => {
    const tooFar = tensor({ key: '7', elements: 6, offset: 1, shape: [2, 3], strides: [1, 2] });
    const bytes = file(stateDict([['_bn0.bias', tooFar]]), ['7'], [floatStorage([0, 1, 2, 3, 4, 5])]);
    expect(() => convert(bytes)).toThrow(/leaves its storage of 6 numbers/);
    const integer = tensor({ key: '9', type: 'LongStorage', elements: 1, offset: 0, shape: [1], strides: [1] });
    expect(() => convert(file(stateDict([['_bn0.bias', integer]]), ['9'], [longStorage([1n])]))).toThrow(
      /_bn0\.bias holds no float32 numbers/,
    );
  });

  it('refuses files that are cut off, of another format, or with storages missing or of another length', () => {
    const state = stateDict([['_conv_stem.weight', kernel]]);
    const whole = file(state, ['7'], [floatStorage([0, 1, 2, 3, 4, 5])]);
    expect(convert(whole).body).toHaveLength(6);
    for (const end of [0, 5, 40, 100, whole.length - 1]) {
      rmSync(join(folder, 'target.safetensors'), { force: true });
      expect(() => convert(whole.subarray(0, end))).toThrow(/Command failed/);
      expect(existsSync(join(folder, 'target.safetensors'))).toBe(false);
    }
    expect(() => convert(Buffer.from('PK\x03\x04 a zip file'))).toThrow(/UnpicklingError/);
    expect(() => convert(file(state, [], []))).toThrow(/the storage of _conv_stem\.weight is missing/);
    expect(() => convert(file(state, ['7'], [floatStorage([0, 1])]))).toThrow(/has 2 numbers instead of 6/);
    expect(() => convert(file(state, ['8'], [floatStorage([0, 1])]))).toThrow(/8 belongs to no tensor/);
    expect(() => convert(file(state, ['7'], [], false))).toThrow(/little-endian/);
  });

  it('refuses a pickle that is not made of tensors only', () => {
    expect(() => convert(file(stateDict([['_bn0.bias', op.string('text')]]), [], []))).toThrow(
      /the entry _bn0\.bias is no tensor/,
    );
    expect(() => convert(file(Buffer.concat([op.proto, op.reduce, op.stop]), [], []))).toThrow(/UnpicklingError/);
    expect(() => convert(file(Buffer.concat([op.proto, op.get(9), op.stop]), [], []))).toThrow(/UnpicklingError/);
  });
});
