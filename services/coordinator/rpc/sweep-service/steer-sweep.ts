import { InvalidRequestError } from '../../../core/errors.ts';
import { controlProblem } from '../../../core/text/control-characters.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import type { Sweep } from '../../../../proto/gen/graft/v1/sweep.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { cancelSweep } from '../../store/steer/cancel-sweep.ts';
import { deleteSweep } from '../../store/steer/delete-sweep.ts';
import { findSweep } from '../../store/sweeps/find-sweep.ts';
import { pauseSweep, resumeSweep } from '../../store/steer/pause-sweep.ts';
import { deletionToProto } from '../../../platform/rpc/convert/deletion.ts';
import { sweepToProto } from '../../../platform/rpc/convert/sweep.ts';
import { callerNameOf } from '../authorisation/caller.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

type SteerHandlers = Pick<
  Handlers<typeof SweepServiceService>,
  'pauseSweep' | 'resumeSweep' | 'cancelSweep' | 'killSweep' | 'deleteSweep'
>;

/** Returns the handlers of PauseSweep, ResumeSweep, CancelSweep and KillSweep, which answer with the updated sweep, and of DeleteSweep. */
export function steerHandlers({ store }: RpcContext): SteerHandlers {
  async function answer(sweepId: string): Promise<{ sweep: Sweep }> {
    return { sweep: sweepToProto(await findSweep(store, sweepId)) };
  }
  return {
    pauseSweep: async (request) => {
      const sweepId = requireId(request.sweepId, 'sweep_id');
      await pauseSweep(store, sweepId, requireReason(request.reason));
      return answer(sweepId);
    },
    resumeSweep: async (request) => {
      const sweepId = requireId(request.sweepId, 'sweep_id');
      await resumeSweep(store, sweepId);
      return answer(sweepId);
    },
    cancelSweep: async (request) => {
      const sweepId = requireId(request.sweepId, 'sweep_id');
      await cancelSweep(store, sweepId, 'STOP', requireReason(request.reason));
      return answer(sweepId);
    },
    killSweep: async (request) => {
      const sweepId = requireId(request.sweepId, 'sweep_id');
      await cancelSweep(store, sweepId, 'KILL', requireReason(request.reason));
      return answer(sweepId);
    },
    deleteSweep: async ({ sweepId, dryRun }, call) => {
      const options = { dryRun, deletedBy: callerNameOf(call) ?? '' };
      return deletionToProto(await deleteSweep(store, requireId(sweepId, 'sweep_id'), options));
    },
  };
}

/**
 * Returns the reason of what a person did, for people: the person's reason after the action.
 *
 * @param name of the person's token; null: calls need no tokens
 */
export function reasonOf(action: string, name: string | null, reason: string): string {
  const subject = name === null ? `${action} by a person` : `${action} by a person (${name})`;
  return reason === '' ? subject : `${subject}: ${reason}`;
}

/** @throws InvalidRequestError for control characters other than line feeds. */
export function requireReason(reason: string): string {
  const [description] = reason.split('\n').flatMap((line) => controlProblem(line) ?? []);
  if (description !== undefined) throw new InvalidRequestError([{ field: 'reason', description }]);
  return reason;
}
