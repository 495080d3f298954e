import { isUnavailable } from '../../platform/db/database-error.ts';
import { findReplannableSweeps, replanGroups } from '../store/settle/replan-groups.ts';
import { settleSweeps, findUnsettledSweeps } from '../store/settle/settle-sweeps.ts';
import { findAdvanceableSweeps } from '../store/search/find-advanceable.ts';
import type { Store } from '../store/store.ts';
import { expireLease, extendLiveLeases, findExpiredLeases } from '../store/leases/expire-lease.ts';
import { markLostTrainers } from '../store/trainers/mark-lost-trainers.ts';
import type { LeaderTask } from './leader-loop.ts';

const BATCH_SIZE = 200;

/**
 * Takes back expired leases, marks silent trainers as LOST, and completes the work that a dead coordinator left unfinished. All
 * times are those of the database's clock.
 */
export class Reaper implements LeaderTask {
  readonly name = 'reaper';
  readonly intervalMs: number;
  readonly #store: Store;

  constructor(store: Store, intervalMs: number) {
    this.#store = store;
    this.intervalMs = intervalMs;
  }

  async begin(): Promise<void> {
    const count = await extendLiveLeases(this.#store);
    if (count > 0) this.#store.log.info({ leases: count }, 'live leases extended once, so that trainers can come back');
  }

  async pass(signal: AbortSignal): Promise<void> {
    await this.#expireLeases(signal);
    // Trainers that wait for work call at least every half minute.
    for (const trainerId of await markLostTrainers(this.#store, 2 * this.#store.leaseMs)) {
      this.#store.log.warn({ trainer_id: trainerId }, 'trainer lost');
    }
    await settleSweeps(this.#store, await findUnsettledSweeps(this.#store, BATCH_SIZE));
    await this.#advanceSearches(signal);
    for (const sweepId of await findReplannableSweeps(this.#store, BATCH_SIZE)) {
      if (signal.aborted) return;
      await replanGroups(this.#store, sweepId);
    }
  }

  /** Goes through all of them, because a sweep stays among them as long as its bound may be reached. */
  async #advanceSearches(signal: AbortSignal): Promise<void> {
    let after: string | null = null;
    do {
      const sweepIds: readonly string[] = await findAdvanceableSweeps(this.#store, after, BATCH_SIZE);
      await settleSweeps(this.#store, sweepIds);
      after = sweepIds.length < BATCH_SIZE ? null : (sweepIds.at(-1) ?? null);
    } while (after !== null && !signal.aborted);
  }

  async #expireLeases(signal: AbortSignal): Promise<void> {
    for (const lease of await findExpiredLeases(this.#store, BATCH_SIZE)) {
      if (signal.aborted) return;
      try {
        if (await expireLease(this.#store, lease, 'no heartbeat until the lease ended', this.#store.leaseMs)) {
          this.#store.log.warn({ task_id: lease.taskId, lease_epoch: lease.leaseEpoch }, 'lease expired');
        }
      } catch (error) {
        if (isUnavailable(error)) throw error;
        // A task that fails here must not block the others.
        this.#store.log.error({ err: error, task_id: lease.taskId }, 'lease could not be taken back');
      }
    }
  }
}
