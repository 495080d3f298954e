import stringWidth from 'string-width';
import type { RunState } from '../../core/states/run-state.ts';
import { formatInterval, formatMetric, formatValue } from '../terminal/format.ts';
import type { Paint, Style } from '../terminal/colour.ts';
import { pad } from '../terminal/pad.ts';
import { cutLine } from '../terminal/table.ts';
import { epochLimitOf } from './sweep-progress.ts';
import type { RunProgress, SweepProgress } from './sweep-progress.ts';

const BEST_MARK = '★';
/** Maximum width of a parameter's value, for example of a path. */
const MAX_VALUE_WIDTH = 24;
const GAP = 2;

const STATE_STYLES: Readonly<Record<RunState, Style | null>> = {
  QUEUED: 'dim',
  RUNNING: 'cyan',
  PAUSED: 'yellow',
  STOPPING: 'yellow',
  SUCCEEDED: 'green',
  STOPPED: 'yellow',
  CANCELLED: 'yellow',
  FAILED: 'red',
  INFEASIBLE: 'red',
};

/** A column of runs. */
interface RunColumn {
  readonly title: string;
  readonly align: 'left' | 'right';
  /** Width for cells to come, so that columns keep their place while the sweep runs. */
  readonly minWidth?: number;
  /** Order in which columns get a place: those with small numbers first. */
  readonly rank: number;
  readonly cell: (known: RunProgress, position: number) => string;
  readonly style?: (known: RunProgress) => Style | null;
}

const STATE_COLUMN = {
  title: 'state',
  align: 'left',
  cell: ({ state }: RunProgress): string => state,
  style: ({ state }: RunProgress): Style | null => STATE_STYLES[state],
} as const;

/** Returns the table of the live picture: titles, then one line per run. No line is wider than `width`. */
export function liveTable(
  progress: SweepProgress,
  runs: readonly RunProgress[],
  width: number,
  paint: Paint,
): readonly string[] {
  const hasFineTuning = runs.some(({ run }) => epochLimitOf(run, 'FINE_TUNE') !== null);
  const { metric } = progress.objective;
  const other = metric === 'val_accuracy' ? 'val_loss' : 'val_accuracy';
  const stageWidth = (hasFineTuning ? 'FINE_TUNE' : 'HEAD').length;
  const isBest = ({ run }: RunProgress): boolean => run.runId === progress.bestRunId;
  const bold = (known: RunProgress): Style | null => (isBest(known) ? 'bold' : null);
  const columns: readonly RunColumn[] = [
    { title: '', align: 'left', rank: 0, cell: (known) => (isBest(known) ? BEST_MARK : ''), style: bold },
    { title: 'run', align: 'right', rank: 0, cell: ({ run }) => String(run.runIndex), style: bold },
    { ...STATE_COLUMN, rank: 1, minWidth: 'SUCCEEDED'.length },
    { title: 'stage', align: 'left', rank: 13, cell: ({ stage }) => stage ?? '', minWidth: stageWidth },
    { title: 'epoch', align: 'right', rank: 3, cell: epochCell },
    ...rungColumns(progress),
    { title: metric, align: 'right', rank: 4, cell: ({ metrics }) => formatMetric(metrics[metric]) },
    {
      title: 'best',
      align: 'right',
      rank: 2,
      cell: ({ bestValue }) => formatMetric(bestValue),
      style: bold,
      minWidth: '0.1234'.length,
    },
    { title: 'at epoch', align: 'left', rank: 3, cell: bestEpochCell, minWidth: stageWidth + ' 10'.length },
    { title: other, align: 'right', rank: 100, cell: ({ metrics }) => formatMetric(metrics[other]) },
    ...variedColumns(runs, 10),
  ];
  return renderColumns(columns, runs, width, paint);
}

/** Returns the table of the last picture: runs by rank, with the test accuracy of those that were tested. */
export function rankedTable(
  progress: SweepProgress,
  runs: readonly RunProgress[],
  width: number,
  paint: Paint,
): readonly string[] {
  const { metric } = progress.objective;
  const first = (known: RunProgress): Style | null => (known.run.runId === progress.bestRunId ? 'bold' : null);
  const columns: readonly RunColumn[] = [
    { title: 'rank', align: 'right', rank: 0, cell: (_, position) => String(position + 1), style: first },
    { title: 'run', align: 'right', rank: 0, cell: ({ run }) => String(run.runIndex), style: first },
    { ...STATE_COLUMN, rank: 3 },
    { title: metric, align: 'right', rank: 1, cell: ({ bestValue }) => formatMetric(bestValue), style: first },
    { title: 'at epoch', align: 'left', rank: 4, cell: bestEpochCell },
    {
      title: 'test accuracy (95 %)',
      align: 'left',
      rank: 2,
      cell: ({ run }) => {
        const result = progress.testResults.get(run.runId);
        return result === undefined ? '' : formatInterval(result.accuracy, result.accuracyLow, result.accuracyHigh);
      },
    },
    ...variedColumns(runs, 10),
  ];
  return renderColumns(columns, runs, width, paint);
}

/** The highest rung of each run and its place there; no column while no run has reached one. */
function rungColumns({ places }: SweepProgress): readonly RunColumn[] {
  if (places.size === 0) return [];
  const cell = ({ run }: RunProgress): string => {
    const at = places.get(run.runId);
    return at === undefined ? '' : `${at.rung}: ${at.place} of ${at.count}`;
  };
  return [{ title: 'rung: place', align: 'left', rank: 3, cell, minWidth: '1: 10 of 10'.length }];
}

function variedColumns(runs: readonly RunProgress[], firstRank: number): readonly RunColumn[] {
  const names = [...new Set(runs.flatMap(({ run }) => run.variedNames))];
  return names.map((name, index) => ({
    title: shortName(name, names),
    align: 'left',
    rank: firstRank + index,
    cell: ({ run: { parameters } }) => {
      const value = Object.hasOwn(parameters, name) ? formatValue(parameters[name]) : '';
      return cutLine(value, MAX_VALUE_WIDTH);
    },
  }));
}

/** Shortens `head.units` to `units` if no other varied name ends so, and `fine_tune.enabled` to `fine_tune`. */
function shortName(name: string, names: readonly string[]): string {
  const dot = name.lastIndexOf('.');
  const last = name.slice(dot + 1);
  if (dot > 0 && (last === 'enabled' || last === 'name')) return name.slice(0, dot);
  return names.some((other) => other !== name && (other === last || other.endsWith(`.${last}`))) ? name : last;
}

function epochCell({ run, stage, epoch }: RunProgress): string {
  const limit = epochLimitOf(run, stage);
  if (epoch === 0 && limit === null) return '';
  return limit === null ? String(epoch) : `${epoch}/${limit}`;
}

function bestEpochCell({ bestValue, bestStage, bestEpoch }: RunProgress): string {
  return bestValue === null ? '' : `${bestStage ?? ''} ${bestEpoch}`;
}

/** Lays out the columns that fit, those of the smallest rank first, in their order. A last `…` stands for parameters without place. */
function renderColumns(
  columns: readonly RunColumn[],
  runs: readonly RunProgress[],
  width: number,
  paint: Paint,
): readonly string[] {
  const measured = columns.map((column) => {
    const cells = runs.map(column.cell);
    return {
      column,
      cells,
      width: Math.max(column.minWidth ?? 0, stringWidth(column.title), ...cells.map((cell) => stringWidth(cell))),
    };
  });
  let room = width;
  const chosen = new Set<(typeof measured)[number]>();
  for (const one of [...measured].sort((a, b) => a.column.rank - b.column.rank)) {
    const needed = one.width + (chosen.size === 0 ? 0 : GAP);
    // After the first column that does not fit, no less important one may take its place.
    if (needed > room) break;
    chosen.add(one);
    room -= needed;
  }
  const shown = measured.filter((one) => chosen.has(one));
  const isCut = shown.length < measured.length && room > GAP;
  const titles = shown.map(({ column, width: columnWidth }) => pad(column.title, columnWidth, column.align));
  const rows = runs.map((known, row) =>
    shown.map(({ column, cells, width: columnWidth }) => ({
      text: pad(cells[row] ?? '', columnWidth, column.align),
      style: column.style?.(known) ?? null,
    })),
  );
  const gap = ' '.repeat(GAP);
  return [
    paint('dim', `${titles.join(gap)}${isCut ? `${gap}…` : ''}`.trimEnd()),
    ...rows.map((cells) => joinCells(cells, gap, paint)),
  ];
}

/** Joins padded cells without blanks at the end. */
function joinCells(
  cells: readonly { readonly text: string; readonly style: Style | null }[],
  gap: string,
  paint: Paint,
): string {
  const last = cells.findLastIndex(({ text }) => text.trim() !== '');
  return cells
    .slice(0, last + 1)
    .map(({ text, style }, index) => paint(style, index === last ? text.trimEnd() : text))
    .join(gap);
}
