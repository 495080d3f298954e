import type { Interceptor } from '../../platform/rpc/call-context.ts';
import { toStoreError } from '../store/store-error.ts';

/** Turns errors of the database into errors of the domain. A lost database is UNAVAILABLE, so that the client retries. */
export const mapStoreErrors: Interceptor = async (_context, next) => {
  try {
    await next();
  } catch (error) {
    throw toStoreError(error);
  }
};
