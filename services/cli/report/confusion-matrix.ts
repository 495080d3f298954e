import * as Plot from '@observablehq/plot';
import type { TestResultRecord } from '../../core/records/test-result.ts';
import { renderTable } from './data-table.ts';
import { html, wrapping } from './html.ts';
import type { Html } from './html.ts';
import { shortLabels } from './labels.ts';
import { count } from './numbers.ts';
import { renderSvg } from './svg.ts';

/** Number of classes from which the matrix is an image beside the most frequent confusions. */
export const MANY_CLASSES = 12;
const MOST_PAIRS = 15;
const CELL = 14;

interface Cell {
  readonly row: number;
  readonly column: number;
  readonly imageCount: number;
  /** Part of the images of the true class. */
  readonly share: number;
}

/** Renders how the images of each class were predicted: as a table for a few classes, else as an image with a table of confusions. */
export function confusionMatrix(test: TestResultRecord, names: readonly string[]): Html {
  const cells = cellsOf(test, names.length);
  return names.length > MANY_CLASSES ? heatMap(cells, names) : matrixTable(cells, names);
}

function cellsOf({ confusionMatrix: counts }: TestResultRecord, size: number): readonly Cell[] {
  const cell = (row: number, column: number): number => counts[row * size + column] ?? 0;
  return Array.from({ length: size }, (_, row) => row).flatMap((row) => {
    const sum = Array.from({ length: size }, (_, column) => cell(row, column)).reduce((a, b) => a + b, 0);
    return Array.from({ length: size }, (_, column) => {
      const imageCount = cell(row, column);
      return { row, column, imageCount, share: sum === 0 ? 0 : imageCount / sum };
    });
  });
}

function matrixTable(cells: readonly Cell[], names: readonly string[]): Html {
  const shade = ({ row, column, imageCount, share }: Cell): Html =>
    html`<td style="background: rgb(var(--${row === column ? 'good' : 'bad'}) / ${(share * 0.4).toFixed(3)})">
      ${imageCount}
    </td>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix">
    <table class="matrix">
      <caption>
        Confusion matrix: true class by row, predicted class by column
      </caption>
      <thead>
        <tr>
          <td></td>
          ${names.map((name) => html`<th scope="col">${wrapping(name)}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${names.map(
          (name, row) =>
            html`<tr>
              <th scope="row">${wrapping(name)}</th>
              ${cells.slice(row * names.length, (row + 1) * names.length).map(shade)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function heatMap(cells: readonly Cell[], names: readonly string[]): Html {
  const filled = cells.filter(({ imageCount }) => imageCount > 0);
  const confused = filled.filter(({ row, column }) => row !== column);
  const size = names.length * CELL;
  const labels = shortLabels(names);
  const label = (index: number): string => labels[index] ?? '';
  const shown = names.map((_, index) => index);
  const plot: Plot.PlotOptions = {
    marginLeft: 120,
    marginRight: 10,
    marginTop: 10,
    marginBottom: 120,
    padding: 0.05,
    x: { domain: shown, tickFormat: label, tickRotate: -90, label: null, tickSize: 0 },
    y: { domain: shown, tickFormat: label, label: null, tickSize: 0 },
    marks: [
      Plot.cell(filled, {
        x: 'column',
        y: 'row',
        fill: ({ row, column }: Cell) => `rgb(var(--${row === column ? 'good' : 'bad'}))`,
        fillOpacity: ({ share }: Cell) => 0.15 + 0.85 * share,
        title: ({ row, column, imageCount }: Cell) =>
          `${names[row] ?? ''}, predicted ${names[column] ?? ''}: ${imageCount}`,
      }),
      Plot.frame({ stroke: 'currentColor', strokeOpacity: 0.3 }),
    ],
    opacity: { type: 'identity' },
  };
  const description = `True class by row, predicted class by column, for ${names.length} classes; ${count(confused.length, 'kind')} of confusion.`;
  const width = size + 130;
  return html`<figure class="wide-chart">
    <figcaption>
      <p>Confusion matrix: true class by row, predicted class by column; stronger colours are larger parts of a row</p>
    </figcaption>
    <div class="scroll heat" tabindex="0" role="region" aria-label="Confusion matrix">
      ${renderSvg({ title: 'Confusion matrix', description, plot: { ...plot, width, height: width } })}
    </div>
  </figure>`;
}

/** Renders the most frequent confusions of classes as a table; null if there are none. */
export function confusionTable(test: TestResultRecord, names: readonly string[]): Html | null {
  const confused = cellsOf(test, names.length).filter(
    ({ row, column, imageCount }) => row !== column && imageCount > 0,
  );
  if (confused.length === 0) return null;
  confused.sort((a, b) => b.imageCount - a.imageCount || a.row - b.row || a.column - b.column);
  return renderTable({
    label: 'Most frequent confusions',
    caption: confused.length > MOST_PAIRS ? `The most frequent of ${confused.length} confusions` : 'All confusions',
    columns: [{ title: 'class', names: true }, { title: 'predicted as' }, { title: 'images', kind: 'number' }],
    rows: confused.slice(0, MOST_PAIRS).map(({ row, column, imageCount }) => ({
      cells: [wrapping(names[row] ?? ''), wrapping(names[column] ?? ''), imageCount],
    })),
  });
}
