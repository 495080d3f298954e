import stringWidth from 'string-width';
import { escapeControls } from '../../core/text/control-characters.ts';
import { pad } from './pad.ts';
import { cutLine } from './table.ts';

/** A column that may be narrowed or left out where the terminal is too narrow. */
export interface FittedColumn {
  /** Name for `--columns`, and in the list of hidden columns. */
  readonly name: string;
  readonly title: string;
  /** Title where there is no room for the long one. */
  readonly shortTitle?: string;
  readonly align?: 'left' | 'right';
  /** Columns with large numbers are hidden first. */
  readonly rank: number;
  /** Width down to which cells may be cut before a column is hidden; absent: they are not cut. */
  readonly minWidth?: number;
}

const GAP = 2;

interface Placed {
  readonly column: FittedColumn;
  readonly title: string;
  readonly cells: readonly string[];
  /** Width of the widest cell, without the title. */
  readonly cellWidth: number;
  readonly width: number;
}

/**
 * Returns a table whose lines are no wider than `width`, with a last line that names the hidden columns, if any. Control characters in
 * cells are escaped. To fit, titles are shortened, then long cells are cut, then columns are hidden by their rank.
 *
 * @param rows cells by row, in the order of the columns.
 * @param width null: unlimited.
 * @param howToChoose sentence after the names of hidden columns, if an option chooses columns.
 */
export function renderFittedTable(
  columns: readonly FittedColumn[],
  rows: readonly (readonly string[])[],
  width: number | null,
  howToChoose = '',
): string {
  const all = columns.map((column, index) =>
    place(
      column,
      rows.map((row) => escapeControls(row[index] ?? '')),
    ),
  );
  const shown = width === null ? all : fit(all, width);
  const lines = [
    shown.map(({ title }) => title),
    ...rows.map((_, row) => shown.map(({ cells }) => cells[row] ?? '')),
  ].map((cells) => renderLine(shown, cells));
  const hidden = all.filter(({ column }) => !shown.some((other) => other.column === column));
  if (hidden.length > 0) {
    const names = hidden.map(({ column }) => escapeControls(column.name)).join(', ');
    lines.push('', ...wrap(`Hidden in this width: ${names}. ${howToChoose}`.trimEnd(), width));
  }
  return lines.map((line) => (width === null ? line : cutLine(line, width))).join('\n');
}

function place(column: FittedColumn, cells: readonly string[]): Placed {
  const title = escapeControls(column.title);
  const cellWidth = Math.max(0, ...cells.map((cell) => stringWidth(cell)));
  return { column, title, cells, cellWidth, width: Math.max(cellWidth, stringWidth(title)) };
}

function widthOf(placed: readonly Placed[]): number {
  return placed.reduce((sum, { width }) => sum + width, 0) + GAP * Math.max(0, placed.length - 1);
}

function fit(all: readonly Placed[], width: number): readonly Placed[] {
  let shown = all;
  if (widthOf(shown) > width) shown = shown.map(withShortTitle);
  for (;;) {
    const excess = widthOf(shown) - width;
    if (excess <= 0 || shown.length <= 1) return shown;
    const cut = narrowed(shown, excess);
    if (cut !== null) return cut;
    const worst = shown.reduce((a, b) => (b.column.rank >= a.column.rank ? b : a));
    shown = shown.filter((placed) => placed !== worst);
  }
}

function withShortTitle(placed: Placed): Placed {
  const { shortTitle } = placed.column;
  if (shortTitle === undefined) return placed;
  const title = escapeControls(shortTitle);
  return { ...placed, title, width: Math.max(placed.cellWidth, stringWidth(title)) };
}

/** Cuts the widest cells until the table fits; null if that is not enough. */
function narrowed(shown: readonly Placed[], excess: number): readonly Placed[] | null {
  const least = ({ column, title, width }: Placed): number =>
    column.minWidth === undefined ? width : Math.min(width, Math.max(column.minWidth, stringWidth(title)));
  const widths = shown.map(({ width }) => width);
  for (let left = excess; left > 0; left -= 1) {
    let widest = -1;
    for (const [index, placed] of shown.entries()) {
      const isWider = (widths[index] ?? 0) > (widths[widest] ?? 0);
      if ((widths[index] ?? 0) > least(placed) && isWider) widest = index;
    }
    if (widest < 0) return null;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return shown.map((placed, index) => {
    const width = widths[index] ?? placed.width;
    return { ...placed, width, cells: placed.cells.map((cell) => cutLine(cell, width)) };
  });
}

function renderLine(shown: readonly Placed[], cells: readonly string[]): string {
  return cells
    .map((cell, index) => pad(cell, shown[index]?.width ?? 0, shown[index]?.column.align))
    .join(' '.repeat(GAP))
    .trimEnd();
}

/** Breaks a sentence between its words. @param width null: unlimited */
export function wrap(text: string, width: number | null): readonly string[] {
  if (width === null) return [text];
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && stringWidth(`${last} ${word}`) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
