import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';

/** Numbers of tests of a run by outcome. */
export interface TestCounts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Returns the closing line: `N passed, N failed`, and `, N skipped` if there are any. */
export function closingLine({ passed, failed, skipped }: TestCounts): string {
  const line = `${String(passed)} passed, ${String(failed)} failed`;
  return skipped === 0 ? line : `${line}, ${String(skipped)} skipped`;
}

/**
 * Prints the skipped tests with their reasons, then the closing line. If GRAFT_TEST_COUNTS_FILE is set, it writes the counts to that
 * file as JSON instead, and the process that set it prints the line.
 *
 * The reason is that of `context.skip(reason)`, or `skipReason` of the test's meta data. A file that can't be loaded, a suite whose
 * hooks fail and an error outside of all tests count as a failure each.
 */
export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(testModules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const tests = testModules.flatMap((module) => [...module.children.allTests()]);
    const counts: TestCounts = { passed: 0, failed: 0, skipped: 0 };
    for (const test of tests) counts[outcomeOf(test)] += 1;
    counts.failed +=
      unhandledErrors.length + testModules.reduce((sum, module) => sum + failuresOutsideTests(module), 0);
    const lines = skipLines(tests.filter((test) => outcomeOf(test) === 'skipped'));
    const file = process.env['GRAFT_TEST_COUNTS_FILE'] ?? '';
    if (file === '') lines.push(closingLine(counts));
    else writeFileSync(file, JSON.stringify(counts));
    if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
  }
}

function outcomeOf(test: TestCase): keyof TestCounts {
  const { state } = test.result();
  // Pending at the end: the run was interrupted before it.
  return state === 'passed' || state === 'skipped' ? state : 'failed';
}

function failuresOutsideTests(module: TestModule): number {
  const suites = [...module.children.allSuites()].filter((suite) => suite.errors().length > 0).length;
  return suites + (module.errors().length > 0 ? 1 : 0);
}

function skipLines(tests: readonly TestCase[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const test of tests) {
    const reason = reasonOf(test);
    const path = relative(process.cwd(), test.module.moduleId);
    byReason.set(reason, [...(byReason.get(reason) ?? []), `${path} > ${test.fullName}`]);
  }
  return [...byReason].flatMap(([reason, names]) => [`Skipped, ${reason}:`, ...names.map((name) => `  ${name}`)]);
}

function reasonOf(test: TestCase): string {
  const result = test.result();
  const note = result.state === 'skipped' ? result.note : undefined;
  const meta = (test.meta() as { skipReason?: unknown }).skipReason;
  if (note !== undefined && note !== '') return note;
  if (typeof meta === 'string') return meta;
  return test.options.mode === 'todo' ? 'still to be written' : 'no reason given';
}
