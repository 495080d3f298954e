import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { TestResultRecord } from '../../core/records/test-result.ts';
import { neverFoundClasses } from '../../core/statistics/never-found-classes.ts';
import { countOf } from '../../core/text/count-of.ts';
import { formatInterval, formatMetric } from '../terminal/format.ts';

const NAMED_CLASSES = 10;

/** Returns the lines of a run's result on the test split: accuracy, averages over the classes, classes that were never found. */
export function describeTest(test: TestResultRecord): readonly string[] {
  const averages = [
    ['macro F1', test.macroF1],
    ['balanced accuracy', test.balancedAccuracy],
    ['AUC', test.rocAuc],
  ] as const;
  const known = averages.flatMap(([name, value]) => (value === null ? [] : [`${name} ${formatMetric(value)}`]));
  const interval = formatInterval(test.accuracy, test.accuracyLow, test.accuracyHigh);
  return [
    `On the test split (as ${test.role}): accuracy ${interval}, 95 %, ${test.correctCount} of ${test.imageCount} right.`,
    ...(known.length === 0 ? [] : [`Over the classes: ${known.join(', ')}.`]),
    ...neverFoundLine('It', test),
  ];
}

/** Returns a line about classes that the first tested run of a leaderboard never finds; empty if there are none. */
export function neverFoundNote(entries: readonly LeaderboardRecord[]): readonly string[] {
  const [first] = entries;
  if (first === undefined || first.testResult === null) return [];
  return neverFoundLine(`Run ${first.run.runIndex}`, first.testResult);
}

function neverFoundLine(subject: string, { classResults }: TestResultRecord): readonly string[] {
  const lost = neverFoundClasses(classResults);
  if (lost.length === 0) return [];
  const named = lost
    .slice(0, NAMED_CLASSES)
    .map(({ className, support }) => `${className} (${countOf(support, 'image')})`);
  const more = lost.length > NAMED_CLASSES ? ` and ${lost.length - NAMED_CLASSES} more` : '';
  const classes = countOf(lost.length, 'class', 'classes');
  return [`${subject} never finds ${classes} of ${classResults.length} in the test split: ${named.join(', ')}${more}.`];
}
