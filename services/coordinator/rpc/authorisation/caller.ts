import type { JobOptions } from '../../../platform/lifecycle/worker-pool.ts';
import type { CallContext } from '../../../platform/rpc/call-context.ts';
import { hashOfToken } from '../../new-token.ts';

/** Whom limits count: the token, or the address of a client that sends none. */
export function callerOf({ metadata, peer }: CallContext): string {
  const header = metadata.get('authorization')[0];
  return header === undefined ? peer.replace(/:\d+$/, '') : hashOfToken(header.toString());
}

export function jobOptions(call: CallContext): JobOptions {
  return { caller: callerOf(call), signal: call.signal };
}
