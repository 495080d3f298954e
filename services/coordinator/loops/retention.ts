import { artifactKind } from '../../core/artifact-names.ts';
import type { ArtifactKind } from '../../core/artifact-names.ts';
import { ArtifactNotOwnError } from '../../platform/artifacts/artifact-store.ts';
import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import { isUnavailable } from '../../platform/db/database-error.ts';
import { failpoint } from '../../platform/lifecycle/failpoint.ts';
import { markCollectable } from '../store/checkpoints/collect-checkpoints.ts';
import { listMarked, recordRemoved } from '../store/checkpoints/remove-marked.ts';
import { carryOutRemoval, listRemovals } from '../store/removals/file-removals.ts';
import type { StoreClaim } from '../store-claim.ts';
import type { Store } from '../store/store.ts';
import type { LeaderTask } from './leader-loop.ts';

const BATCH_SIZE = 200;
/** Kinds of files that rows name. */
const REMOVABLE: ReadonlySet<ArtifactKind | null> = new Set<ArtifactKind>(['CHECKPOINT', 'FEATURES', 'MANIFEST']);

export interface RetentionOptions {
  readonly intervalMs: number;
  /** Number of runs of an ended sweep, from the top of its leaderboard, whose best checkpoint is kept. */
  readonly keepBest: number;
  /** Checked before each pass that removes files: whether the store belongs to this cluster. */
  readonly claim: Pick<StoreClaim, 'isOwned'>;
}

/**
 * Marks the checkpoints that ended runs and sweeps no longer need (DELETING), removes the files of all marked ones, then records
 * them as DELETED. Removes the files of deleted sweeps, whose rows no longer exist.
 */
export class Retention implements LeaderTask {
  readonly name = 'retention';
  readonly intervalMs: number;
  readonly #store: Store;
  readonly #artifacts: ArtifactStore;
  readonly #claim: Pick<StoreClaim, 'isOwned'>;
  readonly #keepBest: number;

  constructor(store: Store, artifacts: ArtifactStore, { intervalMs, keepBest, claim }: RetentionOptions) {
    this.#store = store;
    this.#artifacts = artifacts;
    this.intervalMs = intervalMs;
    this.#keepBest = keepBest;
    this.#claim = claim;
  }

  async pass(signal: AbortSignal): Promise<void> {
    await markCollectable(this.#store, { sweepId: null, keepBest: this.#keepBest });
    await this.#removeFilesOfDeletedSweeps(signal);
    const marked = await listMarked(this.#store, BATCH_SIZE);
    if (marked.length === 0 || !(await this.#claim.isOwned())) return;
    for (const checkpoint of marked) {
      if (signal.aborted) return;
      try {
        await this.#removeFile(checkpoint.uri);
        failpoint('retention.removed');
        await recordRemoved(this.#store, checkpoint.checkpointId);
      } catch (error) {
        if (isUnavailable(error)) throw error;
        this.#store.log.warn({ err: error, uri: checkpoint.uri }, 'file not removed; the next pass retries');
      }
    }
  }

  async #removeFilesOfDeletedSweeps(signal: AbortSignal): Promise<void> {
    let after: string | null = null;
    for (;;) {
      const uris: readonly string[] = await listRemovals(this.#store, after, BATCH_SIZE);
      if (uris.length === 0 || !(await this.#claim.isOwned())) return;
      for (const uri of uris) {
        if (signal.aborted) return;
        try {
          await carryOutRemoval(this.#store, uri, () => this.#removeFile(uri));
        } catch (error) {
          if (isUnavailable(error)) throw error;
          this.#store.log.warn({ err: error, uri }, 'file not removed; the next pass retries');
        }
      }
      after = uris.at(-1) ?? null;
    }
  }

  /** Removes a file. Files that Graft did not name, or that left the store, are kept, and count as removed. */
  async #removeFile(uri: string): Promise<void> {
    try {
      if (REMOVABLE.has(artifactKind(uri))) await this.#artifacts.remove(uri);
      else this.#store.log.warn({ uri }, 'file left: Graft gives no such names');
    } catch (error) {
      if (!(error instanceof ArtifactNotOwnError)) throw error;
      this.#store.log.warn({ uri, reason: error.message }, 'file left');
    }
  }
}
