import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { checkWeights, loadBackboneParts } from '../../../../services/trainer/backbones/load.ts';
import { encodeSafetensors } from '../../../../services/trainer/checkpoints/safetensors.ts';
import { refusalOf } from '../../../support/refused-weights.ts';
import {
  SMALL_BACKBONE,
  SMALL_GRAPH,
  SMALL_WEIGHTS,
  writeHdf5File,
  writeNumbered,
} from '../../../support/weight-file-writer.ts';

const MEMBER = 'model.weights.h5';
const folder = mkdtempSync(join(tmpdir(), 'graft-refused-archives-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function read(path: string): Promise<ReadonlyMap<string, unknown>> {
  return (await loadBackboneParts({ backbone: SMALL_BACKBONE, weights: path, inputSize: 64, cacheDir: folder }))
    .weights;
}

function refusal(path: string): Promise<string> {
  return refusalOf(read(path), path);
}

describe('weights in a .keras archive', () => {
  const path = join(folder, 'own.keras');
  let member: Buffer;

  beforeAll(async () => {
    await writeHdf5File(join(folder, 'own.h5'), (file) =>
      writeNumbered(file.create_group('layers'), SMALL_WEIGHTS, true),
    );
    member = readFileSync(join(folder, 'own.h5'));
  });

  async function archive(
    members: readonly (readonly [name: string, content: Buffer])[],
    compress = true,
  ): Promise<Buffer> {
    const zip = new ZipFile();
    for (const [name, content] of members) zip.addBuffer(content, name, { compress });
    zip.end();
    const bytes = await buffer(zip.outputStream);
    writeFileSync(path, bytes);
    return bytes;
  }

  it('are read, packed or not, and in the thread that checks them', async () => {
    await archive([
      ['config.json', Buffer.from('{}')],
      [MEMBER, member],
    ]);
    expect([...(await read(path))]).toEqual([...SMALL_WEIGHTS]);
    await archive([[MEMBER, member]], false);
    expect([...(await read(path))]).toEqual([...SMALL_WEIGHTS]);
    await checkWeights({ backbone: SMALL_BACKBONE, weights: path }, { cacheDir: folder });
    writeFileSync(path, 'no archive');
    const check = checkWeights({ backbone: SMALL_BACKBONE, weights: path }, { cacheDir: folder });
    await expect(check).rejects.toThrow('it is not a ZIP archive, or truncated');
  });

  it('are refused when they would extract to far more than they are, before a byte of them is written', async () => {
    const bytes = await archive([[MEMBER, Buffer.alloc(80 << 20)]]);
    expect(bytes.length).toBeLessThan(1 << 20);
    // A folder of its own for temporary files: other processes use the usual one.
    const temporary = mkdtempSync(join(folder, 'tmp-'));
    const usual = process.env['TMPDIR'];
    process.env['TMPDIR'] = temporary;
    try {
      expect(await refusal(path)).toMatch(/would extract from \d+ to 83886080 bytes, but the base has 874176/);
      expect(readdirSync(temporary)).toEqual([]);
    } finally {
      if (usual === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = usual;
    }
  });

  it('are refused when the archive lies about their size', async () => {
    const bytes = await archive([[MEMBER, Buffer.alloc(80 << 20)]]);
    const directory = bytes.lastIndexOf(Buffer.from('504b0102', 'hex'));
    bytes.writeUInt32LE(1000, directory + 24);
    writeFileSync(path, bytes);
    expect(await refusal(path)).toMatch(/it is damaged \(too many bytes/);
  });

  it('are refused when there are two of them, with both places', async () => {
    await archive([
      [MEMBER, member],
      [MEMBER, Buffer.alloc(10)],
    ]);
    expect(await refusal(path)).toMatch(/it has 2 members model\.weights\.h5, at the bytes 0 and \d+/);
  });

  it('are refused when a byte of them was changed, which HDF5 would not see', async () => {
    const bytes = await archive([[MEMBER, member]], false);
    const at = bytes.indexOf(member) + member.length - 100;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    expect(await refusal(path)).toContain('the checksum of its model.weights.h5 is wrong');
  });

  it('are refused when encrypted, packed by another method, or named to lie elsewhere', async () => {
    const patched = async (change: (bytes: Buffer, directory: number) => void): Promise<string> => {
      const bytes = await archive([[MEMBER, member]]);
      change(bytes, bytes.lastIndexOf(Buffer.from('504b0102', 'hex')));
      writeFileSync(path, bytes);
      return refusal(path);
    };
    expect(
      await patched((bytes, directory) => bytes.writeUInt16LE(bytes.readUInt16LE(directory + 8) | 1, directory + 8)),
    ).toContain('its model.weights.h5 is encrypted');
    expect(await patched((bytes, directory) => bytes.writeUInt16LE(14, directory + 10))).toContain(
      'is compressed by method 14',
    );
    expect(await patched((bytes, directory) => bytes.write('../weights.h5', directory + 46))).toMatch(
      /it is damaged \(invalid relative path/,
    );
    await archive([['weights.h5', member]]);
    expect(await refusal(path)).toContain('it has no model.weights.h5');
    writeFileSync(path, member);
    expect(await refusal(path)).toContain('it is an HDF5 file: give it the ending .h5');
  });
});

describe('weights in a safetensors file', () => {
  const path = join(folder, 'own.safetensors');
  const KERNEL = 'conv1/kernel';

  /** A file whose first kernel has another dtype. */
  function write(dtype: string, kernel: Uint8Array, shape: readonly number[] = [3, 3, 3, 8]): void {
    const header: Record<string, unknown> = { [KERNEL]: { dtype, shape, data_offsets: [0, kernel.length] } };
    const parts: Uint8Array[] = [kernel];
    let offset = kernel.length;
    for (const [name, { shape: own, values }] of SMALL_WEIGHTS) {
      if (name === KERNEL) continue;
      header[name] = { dtype: 'F32', shape: own, data_offsets: [offset, offset + values.byteLength] };
      offset += values.byteLength;
      parts.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    writeFileSync(path, Buffer.concat([length, json, ...parts]));
  }

  const values = SMALL_WEIGHTS.get(KERNEL)?.values ?? new Float32Array();
  const bytesOf = (array: Float32Array | Float64Array | Uint16Array): Uint8Array => new Uint8Array(array.buffer);

  it('are read in half, brain and double precision', async () => {
    write('F64', bytesOf(Float64Array.from(values)));
    expect((await read(path)).get(KERNEL)).toEqual({ shape: [3, 3, 3, 8], values });
    write('BF16', bytesOf(Uint16Array.from(new Uint32Array(values.slice().buffer), (bits) => bits >>> 16)));
    const truncated = Float32Array.from(
      values,
      (value) =>
        new Float32Array(
          Uint32Array.of((new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0) & 0xffff0000).buffer,
        )[0] ?? 0,
    );
    expect((await read(path)).get(KERNEL)).toEqual({ shape: [3, 3, 3, 8], values: truncated });
    write('F16', bytesOf(new Uint16Array(216).fill(0x3555)));
    expect((await read(path)).get(KERNEL)).toEqual({
      shape: [3, 3, 3, 8],
      values: new Float32Array(216).fill(0.333251953125),
    });
  });

  it.each([
    [
      'integers',
      'I8',
      new Uint8Array(216).fill(1),
      /layer conv1 has "conv1\/kernel" of dtype I8; F16, BF16, F32, F64 are read/,
    ],
    [
      'NaN in half precision',
      'F16',
      bytesOf(new Uint16Array(216).fill(0x7e00)),
      /layer conv1 can't be used: kernel has 216 of 216 values that are not finite, the first NaN/,
    ],
    ['numbers beyond float32', 'F64', bytesOf(new Float64Array(216).fill(1e39)), /not finite, the first Infinity/],
  ])('are refused for %s, with the tensor', async (_, dtype, bytes, message) => {
    write(dtype, bytes);
    expect(await refusal(path)).toMatch(message);
  });

  it('are refused by shape, by what is missing, and by damage, as weights and not as a checkpoint', async () => {
    write('F32', bytesOf(new Float32Array(216)), [8, 3, 3, 3]);
    expect(await refusal(path)).toContain(
      'layer conv1 needs "conv1/kernel" of shape [3, 3, 3, 8], which has shape [8, 3, 3, 3] in the file',
    );
    const all = [...SMALL_WEIGHTS].map(([name, tensor]) => ({ name, ...tensor }));
    const without = all.filter(({ name }) => name !== 'conv_pw_3_bn/beta');
    writeFileSync(path, Buffer.concat(encodeSafetensors(without, {})));
    expect(await refusal(path)).toContain(
      'layer conv_pw_3_bn needs "conv_pw_3_bn/beta" of shape [32], which is missing',
    );
    const whole = Buffer.concat(encodeSafetensors(all, {}));
    writeFileSync(path, whole.subarray(0, whole.length - 4));
    expect(await refusal(path)).toContain('it is not a whole safetensors file: its tensors end at byte');
    writeFileSync(path, '<html>Sign in</html>');
    expect(await refusal(path)).toContain('it is a web page');
    expect(SMALL_GRAPH.weights.flat()).toHaveLength(all.length);
  });
});
