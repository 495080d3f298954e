import type { Interceptor } from '../../platform/rpc/call-context.ts';
import { toStoreError } from '../store/store-error.ts';

/** A lost database is UNAVAILABLE and not a fault of ours: the client's retry finds it, or another coordinator, later. */
export const mapStoreErrors: Interceptor = async (_context, next) => {
  try {
    await next();
  } catch (error) {
    throw toStoreError(error);
  }
};
