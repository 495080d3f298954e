import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { NO_KERAS } from './keras-venv.ts';
import type { ParityFigure } from './table.ts';

const HEADINGS = ['', 'check', 'family', 'size', 'max error', 'limit', ''];
const RIGHT_ALIGNED = [false, false, false, true, true, true, false];

/** Prints the recorded parity figures as one table, and the number of comparisons skipped for lack of Keras. */
export default class ParityTableReporter implements Reporter {
  onTestRunEnd(testModules: readonly TestModule[]): void {
    const tests = testModules.flatMap((module) => [...module.children.allTests()]);
    const figures = tests.flatMap((test) => test.meta().parity ?? []);
    const skipped = tests.filter(wasSkippedForKeras).length;
    const lines: string[] = [];
    if (figures.length > 0) lines.push('Parity with Keras:', parityTable(figures));
    if (skipped > 0) {
      const left = figures.length > 0 ? ' Only recorded values of Keras were compared with.' : '';
      lines.push(`Keras is not on this machine: ${skipped} comparisons with it were left out.${left}`);
    }
    if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n\n`);
  }
}

/** Returns one line per point, check, family and size, with the largest of its errors. */
export function parityTable(figures: readonly ParityFigure[]): string {
  const largest = new Map<string, ParityFigure>();
  for (const figure of figures) {
    const key = JSON.stringify([figure.point, figure.check, figure.family, figure.size]);
    const known = largest.get(key);
    // Written so that NaN, which is a failure, is kept.
    if (known === undefined || !(figure.maxError <= known.maxError)) largest.set(key, figure);
  }
  const ordered = [...largest.values()].sort(
    (a, b) =>
      compare(a.point, b.point) ||
      compare(a.check, b.check) ||
      compare(a.family, b.family) ||
      (a.size ?? 0) - (b.size ?? 0),
  );
  const rows = [HEADINGS, ...ordered.map(cellsOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => row.map((cell, column) => pad(cell, widths[column] ?? 0, RIGHT_ALIGNED[column] ?? false)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n');
}

function cellsOf({ point, check, family, size, maxError, limit }: ParityFigure): string[] {
  const within = maxError <= limit ? '' : 'TOO LARGE';
  return [point, check, family, size === null ? '' : String(size), errorText(maxError), errorText(limit), within];
}

function errorText(error: number): string {
  return error === 0 ? '0' : error.toExponential(1);
}

function pad(text: string, width: number, right: boolean): string {
  return right ? text.padStart(width) : text.padEnd(width);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function wasSkippedForKeras(test: TestCase): boolean {
  const result = test.result();
  return result.state === 'skipped' && (result.note ?? '').startsWith(NO_KERAS);
}
