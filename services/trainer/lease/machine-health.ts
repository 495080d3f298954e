import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { probeUri } from '../../core/artifact-names.ts';
import { isMachineFault, machineFault, SAME_PATH_RULE } from '../../core/machine-fault.ts';
import { SAME_STORE_RULE, whyBenched } from '../../core/store-owner.ts';
import type { StoreReport } from '../../core/store-owner.ts';
import type { LeasedTask, TaskError } from '../../core/task.ts';
import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import { readMarker } from '../../platform/artifacts/store-marker.ts';

/** Size of the probe file: a single page would fit on nearly any full disk. */
const PROBE_BYTES = 256 * 1024;
/** A network file system that hangs never answers. */
const PROBE_DEADLINE_MS = 20_000;
/** Errors about stored files whose cause may be a store of another cluster. */
const STORE_CODES: ReadonlySet<string> = new Set(['ARTIFACT_MISSING', 'FEATURES_MISSING', 'CHECKPOINT_INVALID']);

export interface MachineHealthOptions {
  readonly artifacts: ArtifactStore;
  readonly cacheDir: string;
  readonly hostname: string;
  readonly trainerId: string;
}

/** Checks that this machine can work: its artifact store is the cluster's and is writable, and the files of sweeps are readable. */
export class MachineHealth {
  readonly #options: MachineHealthOptions;
  /** Folders and files that tasks could not read on this machine. */
  readonly #missedPaths = new Set<string>();
  /** Cluster of the coordinator; null: unknown, or not reported. */
  #clusterId: string | null = null;

  constructor(options: MachineHealthOptions) {
    this.#options = options;
  }

  /** @param clusterId empty if the coordinator's version does not report it. */
  belongsTo(clusterId: string): void {
    this.#clusterId = clusterId === '' ? null : clusterId;
  }

  /** Checks store, cache and missed paths. Writes only to a store that is known to be the cluster's. */
  async report(): Promise<StoreReport> {
    const place = this.#options.artifacts.place;
    const deadline = new AbortController();
    const late = sleep(PROBE_DEADLINE_MS, undefined, { signal: deadline.signal, ref: false }).then((): StoreReport => ({
      place,
      clusterId: '',
      problem: `The artifact store ${place} did not answer host ${this.#options.hostname} within ${PROBE_DEADLINE_MS / 1_000} s.`,
    }));
    late.catch(() => undefined);
    try {
      return await Promise.race([this.#check(place), late]);
    } finally {
      deadline.abort();
    }
  }

  /** Returns why a task can't begin on this machine, before anything is read or written; null if it can. */
  async beforeTask(): Promise<TaskError | null> {
    if (this.#clusterId === null) return null;
    const { artifacts, hostname } = this.#options;
    let clusterId: string;
    try {
      clusterId = await this.#readClusterId();
    } catch (error) {
      return machineFault('STORE_UNREACHABLE', this.#storeProblem(error));
    }
    const reason = whyBenched({ place: artifacts.place, clusterId, problem: '' }, this.#clusterId, hostname);
    return reason === null ? null : machineFault('STORE_FOREIGN', reason);
  }

  /** Returns the error of a failed attempt unchanged, or the machine fault behind it. */
  async explain(error: TaskError, task: LeasedTask): Promise<TaskError> {
    if (STORE_CODES.has(error.code) || hasDamage(error)) return (await this.beforeTask()) ?? error;
    if (!isMachineFault(error)) return error;
    const place = PLACES[error.code];
    if (place === 'DATA') this.#missedPaths.add(task.dataset?.path ?? task.datasetSource.path);
    if (place === 'WEIGHTS') for (const path of weightFiles(task)) this.#missedPaths.add(path);
    return error;
  }

  async #check(place: string): Promise<StoreReport> {
    let clusterId = '';
    try {
      clusterId = await this.#readClusterId();
      if (this.#clusterId !== null && clusterId === this.#clusterId) await this.#probeStore();
    } catch (error) {
      return { place, clusterId, problem: this.#storeProblem(error) };
    }
    const cacheProblem = await this.#probeCache();
    if (cacheProblem !== null) return { place, clusterId, problem: cacheProblem };
    const missing: string[] = [];
    for (const path of this.#missedPaths) {
      if (await isReadable(path)) this.#missedPaths.delete(path);
      else missing.push(path);
    }
    const problem =
      missing.length === 0
        ? ''
        : `${missing.join(', ')} can't be read on host ${this.#options.hostname}, or is empty there. ${SAME_PATH_RULE}`;
    return { place, clusterId, problem };
  }

  async #readClusterId(): Promise<string> {
    const marker = await readMarker(this.#options.artifacts);
    return marker === null || marker === 'DAMAGED' ? '' : marker.clusterId;
  }

  async #probeStore(): Promise<void> {
    const { artifacts, trainerId } = this.#options;
    const uri = probeUri(`${trainerId}.${randomUUID()}`);
    try {
      await artifacts.write(uri, Buffer.alloc(PROBE_BYTES, randomUUID()));
    } finally {
      await artifacts.remove(uri).catch(() => undefined);
    }
  }

  /** @returns why the cache folder is not writable; null if it is. */
  async #probeCache(): Promise<string | null> {
    const { cacheDir } = this.#options;
    const path = join(cacheDir, `.probe-${randomUUID()}`);
    try {
      await mkdir(cacheDir, { recursive: true });
      await writeFile(path, Buffer.alloc(PROBE_BYTES));
      return null;
    } catch (error) {
      return `The cache folder ${cacheDir} of host ${this.#options.hostname} (GRAFT_CACHE_DIR) is not writable: ${messageOf(error)}.`;
    } finally {
      await rm(path, { force: true }).catch(() => undefined);
    }
  }

  #storeProblem(error: unknown): string {
    return `${messageOf(error)} This happened on host ${this.#options.hostname}. ${SAME_STORE_RULE}`;
  }
}

const PLACES: Readonly<Record<string, 'DATA' | 'WEIGHTS' | undefined>> = {
  DATA_MISSING: 'DATA',
  DATA_UNREADABLE: 'DATA',
  WEIGHTS_MISSING: 'WEIGHTS',
};

function hasDamage({
  missingFeatureKeys = [],
  manifestDamaged = false,
  damagedCheckpointIds = [],
}: TaskError): boolean {
  return missingFeatureKeys.length > 0 || manifestDamaged || damagedCheckpointIds.length > 0;
}

function weightFiles({ weightsReferences, runs }: LeasedTask): readonly string[] {
  const named = [
    ...weightsReferences.map(({ weights }) => weights),
    ...runs.map(({ parameters }) => parameters['weights']),
  ];
  return named.filter((weights): weights is string => typeof weights === 'string' && weights.startsWith('/'));
}

/** Returns whether a path is a file, or a folder that is not empty: a mount point without its file system is empty. */
async function isReadable(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile() || (await readdir(path)).length > 0;
  } catch {
    return false;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
