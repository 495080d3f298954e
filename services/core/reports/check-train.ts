import type { FieldViolation } from '../sweep/sweep-spec.ts';
import type { RunOutcome } from '../task.ts';
import { checkTaskError } from './check-error.ts';
import { Mistakes } from './mistakes.ts';
import { shown } from './text-rules.ts';

/** A run of the task. */
export interface TrainMember {
  readonly runId: string;
  /** Number of epochs of the stage. */
  readonly epochLimit: number;
  /** Epoch after which it is to be paused; null: it trains to the end of the stage. */
  readonly pauseEpoch: number | null;
  /** True: its outcome may be missing, because the run has ended. */
  readonly hasEnded: boolean;
}

/** Maximum amount of memory: a pebibyte. */
const MAX_BYTES = 2 ** 50;

/** Returns the mistakes in the result of HEAD or FINE_TUNE. */
export function checkTrain(outcomes: readonly RunOutcome[], members: readonly TrainMember[]): FieldViolation[] {
  const mistakes = new Mistakes();
  const byRun = new Map(members.map((member) => [member.runId, member]));
  const given = new Set<string>();
  for (const [index, outcome] of outcomes.entries()) {
    const field = `train.outcomes[${index}]`;
    const { runId, error } = outcome;
    const member = byRun.get(runId);
    if (member === undefined) mistakes.add(`${field}.run_id`, `${shown(runId)} is no run of the task.`);
    if (given.has(runId)) mistakes.add(`${field}.run_id`, `must be each run once; received ${shown(runId)} twice.`);
    given.add(runId);
    mistakes.count(`${field}.epoch_count`, outcome.epochCount, 0, member?.epochLimit ?? Infinity);
    mistakes.range(`${field}.peak_memory_bytes`, outcome.peakMemoryBytes, 0, MAX_BYTES);
    if (error !== null && outcome.kind !== 'FAILED') {
      mistakes.add(`${field}.error`, `must be absent unless the run FAILED; received ${outcome.kind}.`);
    }
    if (error !== null) mistakes.addAll(checkTaskError(error, `${field}.error`));
    if (member !== undefined) mistakes.add(`${field}.kind`, pauseMistake(outcome, member));
    checkEarlyStop(outcome, `${field}.early_stop`, mistakes);
  }
  const missing = members.filter(({ runId, hasEnded }) => !hasEnded && !given.has(runId));
  if (missing.length > 0) {
    const description = `must have one for each run; missing: ${missing.map(({ runId }) => runId).join(', ')}.`;
    mistakes.add('train.outcomes', description);
  }
  return mistakes.list;
}

function pauseMistake({ kind, epochCount }: RunOutcome, { pauseEpoch }: TrainMember): string | null {
  if (kind !== 'PAUSED') return null;
  if (pauseEpoch === null) return 'must not be PAUSED, because the task named no epoch to pause at; received PAUSED.';
  // An attempt by an earlier version may have trained beyond it.
  if (epochCount >= pauseEpoch) return null;
  return `must be PAUSED only from epoch ${pauseEpoch} on, as asked; received PAUSED after epoch ${epochCount}.`;
}

function checkEarlyStop({ kind, epochCount, earlyStop }: RunOutcome, field: string, mistakes: Mistakes): void {
  if (earlyStop === undefined) return;
  if (kind !== 'EARLY_STOPPED') mistakes.add(field, `must be absent unless the run EARLY_STOPPED; received ${kind}.`);
  mistakes.count(`${field}.patience`, earlyStop.patience, 1, Infinity);
  mistakes.range(`${field}.min_delta`, earlyStop.minDelta, 0, Number.MAX_VALUE);
  mistakes.count(`${field}.best_epoch`, earlyStop.bestEpoch, 1, epochCount);
  mistakes.range(`${field}.best_value`, earlyStop.bestValue, -Number.MAX_VALUE, Number.MAX_VALUE);
}
