import { artifactKind } from '../../core/artifact-names.ts';
import type { ArtifactKind } from '../../core/artifact-names.ts';
import { ArtifactNotOwnError } from '../../platform/artifacts/artifact-store.ts';
import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import { findOrphans } from '../store/checkpoints/find-orphans.ts';
import type { StoreClaim } from '../store-claim.ts';
import type { Store } from '../store/store.ts';
import type { LeaderTask } from './leader-loop.ts';

const BATCH_SIZE = 500;
const MAX_INTERVAL_MS = 600_000;
/** Whole features and manifests are missing here: attempts reuse their names, so a stale lookup could remove a new file. */
const MAY_BE_ORPHANED: ReadonlySet<ArtifactKind | null> = new Set<ArtifactKind>([
  'CHECKPOINT',
  'FEATURE_PART',
  'PROBE',
  'TEMPORARY',
]);

/**
 * Removes files that have no row and never will. A trainer killed between writing a checkpoint and registering it leaves the
 * checkpoint, one killed while writing leaves a temporary file, and an abandoned extraction leaves its parts. Removes only names
 * that Graft gives, and only in a store of this cluster: other files belong to others.
 */
export class OrphanRemoval implements LeaderTask {
  readonly name = 'orphan removal';
  readonly intervalMs: number;
  readonly #store: Store;
  readonly #artifacts: ArtifactStore;
  readonly #claim: Pick<StoreClaim, 'isOwned'>;
  readonly #minAgeMs: number;

  /**
   * @param minAgeMs files younger than this are kept, whatever the tables say.
   * @param claim checked before each pass: whether the store belongs to this cluster.
   */
  constructor(store: Store, artifacts: ArtifactStore, minAgeMs: number, claim: Pick<StoreClaim, 'isOwned'>) {
    this.#store = store;
    this.#artifacts = artifacts;
    this.#claim = claim;
    this.#minAgeMs = minAgeMs;
    this.intervalMs = Math.min(MAX_INTERVAL_MS, Math.ceil(minAgeMs / 4));
  }

  async pass(signal: AbortSignal): Promise<void> {
    if (!(await this.#claim.isOwned())) return;
    let uris: string[] = [];
    for await (const { uri, ageMs } of this.#artifacts.list()) {
      if (signal.aborted) return;
      if (ageMs < this.#minAgeMs || !MAY_BE_ORPHANED.has(artifactKind(uri))) continue;
      uris.push(uri);
      if (uris.length < BATCH_SIZE) continue;
      await this.#remove(uris);
      uris = [];
    }
    await this.#remove(uris);
  }

  async #remove(uris: readonly string[]): Promise<void> {
    for (const uri of await findOrphans(this.#store, uris)) {
      try {
        await this.#artifacts.remove(uri);
      } catch (error) {
        if (!(error instanceof ArtifactNotOwnError)) throw error;
        this.#store.log.warn({ uri, reason: error.message }, 'file without a row left');
        continue;
      }
      this.#store.log.info({ uri }, 'file without a row removed');
    }
  }
}
