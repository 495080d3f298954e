import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import { isUnavailable } from '../../platform/db/database-error.ts';
import { failpoint } from '../../platform/lifecycle/failpoint.ts';
import { markCollectable } from '../store/checkpoints/collect-checkpoints.ts';
import { listMarked, noteRemoved } from '../store/checkpoints/remove-marked.ts';
import type { Store } from '../store/store.ts';
import type { LeaderTask } from './leader-loop.ts';

const BATCH_SIZE = 200;

export interface RetentionOptions {
  readonly intervalMs: number;
  /** Runs of an ended sweep, from the first of its leaderboard on, whose best checkpoint is kept. */
  readonly keepBest: number;
}

/**
 * Marks what ended runs and sweeps need no more, removes the files of all checkpoints that are marked, then notes that they are
 * gone.
 */
export class Retention implements LeaderTask {
  readonly name = 'retention';
  readonly intervalMs: number;
  readonly #store: Store;
  readonly #artifacts: ArtifactStore;

  readonly #keepBest: number;

  constructor(store: Store, artifacts: ArtifactStore, { intervalMs, keepBest }: RetentionOptions) {
    this.#store = store;
    this.#artifacts = artifacts;
    this.intervalMs = intervalMs;
    this.#keepBest = keepBest;
  }

  async pass(signal: AbortSignal): Promise<void> {
    await markCollectable(this.#store, { sweepId: null, keepBest: this.#keepBest });
    for (const checkpoint of await listMarked(this.#store, BATCH_SIZE)) {
      if (signal.aborted) return;
      try {
        await this.#artifacts.remove(checkpoint.uri);
        failpoint('retention.removed');
        await noteRemoved(this.#store, checkpoint.checkpointId);
      } catch (error) {
        if (isUnavailable(error)) throw error;
        this.#store.log.warn({ err: error, uri: checkpoint.uri }, 'file not removed; tried again with the next pass');
      }
    }
  }
}
