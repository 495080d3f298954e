import { MAX_COUNTED_FAILURES } from '../../core/retry.ts';
import type { AttemptRecord } from '../../core/records/attempt.ts';
import type { RunRecord } from '../../core/records/run.ts';

const SHOWN_RUNS = 10;

/** One sentence for each attempt that brought no result: what happened, and what followed. */
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
  if (state === 'EXPIRED') return 'nothing was heard of it until its lease ended, so it was taken back';
  return state === 'RELEASED' ? 'handed back unfinished' : 'failed';
}

function consequence({ errorClass }: AttemptRecord, counted: number, next: AttemptRecord | undefined): string {
  const goesOn =
    next === undefined ? 'it waits for a slot' : `lease ${next.leaseEpoch} went on from the last checkpoint`;
  switch (errorClass) {
    case 'COUNTED':
      return counted >= MAX_COUNTED_FAILURES
        ? `failure ${counted} of ${MAX_COUNTED_FAILURES}, which is final`
        : `failure ${counted} of ${MAX_COUNTED_FAILURES}, ${goesOn}`;
    case 'MEMORY':
      return next === undefined
        ? 'there was too little memory'
        : `there was too little memory, so lease ${next.leaseEpoch} worked off each batch in ${next.microBatchDivisor} parts`;
    case 'PERMANENT':
      return 'trying again would not help';
    case 'NUMERIC':
      return 'the loss is no number, and the same seed would give the same';
    default:
      return `not the run's fault and not counted, ${goesOn}`;
  }
}

/** For `sweep get`: what runs ended badly, and how often work was done again; empty where nothing happened. */
export function describeRunTroubles(runs: readonly RunRecord[]): string {
  const bad = runs.filter(({ state }) => state === 'FAILED' || state === 'INFEASIBLE');
  const lines = bad.slice(0, SHOWN_RUNS).map(({ runId, state, stateReason }) => {
    const [reason = ''] = stateReason.split('\n');
    return `  ${runId} is ${state}: ${reason}`;
  });
  if (bad.length > SHOWN_RUNS) lines.push(`  and ${bad.length - SHOWN_RUNS} more`);
  const waiting = runs.filter(({ state, stateReason }) => ['QUEUED', 'PAUSED'].includes(state) && stateReason !== '');
  lines.push(...waiting.slice(0, SHOWN_RUNS).map((run) => `  ${run.runId} waits again: ${run.stateReason}`));
  return lines.length === 0 ? '' : ['what went wrong', ...lines].join('\n');
}
