import type { FrontEntryRecord } from '../../core/records/pareto-front.ts';
import { countOf } from '../../core/text/count-of.ts';
import { wrap } from '../terminal/fitted-table.ts';
import { formatIndexes, formatMetric } from '../terminal/format.ts';
import { renderList } from '../terminal/list.ts';
import type { ListColumn, ListFlags } from '../terminal/list.ts';
import { runColumns } from './run-columns.ts';

const COSTS: ReadonlySet<string> = new Set(['model_bytes', 'parameters', 'flops']);
/** Columns that say how a run was trained; they matter less here than what its model costs. */
const LESS: ReadonlySet<string> = new Set(['state', 'best_epoch', 'val_loss', 'val_accuracy', 'ended_by', 'rung']);

/** Returns the columns of a front: the value with its standard error, the costs, the parameters that vary. */
export function frontColumns(
  entries: readonly FrontEntryRecord[],
  metric: string,
): readonly ListColumn<FrontEntryRecord>[] {
  const ofRuns = runColumns(
    entries.map(({ run }) => run),
    null,
  ).map(({ cell, key, ...rest }): ListColumn<FrontEntryRecord> => {
    const isExtra = rest.name === 'best' || COSTS.has(rest.name) ? false : LESS.has(rest.name) || rest.isExtra === true;
    return {
      ...rest,
      title: rest.name === 'best' ? metric : rest.title,
      ...(COSTS.has(rest.name) ? { rank: 12 } : {}),
      isExtra,
      cell: ({ run }) => cell(run),
      ...(key === undefined ? {} : { key: ({ run }) => key(run) }),
    };
  });
  const find = (name: string): readonly ListColumn<FrontEntryRecord>[] =>
    ofRuns.filter((column) => column.name === name);
  const first = ['run', 'best', ...COSTS];
  return [
    ...find('run'),
    ...find('best'),
    {
      name: 'standard_error',
      title: '± SE',
      align: 'right',
      rank: 15,
      cell: ({ standardError }) => (standardError === null ? '' : formatMetric(standardError)),
      key: ({ standardError }) => standardError,
      isExtra: entries.every(({ standardError }) => standardError === null),
    },
    ...[...COSTS].flatMap(find),
    {
      name: 'tied_runs',
      title: 'in place of',
      rank: 30,
      cell: ({ tiedRunIndexes }) => formatIndexes(tiedRunIndexes),
      isExtra: entries.every(({ tiedRunIndexes }) => tiedRunIndexes.length === 0),
    },
    ...ofRuns.filter(({ name }) => !first.includes(name)),
  ];
}

/** Returns a front as a table, with what it means. */
export function describeFront(
  entries: readonly FrontEntryRecord[],
  {
    shown,
    flags,
    width,
    columns,
  }: {
    readonly shown: readonly FrontEntryRecord[];
    readonly flags: ListFlags;
    readonly width: number | null;
    readonly columns: readonly ListColumn<FrontEntryRecord>[];
  },
): string {
  const table = renderList(columns, shown, { flags, total: entries.length, width });
  return [table, '', ...frontNotes(entries).flatMap((note) => wrap(note, width))].join('\n');
}

/** Returns what the reader of a front must know, a sentence each. */
export function frontNotes(entries: readonly FrontEntryRecord[]): readonly string[] {
  const tied = new Set(entries.flatMap(({ tiedRunIndexes }) => tiedRunIndexes));
  const hasErrors = entries.some(({ standardError }) => standardError !== null);
  return [
    `${countOf(entries.length, 'run')}: no other one is as good with as few bytes and operations.`,
    ...(tied.size === 0
      ? []
      : [
          `${tied.size === 1 ? 'Run' : 'Runs'} ${formatIndexes([...tied])} ${tied.size === 1 ? 'is' : 'are'} left out: better than a smaller run ` +
            'by at most one standard error of the difference on the same images.',
        ]),
    ...(hasErrors
      ? []
      : ['Results by image are not known, so that a run counts as better by any difference, however small.']),
    'Values are of the validation images, which chose these runs; the test split is for the winner alone.',
  ];
}
