import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  SafetensorsError,
  encodeSafetensors,
  readSafetensors,
  readSafetensorsHeader,
} from '../../../../services/trainer/checkpoints/safetensors.ts';

const TENSORS = [
  { name: 'head/output/kernel', shape: [2, 3], values: Float32Array.of(1, -2, 3.5, 0, NaN, Infinity) },
  { name: 'empty', shape: [0, 4], values: new Float32Array(0) },
  { name: 'scalar', shape: [], values: Float32Array.of(1e-30) },
];

describe('safetensors', () => {
  let folder: string;
  const write = (name: string, bytes: Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };
  const withHeader = (header: string, dataBytes: number): Buffer => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
    return Buffer.concat([length, Buffer.from(header), Buffer.alloc(dataBytes)]);
  };

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'graft-safetensors-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('reads back what it wrote, with tensors aligned to eight bytes', async () => {
    const path = write('ok', Buffer.concat(encodeSafetensors(TENSORS, { format: 'x', note: 'ü' })));
    const { tensors, metadata } = await readSafetensors(path);
    expect([...tensors.values()]).toEqual(expect.arrayContaining(TENSORS));
    expect(tensors.size).toBe(3);
    expect(metadata).toEqual({ format: 'x', note: 'ü' });
    const { entries } = await readSafetensorsHeader(path);
    expect(entries.find(({ name }) => name === 'head/output/kernel')?.offset).toSatisfy((o: number) => o % 8 === 0);
  });

  it('refuses tensors that do not fill their shape, and duplicate names', () => {
    const values = Float32Array.of(1, 2);
    expect(() => encodeSafetensors([{ name: 'a', shape: [3], values }], {})).toThrow('Tensor a has 2 values');
    const twice = { name: 'a', shape: [2], values };
    expect(() => encodeSafetensors([twice, twice], {})).toThrow('two tensors named a');
  });

  const entry = (fields: object): string =>
    JSON.stringify({ t: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...fields } });
  it.each<[string, Buffer, RegExp]>([
    ['a file of five bytes', Buffer.from('12345'), /it has 5 bytes/],
    [
      'a header longer than the file',
      withHeader('{}', 0).subarray(0, 9),
      /its header length is 2 bytes, but the file has 9/,
    ],
    ['an enormous header', Buffer.concat([Buffer.alloc(8, 0xff), Buffer.alloc(8)]), /its header length is/],
    ['a header that is no JSON', withHeader('{"t": ', 0), /not a JSON object/],
    ['a header that is a list', withHeader('[]', 0), /not a JSON object/],
    ['another dtype', withHeader(entry({ dtype: 'BF16' }), 8), /tensor t has dtype "BF16"; only "F32" is supported/],
    [
      'half precision',
      withHeader(entry({ dtype: 'F16', data_offsets: [0, 4] }), 4),
      /tensor t has dtype "F16"; only "F32"/,
    ],
    ['a negative size', withHeader(entry({ shape: [-2] }), 8), /tensor t has no valid shape/],
    ['offsets that are no pair', withHeader(entry({ data_offsets: [0] }), 8), /no valid data_offsets/],
    ['a size that does not fit', withHeader(entry({ data_offsets: [0, 4] }), 8), /of shape \[2\] has 4 bytes/],
    ['a hole', withHeader(entry({ data_offsets: [4, 12] }), 12), /begins at byte \d+ instead of/],
    ['an end beyond the file', withHeader(entry({}), 4), /its tensors end at byte/],
    ['bytes after the end', withHeader(entry({}), 12), /it was truncated or extended/],
    ['metadata that is not a string', withHeader('{"__metadata__": {"a": 1}}', 0), /__metadata__\.a is not a string/],
  ])('refuses %s', async (name, bytes, message) => {
    const path = write(name.replaceAll(' ', '-'), bytes);
    await expect(readSafetensors(path)).rejects.toThrow(SafetensorsError);
    await expect(readSafetensors(path)).rejects.toThrow(message);
  });
});
