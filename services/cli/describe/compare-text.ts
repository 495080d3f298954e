import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { PairedComparison } from '../../core/statistics/paired-bootstrap.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import { countOf } from '../../core/text/count-of.ts';
import { formatInterval, formatMetric, formatValue } from '../terminal/format.ts';
import { renderFittedTable } from '../terminal/fitted-table.ts';
import { formatTook } from './took.ts';

/** A run of a comparison. */
export interface ComparedRun extends LeaderboardRecord {
  /** Handle that the user gave. */
  readonly named: string;
  /** Its sweep, whose objective and data set may be others than those of the other runs. */
  readonly sweep: SweepRecord;
  /** Metrics in the order of training. */
  readonly epochs: readonly EpochValue[];
}

/** Value of a metric after an epoch. */
export interface EpochValue {
  /** Stage and number: `HEAD 3`. */
  readonly epoch: string;
  readonly metric: string;
  readonly value: number;
}

/** Most epochs of a comparison that are listed. */
const MAX_EPOCHS = 60;

/** Returns whether tested runs are of different data sets, whose images may have the same names. */
export function testedElsewhere(runs: readonly ComparedRun[]): boolean {
  return new Set(runs.map(({ sweep }) => sweep.datasetId)).size > 1;
}

/** Compares runs side by side: differing parameters first, then results, then each objective by epoch. */
export function describeComparison(
  runs: readonly ComparedRun[],
  paired: PairedComparison | null,
  width: number | null,
): string {
  const parameters = differingParameters(runs).map((name) => [
    name,
    ...runs.map(({ run }) => (Object.hasOwn(run.parameters, name) ? formatValue(run.parameters[name]) : '–')),
  ]);
  const metrics = [...new Set(runs.map(metricOf))];
  const isOneSweep = new Set(runs.map(({ run }) => run.sweepId)).size === 1;
  const results: readonly (readonly [string, (compared: ComparedRun) => string])[] = [
    ['state', ({ run }) => run.state],
    [isOneSweep ? 'rank' : 'rank in its sweep', ({ rank }) => String(rank)],
    ...metrics.map((metric) => [`best ${metric}`, bestOf(metric)] as const),
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
  return [
    renderFittedTable(columns, [...parameters, ...rows], width),
    ...same,
    ...metrics.flatMap((metric) => {
      const epochs = epochRows(runs, metric);
      return epochs.length === 0 ? [] : ['', `${metric} by epoch (* best)`, renderFittedTable(columns, epochs, width)];
    }),
    ...(paired === null ? whyUnpaired(runs) : ['', describePaired(runs, paired)]),
  ].join('\n');
}

function metricOf({ sweep }: ComparedRun): string {
  return sweep.spec.objective.metric;
}

/** Returns the best value of a run whose sweep optimizes the metric. */
function bestOf(metric: string): (compared: ComparedRun) => string {
  return (compared) => (metricOf(compared) === metric ? formatMetric(compared.run.bestValue) : '–');
}

function whyUnpaired(runs: readonly ComparedRun[]): readonly string[] {
  if (runs.some(({ testResult }) => testResult === null) || !testedElsewhere(runs)) return [];
  return ['', 'The runs were tested on different data sets, so that their test accuracies are not comparable.'];
}

function differingParameters(runs: readonly ComparedRun[]): readonly string[] {
  const names = new Set(runs.flatMap(({ run }) => Object.keys(run.parameters)));
  return [...names].filter((name) => new Set(runs.map(({ run }) => run.parameters[name])).size > 1);
}

/** Returns the values of a metric; best epochs are marked in runs whose sweep optimizes it. */
function epochRows(runs: readonly ComparedRun[], metric: string): readonly (readonly string[])[] {
  const columns = runs.map(({ epochs }) => epochs.filter((value) => value.metric === metric));
  const epochs = [...new Set(columns.flatMap((values) => values.map(({ epoch }) => epoch)))].slice(0, MAX_EPOCHS);
  return epochs.map((epoch) => [
    epoch,
    ...runs.map((compared, index) => {
      const value = columns[index]?.find((other) => other.epoch === epoch)?.value;
      const { bestStage, bestEpoch } = compared.run;
      const isBest = metricOf(compared) === metric && `${bestStage ?? ''} ${bestEpoch}` === epoch;
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
