import type { Handlers } from '../../../platform/rpc/server.ts';
import { handleKinds, resolvedHandleToProto } from '../../../platform/rpc/convert/handle.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { resolveHandle } from '../../store/handles/resolve-handle.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

/** Returns the handler of ResolveHandle. */
export function resolveHandleHandler({ store }: RpcContext): Handlers<typeof SweepServiceService>['resolveHandle'] {
  return async ({ kind, handle }) =>
    resolvedHandleToProto(await resolveHandle(store, handleKinds.fromProto(kind, 'kind'), requireId(handle, 'handle')));
}
