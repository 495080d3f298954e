import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { PairedComparison } from '../../core/statistics/paired-bootstrap.ts';
import { countOf } from '../../core/text/count-of.ts';
import { formatInterval, formatMetric, formatValue } from '../terminal/format.ts';
import { renderFittedTable } from '../terminal/fitted-table.ts';
import { formatTook } from './took.ts';

/** A run of a comparison. */
export interface ComparedRun extends LeaderboardRecord {
  /** Handle that the user gave. */
  readonly named: string;
  /** Objective's best value by stage and epoch, `HEAD 3`, in the order of training. */
  readonly values: readonly (readonly [string, number])[];
}

/** Most epochs of a comparison that are listed. */
const MAX_EPOCHS = 60;

/** Compares runs side by side: differing parameters first, then results, then the objective by epoch. */
export function describeComparison(
  runs: readonly ComparedRun[],
  metric: string,
  paired: PairedComparison | null,
  width: number | null,
): string {
  const parameters = differingParameters(runs).map((name) => [
    name,
    ...runs.map(({ run }) => (Object.hasOwn(run.parameters, name) ? formatValue(run.parameters[name]) : '–')),
  ]);
  const results: readonly (readonly [string, (compared: ComparedRun) => string])[] = [
    ['state', ({ run }) => run.state],
    ['rank', ({ rank }) => String(rank)],
    [`best ${metric}`, ({ run }) => formatMetric(run.bestValue)],
    ['at epoch', ({ run }) => (run.bestValue === null ? '–' : `${run.bestStage ?? ''} ${run.bestEpoch}`)],
    ['val_loss', ({ run }) => formatMetric(run.bestValLoss)],
    ['val_accuracy', ({ run }) => formatMetric(run.bestValAccuracy)],
    [
      'test accuracy (95 %)',
      ({ testResult: test }) =>
        test === null ? '–' : formatInterval(test.accuracy, test.accuracyLow, test.accuracyHigh),
    ],
    ['took', ({ run }) => formatTook(run, '–')],
    ['tags', ({ run }) => run.tags.join(' ')],
    ['notes', ({ run }) => run.notes.replaceAll('\n', ' ')],
  ];
  const rows = results
    .map(([title, cell]) => [title, ...runs.map(cell)])
    .filter(([, ...cells]) => cells.some((cell) => cell !== '' && cell !== '–'));
  const columns = [
    { name: 'name', title: '', rank: 0, minWidth: 12 },
    ...runs.map(({ named }, index) => ({ name: named, title: named, rank: index + 1, minWidth: 8 })),
  ];
  const same = parameters.length === 0 ? ['The runs have the same parameters.'] : [];
  const epochs = epochRows(runs);
  return [
    renderFittedTable(columns, [...parameters, ...rows], width),
    ...same,
    ...(epochs.length === 0 ? [] : ['', `${metric} by epoch (* best)`, renderFittedTable(columns, epochs, width)]),
    ...(paired === null ? [] : ['', describePaired(runs, paired)]),
  ].join('\n');
}

function differingParameters(runs: readonly ComparedRun[]): readonly string[] {
  const names = new Set(runs.flatMap(({ run }) => Object.keys(run.parameters)));
  return [...names].filter((name) => new Set(runs.map(({ run }) => run.parameters[name])).size > 1);
}

function epochRows(runs: readonly ComparedRun[]): readonly (readonly string[])[] {
  const epochs = [...new Set(runs.flatMap(({ values }) => values.map(([epoch]) => epoch)))].slice(0, MAX_EPOCHS);
  return epochs.map((epoch) => [
    epoch,
    ...runs.map(({ run, values }) => {
      const value = values.find(([other]) => other === epoch)?.[1];
      const isBest = `${run.bestStage ?? ''} ${run.bestEpoch}` === epoch;
      return value === undefined ? '' : `${formatMetric(value)}${isBest ? ' *' : ''}`;
    }),
  ]);
}

function describePaired(runs: readonly ComparedRun[], paired: PairedComparison): string {
  const [first, second] = runs.map(({ named }) => named);
  const { difference, interval, winnerOnly, baselineOnly, distinguishable, imageCount } = paired;
  const word = !distinguishable ? 'not distinguishable' : difference > 0 ? 'better' : 'worse';
  return (
    `On ${countOf(imageCount, 'test image')}, ${first ?? ''} against ${second ?? ''}: ${word}; difference in accuracy ` +
    `${signed(difference)}, 95 % interval ${signed(interval.low)} to ${signed(interval.high)} (paired bootstrap); only ` +
    `${first ?? ''} is right on ${winnerOnly}, only ${second ?? ''} on ${baselineOnly}.`
  );
}

function signed(fraction: number): string {
  return `${fraction > 0 ? '+' : ''}${(100 * fraction).toFixed(2)} %`;
}
