import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { backboneDefinition } from '../../core/network/backbones.ts';
import type { BackboneName } from '../../core/network/backbones.ts';
import { costOfLayers } from '../../core/network/base-cost.ts';
import { isReachable } from '../../platform/http/is-reachable.ts';
import type { WeightFolders } from '../sweep-file/local-weights.ts';

/** Bases that are good choices where little is known of the images: the accurate ones among those of about the same cost. */
const CANDIDATES: readonly BackboneName[] = [
  'efficientnet_lite0',
  'efficientnet_lite1',
  'efficientnet_lite2',
  'mobilenet_v2',
  'efficientnet_b0',
  'efficientnet_v2_b0',
  'efficientnet_v2_b2',
  'densenet121',
  'resnet50_v2',
];
/** Those whose weights are downloaded in seconds: 9 and 24 MB. */
const SMALL_DOWNLOADS: readonly BackboneName[] = ['mobilenet_v2', 'efficientnet_v2_b0'];

/** Time in which the address of the weights must answer; without a network the answer is immediate. */
const ANSWER_MS = 3_000;
const SIZE = 224;

/** Bases whose weights can be had now, the cheapest first. */
export interface FoundBases {
  readonly names: readonly BackboneName[];
  /** Those among them that a trainer will download. */
  readonly downloaded: readonly BackboneName[];
}

/** Finds the bases whose weights are on this machine, or are downloaded in seconds. */
export async function findBases(folders: WeightFolders, signal: AbortSignal): Promise<FoundBases> {
  const local = CANDIDATES.filter((name) => isLocal(name, folders));
  const missing = SMALL_DOWNLOADS.filter((name) => !local.includes(name));
  const downloaded = await Promise.all(
    missing.map(async (name) => {
      const { imagenet } = backboneDefinition(name);
      return 'url' in imagenet && (await isReachable(imagenet.url, ANSWER_MS, signal)) ? [name] : [];
    }),
  );
  const names = [...local, ...downloaded.flat()].sort((a, b) => gflopOf(a) - gflopOf(b));
  return { names, downloaded: downloaded.flat() };
}

function isLocal(name: BackboneName, { cacheDir, kerasDir }: WeightFolders): boolean {
  const { fileName } = backboneDefinition(name).imagenet;
  return existsSync(join(cacheDir, 'weights', fileName)) || existsSync(join(kerasDir, fileName));
}

function gflopOf(name: BackboneName): number {
  return costOfLayers(name, SIZE, { from: null, to: null }).gflop;
}

/** Returns `count` of the bases from the cheapest to the most expensive, evenly spread. */
export function spreadBases<Name>(names: readonly Name[], count: number): readonly Name[] {
  if (count >= names.length) return names;
  const step = count === 1 ? 0 : (names.length - 1) / (count - 1);
  return Array.from({ length: count }, (_, index) => names[Math.round(index * step)]).filter(
    (name) => name !== undefined,
  );
}
