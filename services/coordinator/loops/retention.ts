import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import { listMarked, noteRemoved } from '../store/checkpoints/remove-marked.ts';
import type { Store } from '../store/store.ts';
import type { LeaderTask } from './leader-loop.ts';

const BATCH_SIZE = 200;

/** Second and third phase of retention: removes the files of checkpoints that are marked, then notes that they are gone. */
export class Retention implements LeaderTask {
  readonly name = 'retention';
  readonly intervalMs: number;
  readonly #store: Store;
  readonly #artifacts: ArtifactStore;

  constructor(store: Store, artifacts: ArtifactStore, intervalMs: number) {
    this.#store = store;
    this.#artifacts = artifacts;
    this.intervalMs = intervalMs;
  }

  async pass(signal: AbortSignal): Promise<void> {
    for (const checkpoint of await listMarked(this.#store, BATCH_SIZE)) {
      if (signal.aborted) return;
      try {
        await this.#artifacts.remove(checkpoint.uri);
        await noteRemoved(this.#store, checkpoint.checkpointId);
      } catch (error) {
        this.#store.log.warn({ err: error, uri: checkpoint.uri }, 'file not removed; tried again with the next pass');
      }
    }
  }
}
