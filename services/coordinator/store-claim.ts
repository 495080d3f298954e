import { artifactKind, STORE_MARKER_URI } from '../core/artifact-names.ts';
import { claimStore } from '../core/store-owner.ts';
import type { StoreMarker } from '../core/store-owner.ts';
import type { ArtifactStore } from '../platform/artifacts/artifact-store.ts';
import { readMarker, writeMarker } from '../platform/artifacts/store-marker.ts';
import { ConfigError } from '../platform/config/read-config.ts';
import { recordStoreMark, readClusterIdentity, sampleStoredUris } from './store/cluster/cluster-identity.ts';
import type { Store } from './store/store.ts';

/** Files of each kind that are searched for in an unmarked store. */
const SAMPLE_COUNT = 20;

/** Thrown when the artifact store belongs to another cluster or its owner is unknown. */
class StoreRefusedError extends ConfigError {
  constructor(reason: string) {
    super([reason]);
  }
}

/**
 * The claim of this cluster to its artifact store. Checked at the start, and again before files are removed: another folder may
 * have been mounted, or the store unmounted.
 */
export class StoreClaim {
  readonly clusterId: string;
  readonly #store: Store;
  readonly #artifacts: ArtifactStore;
  #isClaimed = false;
  #lastProblem = '';

  private constructor(store: Store, artifacts: ArtifactStore, clusterId: string) {
    this.#store = store;
    this.#artifacts = artifacts;
    this.clusterId = clusterId;
  }

  /**
   * Claims the store for the cluster of the database. A store that can't be reached is claimed later, before files are removed.
   *
   * @throws StoreRefusedError
   */
  static async open(store: Store, artifacts: ArtifactStore, isAdopting: boolean): Promise<StoreClaim> {
    const { clusterId } = await readClusterIdentity(store);
    const claim = new StoreClaim(store, artifacts, clusterId);
    try {
      const reason = await claim.#claim(isAdopting);
      if (reason !== null) throw new StoreRefusedError(reason);
    } catch (error) {
      if (error instanceof StoreRefusedError) throw error;
      store.log.warn({ err: error }, 'artifact store could not be claimed; nothing is removed there until it is');
    }
    return claim;
  }

  /** Returns whether files may be removed now. */
  async isOwned(): Promise<boolean> {
    let problem: string | null;
    try {
      problem = this.#isClaimed ? await this.#look() : await this.#claim(false);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    if (problem !== null && problem !== this.#lastProblem) {
      this.#store.log.error({ reason: problem }, 'the artifact store is not this cluster’s now; nothing is removed');
    }
    this.#lastProblem = problem ?? '';
    return problem === null;
  }

  async #look(): Promise<string | null> {
    const marker = await readMarker(this.#artifacts);
    if (this.#isOwn(marker)) return null;
    const found = marker === null || marker === 'DAMAGED' ? 'no marker' : `the marker of cluster ${marker.clusterId}`;
    return `The artifact store ${this.#artifacts.place} has ${found} instead of that of this cluster, ${this.clusterId}.`;
  }

  /** @returns the reason why the store can't be claimed; null: it is claimed. */
  async #claim(isAdopting: boolean): Promise<string | null> {
    const artifacts = this.#artifacts;
    // In this order: another coordinator of the cluster may be marking the store, and records that afterwards.
    const { storeMarkTime } = await readClusterIdentity(this.#store);
    const markTime = storeMarkTime?.toISOString() ?? null;
    const marker = await readMarker(artifacts);
    const found = { marker, markTime, ...(marker === null ? await this.#lookInside() : NOTHING_INSIDE) };
    const claim = claimStore(found, this.clusterId, artifacts.place, isAdopting);
    if (claim.action === 'REFUSE') return claim.reason;
    if (claim.action === 'MARK') {
      if (claim.replaces !== null) {
        const was = claim.replaces === 'DAMAGED' ? null : claim.replaces.clusterId;
        this.#store.log.warn({ place: artifacts.place, was, now: this.clusterId }, 'artifact store taken over');
        await artifacts.remove(STORE_MARKER_URI);
      }
      const own = { clusterId: this.clusterId, createTime: new Date().toISOString() };
      const written = await writeMarker(artifacts, own);
      // Another cluster may have marked the store first.
      if (!this.#isOwn(written)) {
        const other = claimStore(
          { ...NOTHING_INSIDE, marker: written, markTime },
          this.clusterId,
          artifacts.place,
          false,
        );
        return other.action === 'REFUSE'
          ? other.reason
          : `The artifact store ${artifacts.place} lost its marker at once.`;
      }
      this.#store.log.info({ place: artifacts.place, cluster_id: this.clusterId }, 'artifact store marked');
    }
    await recordStoreMark(this.#store);
    this.#isClaimed = true;
    return null;
  }

  #isOwn(marker: StoreMarker | 'DAMAGED' | null): boolean {
    return marker !== null && marker !== 'DAMAGED' && marker.clusterId === this.clusterId;
  }

  async #lookInside(): Promise<{ readonly hasArtifacts: boolean; readonly isKnown: boolean }> {
    for (const uri of await sampleStoredUris(this.#store, SAMPLE_COUNT)) {
      if ((await this.#artifacts.stat(uri).catch(() => null)) !== null) return { hasArtifacts: true, isKnown: true };
    }
    for await (const { uri } of this.#artifacts.list()) {
      // Excludes a marker that another coordinator is writing now.
      if (artifactKind(uri) !== null && !uri.startsWith(STORE_MARKER_URI))
        return { hasArtifacts: true, isKnown: false };
    }
    return NOTHING_INSIDE;
  }
}

const NOTHING_INSIDE = { hasArtifacts: false, isKnown: false } as const;
