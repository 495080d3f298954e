import { html } from './html.ts';
import type { Html, Part } from './html.ts';
import { count, plural } from './numbers.ts';

/** A column: `number` is right-aligned, `short` stays on one line, `medium` and `wide` wrap at no less than 8 and 16 em. */
export interface Column {
  readonly title: string | Html;
  readonly kind?: 'number' | 'short' | 'medium' | 'wide' | 'parameter';
  /** True for the column that names the row. */
  readonly names?: true;
  /** True: left out while all its cells are empty. */
  readonly optional?: true;
}

export interface Row {
  readonly cells: readonly Part[];
  readonly kind?: 'winner';
}

export interface DataTable {
  /** Name for screen readers. */
  readonly label: string;
  readonly caption?: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  /** Number of rows that stay open; the others are folded below, if there are more than a few. */
  readonly open?: number;
  /** Noun of a row, for the fold; default: row. */
  readonly noun?: string;
}

/** Rows beyond the open ones that are not worth a fold. */
const FEW = 5;

/** Renders a table in a box that scrolls sideways; the rows after the first ones are in a second table that opens on a click. */
export function renderTable(whole: DataTable): Html {
  const table = withoutEmptyColumns(whole);
  const { rows, label, open = rows.length, noun = 'row' } = table;
  if (rows.length <= open + FEW) return box(table, label, rows);
  const rest = rows.slice(open);
  return html`<div class="folded">
    ${box(table, label, rows.slice(0, open))}
    <details>
      <summary>The other ${count(rest.length, noun)}</summary>
      ${box(table, `${label}, the other ${plural(noun)}`, rest)}
    </details>
  </div>`;
}

function withoutEmptyColumns(table: DataTable): DataTable {
  const kept = table.columns.map(
    ({ optional }, index) => optional !== true || table.rows.some(({ cells }) => cells[index] !== ''),
  );
  const filter = <T>(items: readonly T[]): readonly T[] => items.filter((_, index) => kept[index]);
  return {
    ...table,
    columns: filter(table.columns),
    rows: table.rows.map((row) => ({ ...row, cells: filter(row.cells) })),
  };
}

function box({ caption, columns }: DataTable, label: string, rows: readonly Row[]): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}">
    <table>
      ${
        caption === undefined
          ? null
          : html`<caption>
              ${caption}
            </caption>`
      }
      <thead>
        <tr>
          ${columns.map(({ title, kind }) => html`<th scope="col" ${classOf(kind)}>${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => renderRow(columns, row))}
      </tbody>
    </table>
  </div>`;
}

function renderRow(columns: readonly Column[], { cells, kind }: Row): Html {
  const rendered = columns.map(({ kind: shape, names }, index) =>
    names === true
      ? html`<th scope="row" ${classOf(shape)}>${cells[index]}</th>`
      : html`<td${classOf(shape)}>${cells[index]}</td>`,
  );
  return html`<tr${classOf(kind)}>${rendered}</tr>`;
}

function classOf(kind: string | undefined): Html | null {
  return kind === undefined ? null : html` class="${kind}"`;
}
