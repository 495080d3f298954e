import type { AttemptRecord } from '../../core/records/attempt.ts';
import type { RunExplanation, RungVisitRecord } from '../../core/records/explanation.ts';
import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import { originOf } from '../../core/samplers/origin.ts';
import { escapeControls } from '../../core/text/control-characters.ts';
import {
  formatBytes,
  formatCount,
  formatMetric,
  formatParameters,
  formatTime,
  formatValue,
} from '../terminal/format.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { renderFacts, renderTable } from '../terminal/table.ts';
import { annotationFacts } from './annotation-text.ts';
import { describeTroubles } from './attempt-text.ts';
import { describeRungs, placeThere } from './explain-run-text.ts';
import { END_WORDS } from './end-words.ts';
import { epochOf } from './run-columns.ts';
import { placeOfRung } from './rung-text.ts';
import { describeTest } from './test-text.ts';
import { formatTook } from './took.ts';

/** Returns the facts of a run. @param visit its highest rung; null: none, or unknown */
export function describeRun(run: RunRecord, visit: RungVisitRecord | null = null): string {
  const names = Object.keys(run.parameters);
  const facts = renderFacts([
    ['run', run.runId],
    ['sweep', run.sweepId],
    ...annotationFacts(run),
    ['state', run.stateReason === '' ? run.state : `${run.state}: ${run.stateReason}`],
    ['stage', [run.stage ?? '–', epochOf(run)].filter((part) => part !== '').join(', epoch ')],
    ...endFacts(run, visit),
    ['best value', bestOf(run)],
    ...(run.score === null ? [] : [['score', scoreOf(run)] as const]),
    ['best val_loss', formatMetric(run.bestValLoss)],
    ['best val_accuracy', formatMetric(run.bestValAccuracy)],
    ['last value', formatMetric(run.lastValue)],
    ...(run.headRunId === null
      ? []
      : [['head', `trained by ${run.headRunId}, which has the same head phase`] as const]),
    ['attempts', String(run.attemptCount)],
    ...costFacts(run),
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

/** Returns why a run ended, where it came from and how far it came, as far as that is known. */
function endFacts(
  { endCause, rung, pausedRung, reusedRunId, repeatOfRunId, round, roundPosition, sampler }: RunRecord,
  visit: RungVisitRecord | null,
): readonly (readonly [string, string])[] {
  const at = visit === null ? String(rung) : `${visit.rung.rung} (${placeOfRung(visit.rung)}), ${placeThere(visit)}`;
  return [
    ...(endCause === null ? [] : [['ended by', END_WORDS[endCause]] as const]),
    ...(round === null ? [] : [['round', `${round}, place ${roundPosition ?? 0}, by ${sampler}`] as const]),
    ...(rung === null ? [] : [['rung', pausedRung === null ? at : `${at}, paused there`] as const]),
    ...(repeatOfRunId === null ? [] : [['repeats', `${repeatOfRunId} with other seeds`] as const]),
    ...(reusedRunId === null ? [] : [['result of', reusedRunId] as const]),
  ];
}

/** Returns what its model costs to use, if that is stored. */
function costFacts({ modelBytes, parameterCount, flops }: RunRecord): readonly (readonly [string, string])[] {
  if (modelBytes === null || parameterCount === null || flops === null) return [];
  return [
    [
      'model',
      `${formatBytes(modelBytes)} in float32, ${formatCount(parameterCount)} parameters, ${formatCount(flops)} operations per image`,
    ],
  ];
}

/** Longest time in which a sweep is written with its first runs. */
const MAX_CREATION_MS = 1_000;

/** Explains a run in words: its state and reason, its rank, its rungs with their decisions, its attempts. */
export function explainRun(
  run: RunRecord,
  attempts: readonly AttemptRecord[],
  sweep: SweepRecord,
  entry: LeaderboardRecord | null,
  explanation: RunExplanation | null,
  rankedCount = sweep.runCount,
): string {
  const rungs =
    explanation === null ? [] : describeRungs(explanation, sweep.spec.objective.metric, sweep.searchEnd !== null);
  const varied = formatParameters(run.parameters, run.variedNames);
  const parts = [
    `Run ${run.runId} (number ${run.runIndex} of sweep ${sweep.sweepId}${varied === '' ? '' : `; ${varied}`})`,
    `is ${run.state}${run.stateReason === '' ? '' : `: ${run.stateReason}`}.`,
    '',
    ...(run.repeatOfRunId === null
      ? originLines(run, sweep, explanation?.origin ?? '')
      : repeatLines(run.repeatOfRunId)),
    standing(run, sweep, entry, rankedCount),
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

/** Returns where the run comes from, on one line. */
function originLines(run: RunRecord, sweep: SweepRecord, suggestion: string): readonly string[] {
  const { parameters, createTime } = run;
  if (suggestion !== '') return [`It was ${escapeControls(suggestion)}.`];
  const origin = originOf(sweep.spec, parameters);
  // A sweep and its first runs are created at the same time.
  const isAdded = createTime.getTime() > sweep.createTime.getTime() + MAX_CREATION_MS;
  const added = isAdded ? `added by an extension at ${formatTime(createTime)}` : '';
  const parts = [origin ?? '', added].filter((part) => part !== '');
  return parts.length === 0 ? [] : [`It is ${origin === null ? 'a run ' : ''}${parts.join(', ')}.`];
}

/** Returns whose repetition a run is, and what for. */
function repeatLines(original: string): readonly string[] {
  return [
    `It repeats run ${original}, a finalist, with other seeds: its value counts in the score of that run, and it has no rank itself.`,
    `Why that run is a finalist: ${GRAFT} run explain ${original}`,
  ];
}

function standing(run: RunRecord, sweep: SweepRecord, entry: LeaderboardRecord | null, rankedCount: number): string {
  const { metric } = sweep.spec.objective;
  if (run.bestValue === null) return `It has no ${metric} yet.`;
  const rank = entry === null ? '' : `, rank ${entry.rank} of ${rankedCount}`;
  const score = run.score === null ? '' : ` Its score is ${scoreOf(run)}.`;
  return `Its best ${metric} is ${bestOf(run)}${rank}.${score}`;
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

/** Formats the mean over the seeds of a run that was repeated: `0.9580 ± 0.0012, the mean of 3 seeds`. */
function scoreOf({ score, scoreStandardError, measurementCount }: RunRecord): string {
  const error = scoreStandardError === null ? '' : ` ± ${formatMetric(scoreStandardError)}`;
  return `${formatMetric(score)}${error}, ${measurementCount === 1 ? 'of 1 seed' : `the mean of ${measurementCount} seeds`}`;
}

function bestOf(run: RunRecord): string {
  if (run.bestValue === null) return '–';
  return `${formatMetric(run.bestValue)} (${run.bestStage ?? ''} epoch ${run.bestEpoch})`;
}
