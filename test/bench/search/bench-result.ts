import { renderTable } from '../../../services/cli/terminal/table.ts';
import type { Column } from '../../../services/cli/terminal/table.ts';
import type { Mean } from './paired-interval.ts';

/** A target of a bench. It is met if the mean and the worse end of its 95 % interval meet it. */
export interface Target {
  readonly name: string;
  readonly measured: string;
  readonly isMet: boolean;
}

export interface BenchResult {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  readonly targets: readonly Target[];
  /** Sizes, settings and their reasons. */
  readonly notes: readonly string[];
}

/** Settings from the command line. */
export interface BenchSettings {
  readonly seeds: number;
  /** Prints a line of progress. */
  readonly say: (line: string) => void;
}

export function atMost(name: string, measured: Mean, limit: number, format: (value: number) => string): Target {
  return { name, measured: withInterval(measured, format), isMet: measured.high <= limit };
}

export function atLeast(name: string, measured: Mean, limit: number, format: (value: number) => string): Target {
  return { name, measured: withInterval(measured, format), isMet: measured.low >= limit };
}

export function withInterval({ mean, low, high }: Mean, format: (value: number) => string): string {
  return `${format(mean)} (${format(low)} to ${format(high)})`;
}

export const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
/** Percentage points. */
export const points = (value: number): string => (100 * value).toFixed(3);

export function renderResult({ title, columns, rows, targets, notes }: BenchResult): string {
  const verdicts = renderTable(
    [{ title: 'target' }, { title: 'measured (95 % interval)', align: 'right' }, { title: '' }],
    targets.map(({ name, measured, isMet }) => [name, measured, isMet ? 'met' : 'MISSED']),
  );
  return [title, renderTable(columns, rows), verdicts, ...notes].join('\n\n');
}
