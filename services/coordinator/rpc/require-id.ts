import { InvalidRequestError } from '../../core/errors.ts';

/** A character that no identifier has and PostgreSQL can't store. */
const NUL = '\0';

/**
 * Returns an identifier of a request.
 *
 * @throws InvalidRequestError that names the field, when it is empty or has the character U+0000.
 */
export function requireId(value: string, field: string): string {
  if (value === '') throw new InvalidRequestError([{ field, description: 'is required; received none.' }]);
  if (value.includes(NUL))
    throw new InvalidRequestError([{ field, description: 'must not have the character U+0000.' }]);
  return value;
}

/**
 * Returns the owner of a list: a sweep or a run.
 *
 * @throws InvalidRequestError unless exactly one of the two is given.
 */
export function requireOwner(request: { readonly sweepId: string; readonly runId: string }): {
  readonly sweepId: string | null;
  readonly runId: string | null;
} {
  const { sweepId, runId } = request;
  if ((sweepId === '') === (runId === '')) {
    const description = `must be given if run_id is not, and only then; received '${sweepId}' and '${runId}'.`;
    throw new InvalidRequestError([{ field: 'sweep_id', description }]);
  }
  return { sweepId: sweepId === '' ? null : sweepId, runId: runId === '' ? null : runId };
}
