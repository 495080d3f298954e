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

/** Bounds the delay after a lost notification. */
const POLL_MS = 10_000;

/**
 * Returns the handler of WatchSweep. It streams the events after the cursor in commit order, until the sweep has ended and all its
 * events are sent. It reads a page at a time, and the next one only when the client has taken the last.
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
    const { events, isOver } = await feed.poll(sweepId, cursor);
    for (const event of events) {
      cursor = event.cursor;
      yield eventToProto(event);
    }
    if (events.length === PAGE_SIZE) continue;
    if (isOver) return;
    // The client resumes from its cursor at another coordinator.
    if (call.draining.aborted) throw new ShuttingDownError();
    await subscription.wait(POLL_MS, [call.signal, call.draining]);
  }
}

/**
 * Checks that the cursor is not beyond the last event: a client that waits there would miss all events up to it.
 *
 * @throws InvalidRequestError
 */
async function requireSeen(store: Store, sweepId: string, cursor: bigint): Promise<void> {
  const last = await readLastCursor(store.pool, sweepId);
  // Without events there is no sweep; the first read reports that.
  if (last === null || cursor <= last) return;
  const description = `must be at most ${last}, the number of the sweep's last event; received ${cursor}.`;
  throw new InvalidRequestError([{ field: 'cursor', description }]);
}
