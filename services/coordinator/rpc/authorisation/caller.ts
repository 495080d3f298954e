import type { JobOptions } from '../../../platform/lifecycle/worker-pool.ts';
import type { CallContext } from '../../../platform/rpc/call-context.ts';
import { hashOfToken } from '../../new-token.ts';

/** Returns the key that limits count by: the hash of the token, or the address of a client that sends none. */
export function callerOf({ metadata, peer }: CallContext): string {
  const header = metadata.get('authorization')[0];
  return header === undefined ? peer.replace(/:\d+$/, '') : hashOfToken(header.toString());
}

/** Returns the options of a job that a thread does for a call: it counts for the caller and ends with the call. */
export function jobOptions(call: CallContext): JobOptions {
  return { caller: callerOf(call), signal: call.signal };
}

const NAMES = new WeakMap<CallContext, string>();

/** Records the name of the token that a call was allowed with. */
export function recordCallerName(call: CallContext, name: string): void {
  NAMES.set(call, name);
}

/** Returns the name of the token that a call was allowed with; null where calls need no tokens. */
export function callerNameOf(call: CallContext): string | null {
  return NAMES.get(call) ?? null;
}
