import { escapeControls } from '../../core/text/control-characters.ts';
import { isTerminalRunState } from '../../core/states/run-state.ts';
import { describeTie } from '../../core/ranking.ts';
import { formatMetric, formatParameters, formatValue } from '../terminal/format.ts';
import { cutLine, renderTable } from '../terminal/table.ts';
import type { Column } from '../terminal/table.ts';
import { metricsOf } from '../../core/records/event.ts';
import type { StoredEvent } from '../../core/records/event.ts';
import { epochLimitOf, rankedRun } from './sweep-progress.ts';
import type { RunProgress, SweepProgress } from './sweep-progress.ts';

export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
}

const BEST_MARK = '★';
/** Number of lines that are not runs: header, titles, summary, hint. */
const FIXED_LINES = 4;
const FEWEST_RUNS = 3;

/** Returns the lines of the live picture: header, one line per run, summary. They fit the screen. */
export function renderProgress(progress: SweepProgress, screen: Screen): readonly string[] {
  const all = [...progress.runs.values()].sort((a, b) => a.run.runIndex - b.run.runIndex);
  const shown = chooseRuns(progress, all, Math.max(FEWEST_RUNS, screen.rows - FIXED_LINES));
  const lines = [headerLine(progress), ...runLines(progress, shown, screen)];
  if (shown.length < all.length) lines.push(`… and ${all.length - shown.length} more runs`);
  lines.push(summaryLine(progress, all));
  return lines.map((line) => cutLine(line, screen.columns));
}

/** Returns one plain line for an event; null if the event is not worth a line. */
export function describeEvent(progress: SweepProgress, { event }: StoredEvent): string | null {
  switch (event.kind) {
    case 'SWEEP_STATE': {
      const failed = event.state === 'SUCCEEDED' ? failures(progress.runs.values()) : '';
      return `sweep ${event.state}${failed}${because(event.reason)}`;
    }
    case 'RUN_STATE':
      return `run ${runName(progress, event.runId)} ${event.state}${because(event.reason)}`;
    case 'EPOCH':
      return epochLine(progress, event.runId, event.epoch, metricsOf(event));
    case 'TASK':
      return `task ${escapeControls(event.taskId)} ${event.stage ?? ''} ${event.state}${onTrainer(event.trainerId)}${because(event.message)}`;
    case 'TEST_RESULT': {
      const { runId, accuracy, accuracyLow, accuracyHigh, imageCount } = event.result;
      const interval = `${formatMetric(accuracyLow)} – ${formatMetric(accuracyHigh)}`;
      return `test ${runName(progress, runId)} accuracy ${formatMetric(accuracy)} (95 %: ${interval}) on ${imageCount} images`;
    }
  }
}

function epochLine(
  progress: SweepProgress,
  runId: string,
  epoch: number,
  metrics: Readonly<Record<string, number>>,
): string {
  const known = progress.runs.get(runId);
  const limit = known === undefined ? null : epochLimitOf(known.run, known.stage);
  const best = progress.bestRunId === runId && known?.bestValue === metrics[progress.objective.metric];
  const values = ['loss', 'accuracy', 'val_loss', 'val_accuracy']
    .filter((name) => metrics[name] !== undefined)
    .map((name) => `${name} ${formatMetric(metrics[name])}`);
  const counted = limit === null ? String(epoch) : `${epoch}/${limit}`;
  return `run ${runName(progress, runId)} ${known?.stage ?? ''} epoch ${counted} ${values.join(' ')}${best ? ' best' : ''}`;
}

function headerLine(progress: SweepProgress): string {
  const name = progress.displayName === '' ? '' : ` “${escapeControls(progress.displayName)}”`;
  return `Sweep ${progress.sweepId}${name}: ${progress.state}${because(progress.reason)}`;
}

function summaryLine(progress: SweepProgress, runs: readonly RunProgress[]): string {
  const ended = runs.filter(({ state }) => isTerminalRunState(state)).length;
  const parts = [`${ended} of ${runs.length} runs ended${failures(runs)}`];
  const best = progress.bestRunId === null ? undefined : progress.runs.get(progress.bestRunId);
  if (best !== undefined) {
    const tie = describeTie(progress.objective, rankedRun(best), runs.map(rankedRun));
    const named = `run ${best.run.runIndex}${tie === '' ? '' : `, ${tie}`}`;
    parts.push(`best ${progress.objective.metric} ${formatMetric(best.bestValue)} (${named})`);
  }
  const working = [...progress.activeTasks.values()].map(({ stage }) => stage ?? 'task');
  if (working.length > 0) parts.push(`working on ${countWords(working)}`);
  return parts.join(' · ');
}

/** Returns `, 2 FAILED, 1 INFEASIBLE`; empty if there are none. */
function failures(runs: Iterable<RunProgress>): string {
  const words = [...runs].map(({ state }) => state).filter((state) => state === 'FAILED' || state === 'INFEASIBLE');
  return ['FAILED', 'INFEASIBLE']
    .map((word) => ({ word, count: words.filter((state) => state === word).length }))
    .filter(({ count }) => count > 0)
    .map(({ word, count }) => `, ${count} ${word}`)
    .join('');
}

function countWords(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => (count === 1 ? word : `${count}× ${word}`)).join(', ');
}

/** Chooses the runs that fit: the best run and active runs first. Returns them by number. */
function chooseRuns(progress: SweepProgress, runs: readonly RunProgress[], room: number): readonly RunProgress[] {
  if (runs.length <= room) return runs;
  const weight = ({ run, state }: RunProgress): number => {
    if (run.runId === progress.bestRunId) return 0;
    if (state === 'RUNNING' || state === 'STOPPING') return 1;
    return state === 'QUEUED' || state === 'PAUSED' ? 3 : 2;
  };
  const chosen = [...runs].sort((a, b) => weight(a) - weight(b) || a.run.runIndex - b.run.runIndex);
  return chosen.slice(0, room - 1).sort((a, b) => a.run.runIndex - b.run.runIndex);
}

const RESULT_COLUMNS: readonly Column[] = [
  { title: 'state' },
  { title: 'stage' },
  { title: 'epoch', align: 'right' },
  { title: 'val_loss', align: 'right' },
  { title: 'val_acc', align: 'right' },
];

function runLines(progress: SweepProgress, runs: readonly RunProgress[], screen: Screen): readonly string[] {
  const varied = [...new Set(runs.flatMap(({ run }) => run.variedNames))];
  const columns: Column[] = [
    { title: '' },
    { title: 'run', align: 'right' },
    ...RESULT_COLUMNS,
    ...varied.map((title) => ({ title: shortName(title, varied) })),
  ];
  const rows = runs.map((known) => [
    known.run.runId === progress.bestRunId ? BEST_MARK : ' ',
    String(known.run.runIndex),
    known.state,
    known.stage ?? '',
    epochCell(known),
    formatMetric(known.valLoss),
    formatMetric(known.valAccuracy),
    ...varied.map((name) => (Object.hasOwn(known.run.parameters, name) ? formatValue(known.run.parameters[name]) : '')),
  ]);
  const lines = renderTable(columns, rows).split('\n');
  return screen.colour
    ? lines.map((line, index) => paint(line, index === 0 ? null : runs[index - 1], progress))
    : lines;
}

/** Shortens `head.units` to `units` if no other varied name ends so, and `fine_tune.enabled` to `fine_tune`. */
function shortName(name: string, names: readonly string[]): string {
  const dot = name.lastIndexOf('.');
  const last = name.slice(dot + 1);
  if (dot > 0 && (last === 'enabled' || last === 'name')) return name.slice(0, dot);
  return names.some((other) => other !== name && (other === last || other.endsWith(`.${last}`))) ? name : last;
}

function epochCell(known: RunProgress): string {
  const limit = epochLimitOf(known.run, known.stage);
  if (known.epoch === 0 && limit === null) return '';
  return limit === null ? String(known.epoch) : `${known.epoch}/${limit}`;
}

function paint(line: string, known: RunProgress | null | undefined, progress: SweepProgress): string {
  if (known === null || known === undefined) return `\u001b[2m${line}\u001b[0m`;
  if (known.run.runId === progress.bestRunId) return `\u001b[1;32m${line}\u001b[0m`;
  if (known.state === 'FAILED' || known.state === 'INFEASIBLE') return `\u001b[31m${line}\u001b[0m`;
  if (known.state === 'RUNNING') return `\u001b[36m${line}\u001b[0m`;
  return known.state === 'QUEUED' ? `\u001b[2m${line}\u001b[0m` : line;
}

/** Returns a run's number and varied parameters: `3 (head.units=64)`. */
function runName(progress: SweepProgress, runId: string): string {
  const run = progress.runs.get(runId)?.run;
  if (run === undefined) return runId;
  const parameters = formatParameters(run.parameters, run.variedNames);
  return parameters === '' ? String(run.runIndex) : `${run.runIndex} (${parameters})`;
}

function because(reason: string): string {
  return reason === '' ? '' : `: ${escapeControls(reason)}`;
}

function onTrainer(trainerId: string): string {
  return trainerId === '' ? '' : ` on ${escapeControls(trainerId)}`;
}
