import { didYouMean } from '../../core/text/nearest-name.ts';
import { UsageError } from './cli-errors.ts';
import { renderFittedTable } from './fitted-table.ts';
import type { FittedColumn } from './fitted-table.ts';
import type { TextStream } from './output.ts';

/** Options of a list: `--top`, `--columns` and `--sort`. */
export interface ListFlags {
  readonly top?: number;
  readonly columns?: readonly string[];
  /** Names of columns; `-` before a name reverses the order. */
  readonly sort?: readonly string[];
}

/** A column of a list of `T`. */
export interface ListColumn<T> extends FittedColumn {
  readonly cell: (row: T) => string;
  /** Value to sort by; absent: the cell. null and NaN are last in both orders. */
  readonly key?: (row: T) => number | string | null;
  /** True: shown only if `--columns` names it. */
  readonly isExtra?: boolean;
}

/** Returns the rows that `--sort` and `--top` choose. @throws UsageError for an unknown column. */
export function chooseRows<T>(columns: readonly ListColumn<T>[], rows: readonly T[], flags: ListFlags): readonly T[] {
  const orders = (flags.sort ?? []).map((name) => {
    const isReversed = name.startsWith('-');
    const column = findColumn(columns, isReversed ? name.slice(1) : name, '--sort');
    return { sign: isReversed ? -1 : 1, key: column.key ?? column.cell };
  });
  const sorted = rows.toSorted((a, b) => {
    for (const { sign, key } of orders) {
      const order = compareKeys(key(a), key(b), sign);
      if (order !== 0) return order;
    }
    return 0;
  });
  return sorted.slice(0, flags.top);
}

/**
 * Returns rows as a table with the columns of `--columns`.
 *
 * @param rows those of `chooseRows`; @param total number of rows before `--top`.
 * @param width width of the terminal; null: unlimited.
 * @throws UsageError for an unknown column.
 */
export function renderList<T>(
  columns: readonly ListColumn<T>[],
  rows: readonly T[],
  { flags, total, width }: { readonly flags: ListFlags; readonly total: number; readonly width: number | null },
): string {
  const shown =
    flags.columns === undefined
      ? columns.filter(({ isExtra }) => isExtra !== true)
      : flags.columns.map((name, index) => ({ ...findColumn(columns, name, '--columns'), rank: index }));
  const table = renderFittedTable(
    shown,
    rows.map((row) => shown.map(({ cell }) => cell(row))),
    width,
    '--columns chooses.',
  );
  const left = total - rows.length;
  return left > 0 ? `${table}\n… and ${left} more` : table;
}

/** Returns the width that tables may have: that of a terminal; null for files and pipes, which get every column. */
export function tableWidth({ isTTY, columns }: TextStream): number | null {
  return isTTY === true && columns !== undefined && columns > 0 ? columns : null;
}

function findColumn<T>(columns: readonly ListColumn<T>[], name: string, option: string): ListColumn<T> {
  const found =
    columns.find((column) => column.name === name) ??
    columns.find(({ title, shortTitle }) => title === name || shortTitle === name);
  if (found !== undefined) return found;
  const names = columns.map((column) => column.name);
  throw new UsageError(
    `${option}: there is no column '${name}'.${didYouMean(name, names)} The columns are ${names.join(', ')}.`,
  );
}

function compareKeys(a: number | string | null, b: number | string | null, sign: number): number {
  const [aMissing, bMissing] = [isMissing(a), isMissing(b)];
  if (aMissing || bMissing) return Number(aMissing) - Number(bMissing);
  if (typeof a === 'number' && typeof b === 'number') return sign * (a - b);
  return sign * String(a).localeCompare(String(b), 'en', { numeric: true });
}

function isMissing(value: number | string | null): boolean {
  return value === null || value === '' || (typeof value === 'number' && Number.isNaN(value));
}
