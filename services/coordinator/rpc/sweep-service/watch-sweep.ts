import { InvalidRequestError, ShuttingDownError } from '../../../core/errors.ts';
import type { CallContext } from '../../../platform/rpc/call-context.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import type {
  SweepServiceService,
  WatchSweepRequest,
  WatchSweepResponse,
} from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { PAGE_SIZE } from '../../store/events/event-feed.ts';
import { readLastCursor } from '../../store/events/read-events.ts';
import type { Store } from '../../store/store.ts';
import { eventToProto } from '../../../platform/rpc/convert/event.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

/** Finds what a lost notification would have told. */
const POLL_MS = 10_000;

/**
 * Events after the cursor, in the order they were committed, until the sweep is over and all is sent. Reads a page at a time
 * and no further than the client has taken it.
 */
export function watchSweepHandler(context: RpcContext): Handlers<typeof SweepServiceService>['watchSweep'] {
  return (request, call) => watch(context, request, call);
}

async function* watch(
  { store, feed, signals }: RpcContext,
  request: WatchSweepRequest,
  call: CallContext,
): AsyncGenerator<WatchSweepResponse> {
  const sweepId = requireId(request.sweepId, 'sweep_id');
  let cursor = request.cursor;
  if (cursor > 0n) await requireSeen(store, sweepId, cursor);
  using subscription = signals.subscribeEvents(sweepId);
  while (!call.signal.aborted) {
    const { events, isOver } = await feed.look(sweepId, cursor);
    for (const event of events) {
      cursor = event.cursor;
      yield eventToProto(event);
    }
    if (events.length === PAGE_SIZE) continue;
    if (isOver) return;
    // The client watches on from its cursor, at another coordinator.
    if (call.draining.aborted) throw new ShuttingDownError();
    await subscription.wait(POLL_MS, [call.signal, call.draining]);
  }
}

/** A client that waits behind an event that never was would miss all that come. @throws InvalidRequestError */
async function requireSeen(store: Store, sweepId: string, cursor: bigint): Promise<void> {
  const last = await readLastCursor(store.pool, sweepId);
  // Without any event there is no sweep, which the first read finds.
  if (last === null || cursor <= last) return;
  const description = `must be at most ${last}, the number of the sweep's last event; received ${cursor}.`;
  throw new InvalidRequestError([{ field: 'cursor', description }]);
}
