import { PermissionDeniedError } from '../../../core/errors.ts';
import type { CallContext } from '../../../platform/rpc/call-context.ts';

/** Trainers that the token of a call in progress may speak for; calls that are not here may speak for any. */
const SCOPES = new WeakMap<CallContext, ReadonlySet<string>>();

/** @param trainerIds of the call's token; empty: any. */
export function limitToTrainers(call: CallContext, trainerIds: readonly string[]): void {
  if (trainerIds.length > 0) SCOPES.set(call, new Set(trainerIds));
}

/** @throws PermissionDeniedError where the call's token is bound to other trainers. */
export function requireTrainer(call: CallContext, trainerId: string): void {
  const scope = SCOPES.get(call);
  if (scope === undefined || scope.has(trainerId)) return;
  const method = `${call.path.slice(call.path.lastIndexOf('/') + 1)} for trainer '${trainerId.slice(0, 100)}'`;
  throw new PermissionDeniedError(method, `TRAINER of ${[...scope].join(', ')}`, `TRAINER of that trainer`);
}
