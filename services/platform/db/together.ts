import { errorCode } from './database-error.ts';

/** "current transaction is aborted": says that another statement of the transaction failed, not why. */
const ABORTED_STATE = '25P02';

/**
 * Waits for statements of one transaction that were sent without waiting for each other (they are made in the order in which they
 * were sent). Unlike `Promise.all` it returns only when none is under way any more, so that nothing can follow a ROLLBACK.
 *
 * @throws the error of the statement that failed first.
 */
export async function together<T extends readonly unknown[]>(
  promises: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  const outcomes = await Promise.allSettled(promises as readonly Promise<unknown>[]);
  const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
  if (errors.length > 0) throw errors.find((error) => errorCode(error) !== ABORTED_STATE) ?? errors[0];
  return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<unknown>).value) as unknown as T;
}
