import type { HandleKind } from '../../../core/handle.ts';
import type { ResolvedHandle } from '../../../core/records/handle.ts';
import type { Store } from '../store.ts';
import { resolveCheckpoint } from './resolve-checkpoint.ts';
import { resolveRun } from './resolve-run.ts';
import { resolveSweep } from './resolve-sweep.ts';
import { resolveTrainer } from './resolve-trainer.ts';

/** Finds what a person names. The forms of each kind are in `proto/graft/v1/handle.proto`. */
export async function resolveHandle(store: Store, kind: HandleKind, handle: string): Promise<ResolvedHandle> {
  switch (kind) {
    case 'SWEEP':
      return resolveSweep(store, handle);
    case 'RUN':
      return resolveRun(store, handle);
    case 'CHECKPOINT':
      return resolveCheckpoint(store, handle);
    case 'TRAINER':
      return resolveTrainer(store, handle);
  }
}
