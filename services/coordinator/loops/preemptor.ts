import { choosePreemptions } from '../../core/preemption.ts';
import { preemptTask } from '../store/leases/preempt-task.ts';
import { readContention } from '../store/leases/read-contention.ts';
import type { Store } from '../store/store.ts';
import type { LeaderTask } from './leader-loop.ts';

/**
 * Gives slots to sweeps of a higher priority: a task that waits while every slot that suits it is busy preempts one of a lower
 * priority, which is saved and continues later. Also takes slots back from a sweep whose bound on slots was lowered.
 */
export class Preemptor implements LeaderTask {
  readonly name = 'preemption';
  readonly intervalMs: number;
  readonly #store: Store;

  constructor(store: Store, intervalMs: number) {
    this.#store = store;
    this.intervalMs = intervalMs;
  }

  async pass(signal: AbortSignal): Promise<void> {
    const contention = await readContention(this.#store);
    if (contention === null) return;
    for (const preemption of choosePreemptions(contention)) {
      if (signal.aborted) return;
      const reason = await preemptTask(this.#store, preemption);
      if (reason === null) continue;
      const { taskId, leaseEpoch, sweepId } = preemption.victim;
      this.#store.log.info({ task_id: taskId, lease_epoch: leaseEpoch, sweep_id: sweepId, reason }, 'task preempted');
    }
  }
}
