import type { AttemptRecord } from '../../core/records/attempt.ts';
import type { RunExplanation } from '../../core/records/explanation.ts';
import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import { escapeControls } from '../../core/text/control-characters.ts';
import { formatBytes, formatMetric, formatParameters, formatTime, formatValue } from '../terminal/format.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { renderFacts, renderTable } from '../terminal/table.ts';
import { annotationFacts } from './annotation-text.ts';
import { describeTroubles } from './attempt-text.ts';
import { describeRungs } from './explain-run-text.ts';
import { END_WORDS } from './end-words.ts';
import { epochOf } from './run-columns.ts';
import { describeTest } from './test-text.ts';
import { formatTook } from './took.ts';

export function describeRun(run: RunRecord): string {
  const names = Object.keys(run.parameters);
  const facts = renderFacts([
    ['run', run.runId],
    ['sweep', run.sweepId],
    ...annotationFacts(run),
    ['state', run.stateReason === '' ? run.state : `${run.state}: ${run.stateReason}`],
    ['stage', [run.stage ?? '–', epochOf(run)].filter((part) => part !== '').join(', epoch ')],
    ...endFacts(run),
    ['best value', bestOf(run)],
    ['best val_loss', formatMetric(run.bestValLoss)],
    ['best val_accuracy', formatMetric(run.bestValAccuracy)],
    ['last value', formatMetric(run.lastValue)],
    ...(run.headRunId === null
      ? []
      : [['head', `trained by ${run.headRunId}, which has the same head phase`] as const]),
    ['attempts', String(run.attemptCount)],
    ['peak memory', run.peakMemoryBytes === null ? '' : formatBytes(run.peakMemoryBytes)],
    ['started', formatTime(run.startTime)],
    ['ended', formatTime(run.endTime)],
  ]);
  const parameters = renderFacts(
    names.map((name) => {
      const varies = run.variedNames.includes(name) ? '  (varies)' : '';
      return [name, `${formatValue(run.parameters[name])}${varies}`] as const;
    }),
  );
  return `${facts}\n\nparameters\n${parameters}`;
}

/** Returns why a run ended and how far it came, as far as that is known. */
function endFacts({ endCause, rung, pausedRung, reusedRunId }: RunRecord): readonly (readonly [string, string])[] {
  return [
    ...(endCause === null ? [] : [['ended by', END_WORDS[endCause]] as const]),
    ...(rung === null ? [] : [['rung', pausedRung === null ? String(rung) : `${rung}, paused there`] as const]),
    ...(reusedRunId === null ? [] : [['result of', reusedRunId] as const]),
  ];
}

/** Explains a run in words: its state and reason, its rank, its rungs with their decisions, its attempts. */
export function explainRun(
  run: RunRecord,
  attempts: readonly AttemptRecord[],
  sweep: SweepRecord,
  entry: LeaderboardRecord | null,
  explanation: RunExplanation | null,
): string {
  const rungs = explanation === null ? [] : describeRungs(explanation, sweep.spec.objective.metric);
  const varied = formatParameters(run.parameters, run.variedNames);
  const parts = [
    `Run ${run.runId} (number ${run.runIndex} of sweep ${sweep.sweepId}${varied === '' ? '' : `; ${varied}`})`,
    `is ${run.state}${run.stateReason === '' ? '' : `: ${run.stateReason}`}.`,
    '',
    standing(run, sweep, entry),
    ...headLines(run),
    ...(entry?.testResult ? describeTest(entry.testResult) : []),
    ...(rungs.length === 0 ? [] : ['', ...rungs.map(escapeControls)]),
    '',
    attempts.length === 0
      ? run.reusedRunId === null
        ? 'It has no attempt yet.'
        : `It needed no attempt: run ${run.reusedRunId} of another sweep has trained it: ${GRAFT} run explain ${run.reusedRunId}`
      : attempts.length === 1
        ? '1 attempt:'
        : `${attempts.length} attempts, oldest first:`,
  ];
  if (attempts.length > 0) parts.push(describeAttempts(attempts));
  const troubles = describeTroubles(attempts);
  if (troubles.length > 0) {
    parts.push('', `${troubles.length} of them ended without a result:`, ...troubles.map((line) => `  ${line}`));
  }
  return parts.join('\n');
}

function standing(run: RunRecord, sweep: SweepRecord, entry: LeaderboardRecord | null): string {
  const { metric } = sweep.spec.objective;
  if (run.bestValue === null) return `It has no ${metric} yet.`;
  const rank = entry === null ? '' : `, rank ${entry.rank} of ${sweep.runCount}`;
  return `Its best ${metric} is ${bestOf(run)}${rank}.`;
}

function headLines({ headRunId }: RunRecord): readonly string[] {
  if (headRunId === null) return [];
  return [
    `Its head was trained by run ${headRunId}, which has the same head phase. It starts from the best checkpoint of that head.`,
    `The head's curve and attempts belong to that run: ${GRAFT} run explain ${headRunId}`,
  ];
}

function describeAttempts(attempts: readonly AttemptRecord[]): string {
  return renderTable(
    [
      { title: 'task' },
      { title: 'stage' },
      { title: 'lease', align: 'right' },
      { title: 'trainer' },
      { title: 'slot', align: 'right' },
      { title: 'began' },
      { title: 'took', align: 'right' },
      { title: 'state' },
      { title: 'error' },
    ],
    attempts.map((attempt) => [
      attempt.taskId,
      attempt.stage ?? '',
      String(attempt.leaseEpoch),
      attempt.trainerId,
      String(attempt.slotIndex),
      formatTime(attempt.startTime),
      formatTook(attempt),
      attempt.state,
      [attempt.errorClass, attempt.message].filter((part) => part !== '').join(': '),
    ]),
  );
}

function bestOf(run: RunRecord): string {
  if (run.bestValue === null) return '–';
  return `${formatMetric(run.bestValue)} (${run.bestStage ?? ''} epoch ${run.bestEpoch})`;
}
