import { MAX_COUNTED_FAILURES } from '../../core/retry.ts';
import type { AttemptRecord } from '../../core/records/attempt.ts';
import type { RunRecord } from '../../core/records/run.ts';

const SHOWN_RUNS = 10;

/** Returns one sentence for each attempt without a result: its end, and the consequence. */
export function describeTroubles(attempts: readonly AttemptRecord[]): readonly string[] {
  const counted = new Map<string, number>();
  return attempts.flatMap((attempt) => {
    if (!['FAILED', 'EXPIRED', 'RELEASED'].includes(attempt.state)) return [];
    const { taskId, stage, leaseEpoch, trainerId } = attempt;
    if (attempt.errorClass === 'COUNTED') counted.set(taskId, (counted.get(taskId) ?? 0) + 1);
    const next = attempts.find((other) => other.taskId === taskId && other.leaseEpoch > leaseEpoch);
    const what = consequence(attempt, counted.get(taskId) ?? 0, next);
    const code = attempt.errorCode === '' ? '' : ` (${attempt.errorCode})`;
    return [`${stage ?? taskId}, lease ${leaseEpoch} on ${trainerId}: ${ended(attempt)}${code}; ${what}.`];
  });
}

function ended({ state }: AttemptRecord): string {
  if (state === 'EXPIRED') return 'sent no heartbeat before its lease expired';
  return state === 'RELEASED' ? 'handed back before its end' : 'failed';
}

function consequence({ errorClass }: AttemptRecord, counted: number, next: AttemptRecord | undefined): string {
  const continuation =
    next === undefined ? 'it waits for a slot' : `lease ${next.leaseEpoch} resumed from the last checkpoint`;
  switch (errorClass) {
    case 'COUNTED':
      return counted >= MAX_COUNTED_FAILURES
        ? `failure ${counted} of ${MAX_COUNTED_FAILURES}, which is final`
        : `failure ${counted} of ${MAX_COUNTED_FAILURES}, ${continuation}`;
    case 'MEMORY':
      return next === undefined
        ? 'out of memory'
        : `out of memory, so lease ${next.leaseEpoch} processed each batch in ${next.microBatchDivisor} micro-batches`;
    case 'PERMANENT':
      return 'a retry would fail again';
    case 'NUMERIC':
      return 'the loss is not a number, and a retry with the same seed would repeat it';
    default:
      return `not caused by the run and not counted, ${continuation}`;
  }
}

/** Returns the runs that failed, were infeasible or wait for a retry, with the reasons; empty if there are none. */
export function describeRunTroubles(runs: readonly RunRecord[]): string {
  const bad = runs.filter(({ state }) => state === 'FAILED' || state === 'INFEASIBLE');
  const lines = bad.slice(0, SHOWN_RUNS).map(({ runId, state, stateReason }) => {
    const [reason = ''] = stateReason.split('\n');
    return `  ${runId} is ${state}: ${reason}`;
  });
  if (bad.length > SHOWN_RUNS) lines.push(`  and ${bad.length - SHOWN_RUNS} more`);
  const waiting = runs.filter(
    ({ state, stateReason, pausedRung }) =>
      ['QUEUED', 'PAUSED'].includes(state) && stateReason !== '' && pausedRung === null,
  );
  lines.push(...waiting.slice(0, SHOWN_RUNS).map((run) => `  ${run.runId} waits for a retry: ${run.stateReason}`));
  return lines.length === 0 ? '' : ['problems', ...lines].join('\n');
}
