import { InvalidRequestError } from '../../core/errors.ts';

/**
 * An identity that must be there.
 *
 * @throws InvalidRequestError that names the field.
 */
export function requireId(value: string, field: string): string {
  if (value === '') throw new InvalidRequestError([{ field, description: 'is needed, but was not sent.' }]);
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
