import { MlflowError } from '../../../platform/mlflow/mlflow-error.ts';
import type { EntryError, Settlement } from '../../store/outbox/settle-entries.ts';
import type { TakenEntry } from '../../store/outbox/take-entries.ts';

/** A part of what a subject sends, with the entries that it settles. */
export interface Step {
  readonly entries: readonly TakenEntry[];
  readonly send: () => Promise<void>;
}

/** The subject can't go on yet, for no fault of anybody: something else has to be mirrored first. */
export class NotYetError extends Error {
  override readonly name = 'NotYetError';
}

/** Another subject has heard that the server serves nobody now; this one goes on when it does. */
export class PausedError extends Error {
  override readonly name = 'PausedError';

  constructor() {
    super('MLflow asked to wait.');
  }
}

/** What the steps came to; `error` is what broke them off. */
export interface StepsOutcome extends Pick<Settlement, 'sentIds' | 'refused'> {
  readonly error: unknown;
}

/**
 * Sends one after the other. What is refused for good becomes a dead letter and the next step follows; any other failure
 * breaks off, because the same would happen to the next one.
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
