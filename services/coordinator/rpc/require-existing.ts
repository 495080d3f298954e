import { findRun } from '../store/runs/list-runs.ts';
import type { Store } from '../store/store.ts';
import { isSettled } from '../store/events/is-settled.ts';

/** Checks that a sweep exists: a list of an unknown sweep is NOT_FOUND, not empty. @throws NotFoundError */
export async function requireSweep(store: Store, sweepId: string): Promise<void> {
  await isSettled(store, sweepId);
}

/** Checks that the owner of a list, a sweep or a run, exists. @throws NotFoundError */
export async function requireOwnerExists(
  store: Store,
  owner: { readonly sweepId: string | null; readonly runId: string | null },
): Promise<void> {
  if (owner.sweepId !== null) await requireSweep(store, owner.sweepId);
  if (owner.runId !== null) await findRun(store, owner.runId);
}
