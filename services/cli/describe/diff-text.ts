import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import { formatInterval, formatMetric, formatTime } from '../terminal/format.ts';
import { renderFittedTable } from '../terminal/fitted-table.ts';
import { snakeCase } from '../terminal/output.ts';
import { describeState } from './sweep-text.ts';
import { formatTook } from './took.ts';

/** A sweep of a comparison with the results of its best run. */
export interface DiffedSweep {
  readonly sweep: SweepRecord;
  /** null: no run has a result. */
  readonly best: LeaderboardRecord | null;
}

/** One field in which two specs differ; null: the field is absent. */
export interface SpecDifference {
  readonly path: string;
  readonly first: string | null;
  readonly second: string | null;
}

/** Returns the fields in which two specs differ, by path. */
export function diffSpecs(first: SweepRecord['spec'], second: SweepRecord['spec']): readonly SpecDifference[] {
  const [a, b] = [flatten(first), flatten(second)];
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((path) => a.get(path) !== b.get(path))
    .map((path) => ({ path, first: a.get(path) ?? null, second: b.get(path) ?? null }));
}

/** Parameters are listed by name, so that an added one does not shift the others. Lists of values are one field. */
function flatten(spec: SweepRecord['spec']): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  const visit = (path: string, value: unknown): void => {
    if (value === null || value === undefined || (Array.isArray(value) && value.length === 0)) return;
    const isPlain =
      typeof value !== 'object' || (Array.isArray(value) && value.every((item) => typeof item !== 'object'));
    if (isPlain) {
      fields.set(path, typeof value === 'string' ? value : JSON.stringify(value));
    } else if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) visit(`${path}[${index}]`, item);
    } else {
      for (const [name, item] of Object.entries(value))
        visit(path === '' ? snakeCase(name) : `${path}.${snakeCase(name)}`, item);
    }
  };
  const { base, parameters, ...rest } = spec;
  visit('', rest);
  for (const [name, value] of Object.entries(base)) visit(`base.${name}`, value);
  for (const { name, ...dimension } of parameters) visit(`parameters.${name}`, dimension);
  return fields;
}

/** Returns what differs between two sweeps: fields of the specs, as `diffSpecs` returns them, then results. */
export function describeDiff(
  sweeps: readonly [DiffedSweep, DiffedSweep],
  differences: readonly SpecDifference[],
  width: number | null,
): string {
  const [first, second] = sweeps;
  const results: readonly (readonly [string, (one: DiffedSweep) => string])[] = [
    ['name', ({ sweep }) => sweep.displayName],
    ['state', ({ sweep }) => describeState(sweep)],
    ['runs', ({ sweep }) => `${sweep.finishedRunCount}/${sweep.runCount}`],
    ['best', ({ sweep }) => `${sweep.spec.objective.metric} ${formatMetric(sweep.bestValue)}`],
    ['best val_loss', ({ best }) => formatMetric(best?.run.bestValLoss)],
    ['best val_accuracy', ({ best }) => formatMetric(best?.run.bestValAccuracy)],
    [
      'test accuracy (95 %)',
      ({ best }) => {
        const test = best?.testResult ?? null;
        return test === null ? '–' : formatInterval(test.accuracy, test.accuracyLow, test.accuracyHigh);
      },
    ],
    ['data set', ({ sweep }) => sweep.datasetId ?? '–'],
    ['created', ({ sweep }) => formatTime(sweep.createTime)],
    ['took', ({ sweep }) => formatTook(sweep, '–')],
  ];
  const columns = [
    { name: 'field', title: '', rank: 0, minWidth: 16 },
    ...sweeps.map(({ sweep }, index) => ({ name: sweep.sweepId, title: sweep.sweepId, rank: index + 1, minWidth: 8 })),
  ];
  const fields = differences.map(({ path, first: a, second: b }) => [path, a ?? '–', b ?? '–']);
  const rows = results.map(([title, cell]) => [title, cell(first), cell(second)]);
  const same = fields.length === 0 ? 'The specifications are equal.' : renderFittedTable(columns, fields, width);
  return `specification\n${same}\n\nresults\n${renderFittedTable(columns, rows, width)}`;
}
