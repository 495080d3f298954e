import { InvalidRequestError } from '../../core/errors.ts';

/** What no identity has, and PostgreSQL does not store. */
const NUL = '\0';

/**
 * An identity that must be there.
 *
 * @throws InvalidRequestError that names the field.
 */
export function requireId(value: string, field: string): string {
  if (value === '') throw new InvalidRequestError([{ field, description: 'is needed, but was not sent.' }]);
  if (value.includes(NUL))
    throw new InvalidRequestError([{ field, description: 'must not have the character U+0000.' }]);
  return value;
}

/**
 * A list is of a sweep or of one run.
 *
 * @throws InvalidRequestError unless exactly one of the two is given.
 */
export function requireOwner(request: { readonly sweepId: string; readonly runId: string }): {
  readonly sweepId: string | null;
  readonly runId: string | null;
} {
  const { sweepId, runId } = request;
  if ((sweepId === '') === (runId === '')) {
    const description = `give it or run_id, one of the two; received '${sweepId}' and '${runId}'.`;
    throw new InvalidRequestError([{ field: 'sweep_id', description }]);
  }
  return { sweepId: sweepId === '' ? null : sweepId, runId: runId === '' ? null : runId };
}
