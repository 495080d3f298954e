import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import { findOrphans } from '../store/checkpoints/find-orphans.ts';
import type { Store } from '../store/store.ts';
import type { LeaderTask } from './leader-loop.ts';

const BATCH_SIZE = 500;
const MAX_INTERVAL_MS = 600_000;
/** Whole features and manifests keep their names from attempt to attempt: a look that is old by then could remove a new file. */
const MAY_BE_ORPHANED = /^checkpoints\/|^features\/[0-9a-f]{64}\.parts\//;

/**
 * Removes files that have no row and never will: a trainer that is killed between writing a checkpoint and registering it
 * leaves one behind, one killed while writing leaves a temporary file, and an extraction that nobody goes on with its parts.
 */
export class OrphanRemoval implements LeaderTask {
  readonly name = 'orphan removal';
  readonly intervalMs: number;
  readonly #store: Store;
  readonly #artifacts: ArtifactStore;
  readonly #minAgeMs: number;

  /** @param minAgeMs younger files are left alone, whatever the tables say. */
  constructor(store: Store, artifacts: ArtifactStore, minAgeMs: number) {
    this.#store = store;
    this.#artifacts = artifacts;
    this.#minAgeMs = minAgeMs;
    this.intervalMs = Math.min(MAX_INTERVAL_MS, Math.ceil(minAgeMs / 4));
  }

  async pass(signal: AbortSignal): Promise<void> {
    let uris: string[] = [];
    for await (const { uri, ageMs, isTemporary } of this.#artifacts.list()) {
      if (signal.aborted) return;
      if (ageMs < this.#minAgeMs || !(isTemporary || MAY_BE_ORPHANED.test(uri))) continue;
      uris.push(uri);
      if (uris.length < BATCH_SIZE) continue;
      await this.#remove(uris);
      uris = [];
    }
    await this.#remove(uris);
  }

  async #remove(uris: readonly string[]): Promise<void> {
    for (const uri of await findOrphans(this.#store, uris)) {
      await this.#artifacts.remove(uri);
      this.#store.log.info({ uri }, 'file without a row removed');
    }
  }
}
