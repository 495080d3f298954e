import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Group } from 'h5wasm/node';
import { Dataset } from 'h5wasm/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readHdf5Apart } from '../../../../services/trainer/backbones/hdf5-reader.ts';
import { readHdf5Weights } from '../../../../services/trainer/backbones/hdf5-weights.ts';
import { taskErrorOf } from '../../../../services/trainer/training/task-error.ts';
import { refusalOf } from '../../../support/refused-weights.ts';
import {
  SMALL_BACKBONE,
  SMALL_WEIGHTS,
  editHdf5File,
  graphOf,
  writeHdf5File,
  writeLegacy,
  writeNumbered,
} from '../../../support/weight-file-writer.ts';
import type { FileTensor } from '../../../support/weight-file-writer.ts';

const KERNEL = 'conv1/kernel';
const BETA = 'conv_pw_3_bn/beta';

describe('weights in an HDF5 file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-refused-weights-'));
  const path = join(folder, 'own.h5');

  beforeAll(async () => {
    await writeHdf5File(join(folder, 'clean.h5'), (file) => writeLegacy(file, SMALL_WEIGHTS));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  async function read(backbone = SMALL_BACKBONE): Promise<ReadonlyMap<string, FileTensor>> {
    return readHdf5Weights(path, graphOf(backbone));
  }

  /** The message of a refusal, which no attempt repeats and which names the file. */
  function refusal(backbone?: string): Promise<string> {
    return refusalOf(read(backbone), path);
  }

  async function changed(name: string, change: (values: Float32Array) => void): Promise<void> {
    const tensor = SMALL_WEIGHTS.get(name) as FileTensor;
    const values = tensor.values.slice();
    change(values);
    await writeHdf5File(path, (file) => writeLegacy(file, new Map(SMALL_WEIGHTS).set(name, { ...tensor, values })));
  }

  async function edited(edit: (file: Group) => void): Promise<void> {
    writeFileSync(path, readFileSync(join(folder, 'clean.h5')));
    await editHdf5File(path, edit);
  }

  /** Replaces the first kernel. */
  async function withKernel(write: (group: Group) => void): Promise<void> {
    await writeHdf5File(path, (file) => {
      const others = new Map(SMALL_WEIGHTS);
      others.delete(KERNEL);
      writeLegacy(file, others);
      file.delete_attribute('layer_names');
      const names = new Set([...SMALL_WEIGHTS.keys()].map((name) => name.slice(0, name.lastIndexOf('/'))));
      file.create_attribute('layer_names', [...names]);
      const layer = file.create_group('conv1');
      layer.create_attribute('weight_names', ['conv1/kernel:0']);
      write(layer.create_group('conv1'));
    });
  }

  it.each([
    ['NaN', NaN],
    ['an infinity', -Infinity],
  ])('is refused for %s, with the tensor and the place', async (_, value) => {
    await changed(KERNEL, (values) => values.fill(value, 30, 32));
    expect(await refusal()).toContain(
      `layer conv1 can't be used: kernel at /conv1/conv1/kernel:0 has 2 of 216 values that are not finite, ` +
        `the first ${value} at [0, 1, 0, 6]`,
    );
    await changed(BETA, (values) => values.fill(value));
    expect(await refusal()).toMatch(/layer conv_pw_3_bn can't be used: beta at \S+ has 32 of 32 values/);
  });

  it('is refused for a negative variance, whose square root is NaN, and for a kernel that was never written', async () => {
    await changed('conv1_bn/moving_variance', (values) => values.fill(-1, 3, 4));
    expect(await refusal()).toMatch(
      /layer conv1_bn can't be used: moving_variance at \S+ has 1 of 8 values that are negative, the first -1 at \[3\]/,
    );
    await changed(KERNEL, (values) => values.fill(0));
    expect(await refusal()).toContain('holds nothing but zeros');
  });

  it('is read by the names of the tensors, in whatever order a layer lists them', async () => {
    const weights = new Map(SMALL_WEIGHTS);
    for (const [name, { shape, values }] of SMALL_WEIGHTS) {
      if (name.includes('_bn/')) weights.set(name, { shape, values: values.map((_, index) => index + name.length) });
    }
    await writeHdf5File(path, (file) => writeLegacy(file, weights, { sortRoles: (roles) => roles.toReversed() }));
    expect([...(await read())]).toEqual([...weights]);
  });

  it('is refused where other names and another order leave open which layer is which', async () => {
    const rename = (name: string, index: number): string => (index < 2 ? `layer_${index}` : name);
    await writeHdf5File(path, (file) => writeLegacy(file, SMALL_WEIGHTS, { rename }));
    expect([...(await read())]).toEqual([...SMALL_WEIGHTS]);
    const swapped = [...SMALL_WEIGHTS].toSorted(
      ([a], [b]) => Number(a.startsWith('conv_pw_13_bn')) - Number(b.startsWith('conv_pw_13_bn')),
    );
    const shifted = new Map([...swapped.slice(-4), ...swapped.slice(0, -4)]);
    await writeHdf5File(path, (file) => writeLegacy(file, shifted, { rename }));
    expect(await refusal()).toMatch(/lacks 2 of the 54 that are needed: conv1, /);
  });

  it('may hold the base nested, and is refused when it holds it twice, with both places', async () => {
    await writeHdf5File(path, (file) => {
      const outer = file.create_group('layers').create_group('functional').create_group('layers');
      writeNumbered(outer.create_group('sequential').create_group('layers'), SMALL_WEIGHTS, true);
    });
    expect([...(await read())]).toEqual([...SMALL_WEIGHTS]);
    await editHdf5File(path, (file) => {
      const outer = file.get('layers/functional/layers') as Group;
      writeNumbered(outer.create_group('sequential_1').create_group('layers'), SMALL_WEIGHTS, true);
    });
    expect(await refusal()).toContain(
      'more than once, at /layers/functional/layers/sequential/layers and /layers/functional/layers/sequential_1/layers',
    );
  });

  it('is refused when two of its layers have the name of one', async () => {
    await writeHdf5File(path, (file) => {
      const layers = file.create_group('layers');
      writeNumbered(layers, SMALL_WEIGHTS, true);
      const variables = layers.create_group('conv2d_99').create_group('vars');
      variables.create_attribute('name', 'conv1');
      const { shape, values } = SMALL_WEIGHTS.get(KERNEL) as FileTensor;
      variables.create_dataset({ name: '0', data: values, shape: [...shape], dtype: '<f' });
    });
    expect(await refusal()).toContain('/layers/conv2d and /layers/conv2d_99 are both named "conv1"');
  });

  it('is refused when its layers have no names and the base could be the first or the last of them', async () => {
    await writeHdf5File(path, (file) => {
      const layers = file.create_group('layers');
      writeNumbered(layers, SMALL_WEIGHTS, false);
    });
    expect([...(await read())]).toEqual([...SMALL_WEIGHTS]);
    const twice = new Map([
      ...SMALL_WEIGHTS,
      ...[...SMALL_WEIGHTS].map(([name, tensor]) => [`second_${name}`, tensor] as const),
    ]);
    await writeHdf5File(path, (file) => writeNumbered(file.create_group('layers'), twice, false));
    expect(await refusal()).toMatch(/more than once, at \/layers\/conv2d to \S+ and \/layers\/conv2d_14 to \S+\./);
  });

  it('is refused for a tensor that the base does not have, for it would be left out in silence', async () => {
    await edited((file) => {
      const layer = file.get('conv1') as Group;
      layer.delete_attribute('weight_names');
      layer.create_attribute('weight_names', ['conv1/kernel:0', 'conv1/bias:0']);
      (file.get('conv1/conv1') as Group).create_dataset({ name: 'bias:0', data: new Float32Array(8).fill(0.5) });
    });
    expect(await refusal()).toContain('layer conv1 needs kernel alone, but the file has 2 tensors for it');
  });

  it('is read as float64 too; integers are refused at once, and numbers beyond float32', async () => {
    const { shape, values } = SMALL_WEIGHTS.get(KERNEL) as FileTensor;
    await withKernel((group) =>
      group.create_dataset({ name: 'kernel:0', data: Float64Array.from(values), shape: [...shape] }),
    );
    expect((await read()).get(KERNEL)?.values).toEqual(values);
    await withKernel((group) =>
      group.create_dataset({ name: 'kernel:0', data: Float64Array.from(values, () => 1e300), shape: [...shape] }),
    );
    expect(await refusal()).toContain('has 216 of 216 values that are not finite, the first Infinity');
    await withKernel((group) =>
      group.create_dataset({ name: 'kernel:0', data: new Int16Array(216), shape: [...shape] }),
    );
    expect(await refusal()).toMatch(/layer conv1 can't be used: kernel at \S+ holds integers of 16 bits; float16, /);
    await withKernel((group) =>
      group.create_dataset({ name: 'kernel:0', data: Array.from(values, String), shape: [...shape] }),
    );
    expect(await refusal()).toMatch(/holds values of type string/);
  });

  it('is refused by its headers before anything of the size that they declare is allocated', async () => {
    await withKernel((group) => {
      const options = { name: 'kernel:0', shape: [1, 8], maxshape: [null, 8], chunks: [1, 8] };
      group.create_dataset({ ...options, data: new Float32Array(8) }).resize([2 ** 40, 8]);
    });
    const before = process.memoryUsage().rss;
    expect(await refusal()).toContain('needs kernel of shape [3, 3, 3, 8], but the file has shape [1099511627776, 8]');
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
  });

  it('is refused when a dimension is reversed, as programs with column-major arrays write it', async () => {
    const { values } = SMALL_WEIGHTS.get(KERNEL) as FileTensor;
    await withKernel((group) => group.create_dataset({ name: 'kernel:0', data: values, shape: [8, 3, 3, 3] }));
    expect(await refusal()).toContain(
      'has shape [8, 3, 3, 3], the same in reverse: it was written in column-major order',
    );
  });

  it('is refused for links to what the digest does not cover', async () => {
    await withKernel((group) =>
      group.create_external_link(join(folder, 'clean.h5'), '/conv1/conv1/kernel:0', 'kernel:0'),
    );
    expect(await refusal()).toMatch(/\/conv1\/conv1\/kernel:0 is a link to \S+clean\.h5/);
    await withKernel((group) => group.create_soft_link('/conv_pw_1/conv_pw_1/kernel:0', 'kernel:0'));
    expect(await refusal()).toContain('/conv1/conv1/kernel:0 is a link to /conv_pw_1/conv_pw_1/kernel:0');
    await writeHdf5File(path, (file) => {
      file.create_external_link(join(folder, 'clean.h5'), '/', 'model_weights');
    });
    expect(await refusal()).toContain('/model_weights is a link to');
    // A group that holds itself.
    await writeHdf5File(path, (file) => {
      file.create_group('layers').create_hard_link('/layers', 'again');
    });
    expect(await refusal()).toContain('nested more than 32 deep');
  });

  it('is refused where its bytes are cut or changed, and reads right or not at all', async () => {
    const clean = readFileSync(join(folder, 'clean.h5'));
    writeFileSync(path, clean.subarray(0, clean.length - 1000));
    expect(await refusal()).toContain('truncated or damaged');
    // The structure in front: a seeded walk, so that each run sees the same bytes.
    for (let step = 0; step < 40; step++) {
      const bytes = Buffer.from(clean);
      for (let index = 0; index < 4; index++)
        bytes[8 + ((step * 7919 + index * 104_729) % 3000)] = (step * 31 + index) % 256;
      writeFileSync(path, bytes);
      const outcome = await read().catch((error: unknown) => taskErrorOf(error).errorClass);
      expect(
        outcome === 'PERMANENT' || [...(outcome as ReadonlyMap<string, FileTensor>)].length === SMALL_WEIGHTS.size,
      ).toBe(true);
    }
  });

  it.each([
    ['<!DOCTYPE html><html><body>Sign in</body></html>', 'it is not an HDF5 file; it is a web page'],
    ['version https://git-lfs.github.com/spec/v1\noid sha256:0\n', 'it is a Git LFS pointer'],
    ['PK\x03\x04', 'it is a ZIP archive: a Keras model has the ending .keras'],
    ['', 'it is empty'],
  ])('is refused with what the file is instead: %j', async (content, message) => {
    writeFileSync(path, content);
    expect(await refusal()).toContain(message);
  });

  it('is refused with the base that it does hold', async () => {
    writeFileSync(path, readFileSync(join(folder, 'clean.h5')));
    expect(await refusal('mobilenet')).toMatch(
      /conv1 needs kernel of shape \[3, 3, 3, 32\].*; it holds weights of mobilenet_0\.25/,
    );
    expect(await refusal('vgg16')).toMatch(/lacks 13 of the 13.*; it holds weights of mobilenet_0\.25/);
  });

  it('is read in a thread of its own, which ends with the file and after its time', async () => {
    const graph = graphOf(SMALL_BACKBONE);
    await edited(() => undefined);
    expect([...(await readHdf5Apart(path, graph))]).toEqual([...SMALL_WEIGHTS]);
    await changed(KERNEL, (values) => values.fill(NaN));
    await expect(readHdf5Apart(path, graph, 'shown.h5')).rejects.toMatchObject({
      name: 'BackboneError',
      layer: 'conv1',
      message: expect.stringMatching(/^shown\.h5 doesn't fit/) as string,
    });
    await expect(readHdf5Apart(path, graph, path, 1)).rejects.toThrow('it could not be read within 0.001 s');
  });

  it('leaves no open file behind when refused', async () => {
    await edited((file) => expect(file.get('conv1/conv1/kernel:0')).toBeInstanceOf(Dataset));
    const count = (): number => readdirSync('/proc/self/fd').length;
    writeFileSync(path, 'no HDF5');
    await refusal();
    const before = count();
    for (let index = 0; index < 5; index++) await refusal();
    await changed(KERNEL, (values) => values.fill(NaN));
    await refusal();
    expect(count()).toBeLessThanOrEqual(before);
  });
});
