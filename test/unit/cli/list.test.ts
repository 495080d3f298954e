import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { leaderboardColumns } from '../../../services/cli/describe/leaderboard-text.ts';
import { runColumns } from '../../../services/cli/describe/run-columns.ts';
import { renderFittedTable } from '../../../services/cli/terminal/fitted-table.ts';
import { chooseRows, renderList } from '../../../services/cli/terminal/list.ts';
import type { ListColumn } from '../../../services/cli/terminal/list.ts';
import { sampleRun } from './sample-sweep.ts';

/** Names of any content: wide and combining characters, emoji of several code points, control codes, line feeds. */
const TEXT = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('東京都の写真', '👩‍👩‍👧‍👦🇩🇪', 'e\u0301\u0301\u0301', '\u001b[31mred\u001b[0m', 'a\nb\tc', '\u202eabc', ''),
);

const COLUMN = fc.record({
  name: TEXT,
  title: TEXT,
  shortTitle: TEXT,
  align: fc.constantFrom('left' as const, 'right' as const),
  rank: fc.integer({ min: 0, max: 5 }),
  minWidth: fc.integer({ min: 1, max: 12 }),
});

describe('a table', () => {
  it('has no line wider than the terminal, whatever is in it', () => {
    const table = fc
      .array(COLUMN, { minLength: 1, maxLength: 8 })
      .chain((columns) =>
        fc.tuple(
          fc.constant(columns),
          fc.array(fc.array(TEXT, { minLength: columns.length, maxLength: columns.length }), { maxLength: 5 }),
          fc.integer({ min: 4, max: 120 }),
        ),
      );
    fc.assert(
      fc.property(table, ([columns, rows, width]) => {
        const lines = renderFittedTable(columns, rows, width).split('\n');
        for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(width);
        expect(lines.length).toBeGreaterThanOrEqual(rows.length + 1);
      }),
    );
  });

  const columns = [
    { name: 'id', title: 'id', rank: 0 },
    { name: 'path', title: 'path', rank: 1, minWidth: 6 },
    { name: 'optimizer.rate', title: 'optimizer.rate', shortTitle: 'rate', align: 'right', rank: 2 },
  ] as const;
  const rows = [
    ['1', '/data/of/pets', '0.1'],
    ['2', '/data', '10'],
  ];

  it('shortens titles, then cuts cells, then hides columns and names them', () => {
    expect(renderFittedTable(columns, rows, null).split('\n')[0]).toBe('id  path           optimizer.rate');
    expect(renderFittedTable(columns, rows, 24).split('\n')).toEqual([
      'id  path           rate',
      '1   /data/of/pets   0.1',
      '2   /data            10',
    ]);
    expect(renderFittedTable(columns, rows, 18).split('\n')[1]).toBe('1   /data/o…   0.1');
    expect(renderFittedTable(columns, rows, 12, '--columns chooses.').split('\n')).toEqual([
      'id  path',
      '1   /data/o…',
      '2   /data',
      '',
      'Hidden in',
      'this width:',
      'optimizer.r…',
      '--columns',
      'chooses.',
    ]);
  });
});

describe('a list', () => {
  interface Row {
    readonly name: string;
    readonly value: number | null;
  }
  const columns: readonly ListColumn<Row>[] = [
    { name: 'name', title: 'name', rank: 0, cell: ({ name }) => name },
    { name: 'value', title: 'value', rank: 1, cell: ({ value }) => String(value), key: ({ value }) => value },
    { name: 'extra', title: 'extra', rank: 2, cell: () => 'x', isExtra: true },
  ];
  const rows = [
    { name: 'b10', value: 2 },
    { name: 'b9', value: Number.NaN },
    { name: 'a', value: null },
    { name: 'c', value: -1 },
    { name: 'd', value: 2 },
  ];
  const namesOf = (flags: Parameters<typeof chooseRows>[2]): readonly string[] =>
    chooseRows(columns, rows, flags).map(({ name }) => name);

  it('is sorted by several columns, with missing values last in both orders', () => {
    expect(namesOf({ sort: ['value', '-name'] })).toEqual(['c', 'd', 'b10', 'b9', 'a']);
    expect(namesOf({ sort: ['-value'] })).toEqual(['b10', 'd', 'c', 'b9', 'a']);
    expect(namesOf({ sort: ['name'] })).toEqual(['a', 'b9', 'b10', 'c', 'd']);
    expect(namesOf({ top: 2 })).toEqual(['b10', 'b9']);
  });

  it('shows the columns that are asked for, and says how many rows are left', () => {
    const shown = chooseRows(columns, rows, { top: 1 });
    const text = renderList(columns, shown, { flags: { columns: ['extra', 'name'] }, total: 5, width: null });
    expect(text.split('\n')).toEqual(['extra  name', 'x      b10', '… and 4 more']);
    expect(renderList(columns, shown, { flags: {}, total: 1, width: null })).not.toContain('extra');
  });

  it('refuses an unknown column with its near name', () => {
    expect(() => namesOf({ sort: ['valeu'] })).toThrow(
      "--sort: there is no column 'valeu'. Did you mean 'value'? The columns are name, value, extra.",
    );
  });
});

describe('columns of runs', () => {
  const runs = [0, 1, 2].map((index) => sampleRun(index));

  it('are those of the parameters that vary, and others on request', () => {
    const columns = runColumns(runs, 'val_loss');
    const shown = columns.filter(({ isExtra }) => isExtra !== true).map(({ name }) => name);
    expect(shown).toEqual([
      'run',
      'state',
      'val_loss',
      'val_accuracy',
      'best_epoch',
      'head.units',
      'optimizer.learning_rate',
      'fine_tune.enabled',
    ]);
    const text = renderList(columns, runs, { flags: { columns: ['backbone', 'units'] }, total: 3, width: null });
    expect(text.split('\n')[1]).toBe('efficientnet_lite0          16');
  });

  it('include the metric of the objective that has no column of its own', () => {
    const names = runColumns(runs, 'val_macro_f1').filter(({ isExtra }) => isExtra !== true);
    expect(names[1]).toMatchObject({ name: 'state' });
    expect(names[2]).toMatchObject({ name: 'best', title: 'val_macro_f1' });
    const sorted = chooseRows(runColumns(runs, 'val_macro_f1'), runs, { sort: ['val_acc', 'val_macro_f1'] });
    expect(sorted).toHaveLength(runs.length);
  });

  it('begin with the rank in a leaderboard, which has a test result only if there is one', () => {
    const columns = leaderboardColumns(
      runs.map((run, index) => ({ rank: index + 1, run, testResult: null })),
      'val_loss',
    );
    expect(columns[0]?.name).toBe('rank');
    expect(columns.find(({ name }) => name === 'test_accuracy')?.isExtra).toBe(true);
  });
});
