import type { ScreenEntryRecord } from '../../core/records/explanation.ts';
import { countOf } from '../../core/text/count-of.ts';
import { renderTable } from '../terminal/table.ts';

/** Columns of the table of a screen, for terminals and reports: title and cell. */
export function screenColumns(screen: readonly ScreenEntryRecord[]): readonly {
  readonly title: string;
  readonly isText: boolean;
  readonly cell: (entry: ScreenEntryRecord) => string;
}[] {
  const varies = (key: 'weights' | 'cut' | 'imageSize' | 'pooling'): boolean =>
    new Set(screen.map((entry) => entry[key])).size > 1;
  const text = (title: string, cell: (entry: ScreenEntryRecord) => string) => ({ title, isText: true, cell });
  const number = (title: string, cell: (entry: ScreenEntryRecord) => string) => ({ title, isText: false, cell });
  return [
    number('place', ({ place }) => countCell(place)),
    text('backbone', ({ backbone }) => backbone),
    ...(varies('weights') ? [text('weights', ({ weights }) => weights)] : []),
    ...(varies('cut') ? [text('up to', ({ cut }) => cut)] : []),
    ...(varies('imageSize') ? [number('pixels', ({ imageSize }) => String(imageSize))] : []),
    ...(varies('pooling') ? [text('pooling', ({ pooling }) => pooling)] : []),
    number('right', accuracyCell),
    number('only best', ({ bestOnlyCount }) => countCell(bestOnlyCount)),
    number('only this', ({ thisOnlyCount }) => countCell(thisOnlyCount)),
    number('p', ({ pValue }) => (pValue === null ? '' : pValue < 0.001 ? '< 0.001' : pValue.toFixed(3))),
    text('', keptCell),
    number('LogME', ({ logMe }) => (logMe === null ? '' : logMe.toFixed(2))),
    number('one image', ({ latencySeconds }) =>
      latencySeconds === null ? '' : `${(latencySeconds * 1000).toFixed(1)} ms`,
    ),
  ];
}

/** Returns the candidates of a screen as a table; empty where there are none. */
export function screenTable(screen: readonly ScreenEntryRecord[]): string {
  const [first] = screen;
  if (first === undefined) return '';
  const columns = screenColumns(screen);
  return [
    screenTitle(screen),
    renderTable(
      columns.map(({ title, isText }) => (isText ? { title } : { title, align: 'right' as const })),
      screen.map((entry) => columns.map(({ cell }) => cell(entry))),
    ),
  ].join('\n');
}

/** Returns a sentence about a screen: `Screen: 3 of 9 candidates kept, by 300 images each`. */
export function screenTitle(screen: readonly ScreenEntryRecord[]): string {
  const images = countOf(screen[0]?.imageCount ?? 0, 'image');
  const measured = screen.filter(({ correctCount }) => correctCount !== null).length;
  const isDecided = screen.some(({ kept }) => kept !== null);
  const kept = screen.filter((entry) => entry.kept === true).length;
  const count = countOf(screen.length, 'candidate');
  return isDecided
    ? `Screen: ${kept} of ${count} kept, by the part of ${images} that is right without having been seen`
    : `Screen: ${measured} of ${count} probed on ${images} so far`;
}

function keptCell({ kept, isBaseline, correctCount }: ScreenEntryRecord): string {
  if (kept === null) return correctCount === null ? 'not probed yet' : '';
  if (!kept) return 'screened out';
  if (correctCount === null) return 'kept, no result';
  return isBaseline ? "kept, the baseline's" : 'kept';
}

function accuracyCell({ correctCount, imageCount }: ScreenEntryRecord): string {
  return correctCount === null ? '' : (correctCount / imageCount).toFixed(3);
}

function countCell(count: number | null): string {
  return count === null ? '' : String(count);
}
