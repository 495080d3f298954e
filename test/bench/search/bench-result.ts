import { renderTable } from '../../../services/cli/terminal/table.ts';
import type { Column } from '../../../services/cli/terminal/table.ts';
import type { Mean } from './paired-interval.ts';

/** A target of a bench. It is met if the mean and the worse end of its 95 % interval meet it. */
export interface Target {
  readonly name: string;
  readonly measured: string;
  readonly isMet: boolean;
  /** True: README has the measured reason why it is missed, and a miss does not change the exit code. Absent: false. */
  readonly hasReason?: boolean;
}

export interface BenchResult {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  readonly targets: readonly Target[];
  /** Sizes, settings and their reasons. */
  readonly notes: readonly string[];
}

/** The first seed that judges. Rules and their defaults were chosen in the worlds of lower seeds. */
const FIRST_SEED = 1_000;

/** Returns the seeds that judge. */
export function seedsOf(count: number): number[] {
  return Array.from({ length: count }, (_, index) => FIRST_SEED + index);
}

/** Settings from the command line. */
export interface BenchSettings {
  /** Number of seeds. */
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
    targets.map((target) => [target.name, target.measured, verdictOf(target)]),
  );
  return [title, renderTable(columns, rows), ...(targets.length === 0 ? [] : [verdicts]), ...notes].join('\n\n');
}

function verdictOf({ isMet, hasReason = false }: Target): string {
  if (isMet) return 'met';
  return hasReason ? 'MISSED, for the reason in README.md' : 'MISSED';
}
