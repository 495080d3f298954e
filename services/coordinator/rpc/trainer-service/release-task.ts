import { upperCaseEnum } from '../../../platform/rpc/convert/enum-codec.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { ReleaseReason as ProtoReleaseReason } from '../../../../proto/gen/graft/v1/trainer_service.ts';
import type { TrainerServiceService } from '../../../../proto/gen/graft/v1/trainer_service.ts';
import { releaseTask } from '../../store/leases/release-task.ts';
import type { ReleaseReason } from '../../store/leases/release-task.ts';
import { asReport, readClaim } from './read-claim.ts';
import type { RpcContext } from '../rpc-context.ts';

const RELEASE_REASONS = upperCaseEnum<ReleaseReason, typeof ProtoReleaseReason>(ProtoReleaseReason);

/** Returns the handler of ReleaseTask. */
export function releaseTaskHandler({ store }: RpcContext): Handlers<typeof TrainerServiceService>['releaseTask'] {
  return async (request, call) => {
    const claim = readClaim(request, call);
    await asReport(store, claim, () => releaseTask(store, claim, RELEASE_REASONS.fromProto(request.reason, 'reason')));
    return {};
  };
}
