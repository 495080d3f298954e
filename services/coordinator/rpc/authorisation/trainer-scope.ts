import { PermissionDeniedError } from '../../../core/errors.ts';
import type { CallContext } from '../../../platform/rpc/call-context.ts';

/** Trainers that the token of a call in progress may act for. A call that is missing here may act for any trainer. */
const SCOPES = new WeakMap<CallContext, ReadonlySet<string>>();

/** Limits a call to the trainers of its token. @param trainerIds empty: any trainer. */
export function limitToTrainers(call: CallContext, trainerIds: readonly string[]): void {
  if (trainerIds.length > 0) SCOPES.set(call, new Set(trainerIds));
}

/** @throws PermissionDeniedError when the call's token is bound to other trainers. */
export function requireTrainer(call: CallContext, trainerId: string): void {
  const scope = SCOPES.get(call);
  if (scope === undefined || scope.has(trainerId)) return;
  const method = `${call.path.slice(call.path.lastIndexOf('/') + 1)} for trainer '${trainerId.slice(0, 100)}'`;
  throw new PermissionDeniedError(method, `TRAINER of ${[...scope].join(', ')}`, `TRAINER of that trainer`);
}
