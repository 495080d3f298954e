import { MlflowError } from '../../../platform/mlflow/mlflow-error.ts';
import type { EntryError, Settlement } from '../../store/outbox/settle-entries.ts';
import type { TakenEntry } from '../../store/outbox/take-entries.ts';

/** A part of the work of sending a subject, with the entries that it settles. */
export interface Step {
  readonly entries: readonly TakenEntry[];
  readonly send: () => Promise<void>;
}

/** Thrown when a subject has to wait because another one must be mirrored first. Not a failure. */
export class NotYetError extends Error {
  override readonly name = 'NotYetError';
}

/** Thrown when another subject found the server unavailable. The subject resumes when the pause ends. */
export class PausedError extends Error {
  override readonly name = 'PausedError';

  constructor() {
    super('MLflow asked to wait.');
  }
}

/** The outcome of the steps. `error` is the failure that ended them early, or null. */
export interface StepsOutcome extends Pick<Settlement, 'sentIds' | 'refused'> {
  readonly error: unknown;
}

/**
 * Runs the steps one after the other. A permanent refusal becomes a dead letter and the next step follows. Any other failure ends
 * the steps, because the next one would fail as well.
 */
export async function runSteps(steps: readonly Step[]): Promise<StepsOutcome> {
  const sentIds: string[] = [];
  const refused: { readonly outboxIds: readonly string[]; readonly error: EntryError }[] = [];
  for (const { entries, send } of steps) {
    const outboxIds = entries.map(({ outboxId }) => outboxId);
    try {
      await send();
      sentIds.push(...outboxIds);
    } catch (error) {
      if (!(error instanceof MlflowError && error.kind === 'REFUSED')) return { sentIds, refused, error };
      refused.push({ outboxIds, error: { code: error.code, message: error.message } });
    }
  }
  return { sentIds, refused, error: null };
}
