import { escapeControls } from '../../core/text/control-characters.ts';
import { isTerminalRunState } from '../../core/states/run-state.ts';
import { isTerminalSweepState } from '../../core/states/sweep-state.ts';
import type { SweepState } from '../../core/states/sweep-state.ts';
import { compareRuns, describeTie } from '../../core/ranking.ts';
import { countOf } from '../../core/text/count-of.ts';
import { painter } from '../terminal/colour.ts';
import type { Paint, Style } from '../terminal/colour.ts';
import { failureLines } from '../terminal/failure-lines.ts';
import type { EndedRun } from '../terminal/failure-lines.ts';
import { formatDuration, formatMetric, formatRoughly } from '../terminal/format.ts';
import { cutLine } from '../terminal/table.ts';
import { failures } from './describe-event.ts';
import { elapsedSeconds, remainingSeconds, workDone } from './remaining-time.ts';
import { liveTable, rankedTable } from './run-table.ts';
import { rankedRun } from './sweep-progress.ts';
import type { RunProgress, SweepProgress } from './sweep-progress.ts';

export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
  /** Last line of the picture of a running sweep; null: none. */
  readonly hint: string | null;
}

/** Number of runs in the last picture. */
const TOP = 10;
/** Maximum number of lines about failed runs while the sweep runs. */
const FAILURE_LINES = 3;
const FEWEST_RUNS = 3;

const STATE_STYLES: Readonly<Record<SweepState, Style>> = {
  ACTIVE: 'cyan',
  PAUSED: 'yellow',
  SUCCEEDED: 'green',
  FAILED: 'red',
  CANCELLED: 'yellow',
};

/**
 * Returns the lines of the picture: of a running sweep, its progress and the runs that matter most; of an ended one, the best
 * runs by rank. No line is wider than the screen, and with the cursor's line below they are not higher.
 */
export function renderProgress(progress: SweepProgress, screen: Screen, now: Date): readonly string[] {
  const width = Math.max(1, screen.columns - 1);
  const height = Math.max(1, screen.rows - 1);
  const lines = isTerminalSweepState(progress.state)
    ? lastPicture(progress, { ...screen, columns: width, rows: height }, now)
    : livePicture(progress, { ...screen, columns: width, rows: height }, now);
  return lines.slice(0, height).map((line) => cutLine(line, width));
}

function livePicture(progress: SweepProgress, { columns, rows, colour, hint }: Screen, now: Date): readonly string[] {
  const paint = painter(colour);
  const all = [...progress.runs.values()].sort((a, b) => a.run.runIndex - b.run.runIndex);
  const head = [headerLine(progress, paint), countsLine(progress, all, now, paint), ...bestLine(progress, all)];
  const failed = failureLines(all.map(endedRun), FAILURE_LINES).map((line) => paint('red', line));
  const last = hint === null ? [] : [paint('dim', hint)];
  // Titles and the line about other runs.
  const room = Math.max(FEWEST_RUNS, rows - head.length - 2 - failed.length - last.length);
  const shown = chooseRuns(progress, all, all.length <= room + 1 ? all.length : room);
  const table = all.length === 0 ? [] : liveTable(progress, shown, columns, paint);
  return [...head, ...table, ...othersLine(all, shown), ...failed, ...last];
}

function lastPicture(progress: SweepProgress, { columns, rows, colour }: Screen, now: Date): readonly string[] {
  const paint = painter(colour);
  const elapsed = elapsedSeconds(progress, now);
  const after = elapsed === null ? '' : ` after ${formatDuration(elapsed * 1_000)}`;
  const ranked = [...progress.runs.values()]
    .filter(isRanked)
    .sort((a, b) => compareRuns(progress.objective, rankedRun(a), rankedRun(b)));
  const shown = ranked.slice(0, Math.max(1, Math.min(TOP, rows - 3)));
  const table = shown.length === 0 ? [] : rankedTable(progress, shown, columns, paint);
  return [headerLine(progress, paint, after), ...table, ...othersLine(ranked, shown)];
}

function headerLine(progress: SweepProgress, paint: Paint, after = ''): string {
  const name = progress.displayName === '' ? '' : ` “${escapeControls(progress.displayName)}”`;
  const reason = progress.reason === '' ? '' : `: ${firstLine(progress.reason)}`;
  const state = paint(STATE_STYLES[progress.state], progress.state);
  return `Sweep ${progress.sweepId}${name} ${state}${after}${reason}`;
}

function firstLine(reason: string): string {
  return escapeControls(reason.trim().split(/[\r\n]+/)[0] ?? '');
}

/** Returns `42 % · 5 of 12 ended, 1 FAILED · 3 min 12 s, about 4 min left · working on 2× HEAD`. */
function countsLine(progress: SweepProgress, runs: readonly RunProgress[], now: Date, paint: Paint): string {
  const ended = runs.filter(({ state }) => isTerminalRunState(state)).length;
  const done = workDone(progress);
  const working = [...progress.activeTasks.values()].map(({ stage }) => stage ?? 'task');
  return [
    ...(done === null ? [] : [`${Math.floor(done * 100)} %`]),
    `${ended} of ${runs.length} ended${failures(runs, (text) => paint('red', text))}${pausedPart(progress, runs)}`,
    ...roundPart(progress, runs),
    ...timePart(progress, now),
    ...(working.length > 0 ? [`working on ${countWords(working)}`] : []),
    ...(working.length === 0 && progress.state === 'ACTIVE' ? ['waiting for a free slot'] : []),
  ].join(' · ');
}

/** Returns the number of runs that wait at a rung; a sweep that a person paused has no other paused runs. */
function pausedPart({ state }: SweepProgress, runs: readonly RunProgress[]): string {
  const count = state === 'ACTIVE' ? runs.filter((run) => run.state === 'PAUSED').length : 0;
  return count === 0 ? '' : `, ${count} paused at a rung`;
}

/** Returns `round 2, at most 48 runs` in a sweep whose strategy asks for rounds. */
function roundPart({ mostRuns }: SweepProgress, runs: readonly RunProgress[]): readonly string[] {
  const rounds = runs.flatMap(({ run }) => run.round ?? []);
  if (rounds.length === 0) return [];
  const bound = mostRuns === null || runs.length >= mostRuns ? '' : `, at most ${countOf(mostRuns, 'run')}`;
  return [`round ${Math.max(...rounds)}${bound}`];
}

function timePart(progress: SweepProgress, now: Date): readonly string[] {
  const elapsed = elapsedSeconds(progress, now);
  if (elapsed === null) return [];
  const left = remainingSeconds(progress, now);
  const took = formatDuration(Math.max(1, Math.floor(elapsed)) * 1_000).replace('.0 s', ' s');
  return [left === null ? took : `${took}, ${formatRoughly(left)} left`];
}

function bestLine(progress: SweepProgress, runs: readonly RunProgress[]): readonly string[] {
  const best = progress.bestRunId === null ? undefined : progress.runs.get(progress.bestRunId);
  if (best === undefined) return [];
  const tie = describeTie(progress.objective, rankedRun(best), runs.filter(isRanked).map(rankedRun));
  const at = best.bestStage === null ? '' : ` at ${best.bestStage} epoch ${best.bestEpoch}`;
  const named = `run ${best.run.runIndex}${tie === '' ? '' : `, ${tie}`}`;
  return [`best ${progress.objective.metric} ${formatMetric(best.bestValue)}${at} (${named})`];
}

/** Counts the runs that are not shown by state. */
function othersLine(all: readonly RunProgress[], shown: readonly RunProgress[]): readonly string[] {
  if (shown.length >= all.length) return [];
  const visible = new Set(shown);
  const others = all.filter((known) => !visible.has(known));
  const states = countWords(
    others.map(({ state }) => state),
    (word, count) => `${count} ${word}`,
  );
  return [`… and ${countOf(others.length, 'other run')}: ${states}`];
}

function countWords(
  words: readonly string[],
  show = (word: string, count: number): string => (count === 1 ? word : `${count}× ${word}`),
): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => show(word, count)).join(', ');
}

/** Returns whether a run has a rank: repetitions with other seeds count in the score of their run. */
function isRanked({ run }: RunProgress): boolean {
  return run.repeatOfRunId === null;
}

function endedRun({ run, state, reason }: RunProgress): EndedRun {
  return { runIndex: run.runIndex, state, reason };
}

/**
 * Chooses the runs that matter most: the best one, those that train, ended ones by rank, waiting ones by number, failed ones.
 * Returns them by number.
 */
function chooseRuns(progress: SweepProgress, runs: readonly RunProgress[], room: number): readonly RunProgress[] {
  if (runs.length <= room) return runs;
  const weight = ({ run, state, bestValue }: RunProgress): number => {
    if (run.runId === progress.bestRunId) return 0;
    if (state === 'RUNNING' || state === 'STOPPING') return 1;
    if (state === 'FAILED' || state === 'INFEASIBLE' || state === 'CANCELLED') return 4;
    return bestValue === null ? 3 : 2;
  };
  const chosen = [...runs].sort(
    (a, b) =>
      weight(a) - weight(b) ||
      (weight(a) === 2 ? compareRuns(progress.objective, rankedRun(a), rankedRun(b)) : a.run.runIndex - b.run.runIndex),
  );
  return chosen.slice(0, room).sort((a, b) => a.run.runIndex - b.run.runIndex);
}
