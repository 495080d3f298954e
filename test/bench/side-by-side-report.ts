import { wilsonInterval } from '../../services/core/statistics/wilson-interval.ts';
import type { EpochMeasurement, TestCount } from '../parity/training-curves-keras.ts';

/** Limit for losses and accuracies of an epoch if nothing is random. */
export const EPOCH_LIMIT = 1e-3;

export interface Curves {
  readonly title: string;
  /** true if each epoch has to agree, not only the test accuracy. */
  readonly isExact: boolean;
  readonly epochs: readonly { readonly graft: EpochMeasurement; readonly keras: EpochMeasurement }[];
  readonly graftTest: TestCount;
  readonly kerasTest: TestCount;
}

export interface Comparison extends Curves {
  /** Largest difference of an epoch's numbers. */
  readonly largestDifference: number;
  readonly agrees: boolean;
}

const COLUMNS = ['loss', 'accuracy', 'val_loss', 'val_accuracy'] as const;

export function compareCurves(curves: Curves): Comparison {
  const differences = curves.epochs.flatMap(({ graft, keras }) =>
    COLUMNS.map((name) => Math.abs(graft[name] - keras[name])),
  );
  const largestDifference = Math.max(...differences);
  const testsAgree =
    isWithin(curves.graftTest, intervalOf(curves.kerasTest)) &&
    isWithin(curves.kerasTest, intervalOf(curves.graftTest));
  const agrees = testsAgree && (!curves.isExact || largestDifference <= EPOCH_LIMIT);
  return { ...curves, largestDifference, agrees };
}

/** Renders both curves side by side, then the test accuracies with their 95 % Wilson intervals. */
export function renderComparison(comparison: Comparison): string {
  const { title, epochs, graftTest, kerasTest, isExact, largestDifference, agrees } = comparison;
  const head = `epoch ${COLUMNS.map((name) => `  ${name} (Graft, Keras)`.padStart(29)).join('')}`;
  const rows = epochs.map(({ graft, keras }, index) => {
    const cells = COLUMNS.map((name) => `${graft[name].toFixed(5)}  ${keras[name].toFixed(5)}`.padStart(29));
    return `${String(index + 1).padStart(5)} ${cells.join('')}`;
  });
  const limit = isExact ? ` (limit ${EPOCH_LIMIT.toString()})` : '';
  return [
    title,
    head,
    ...rows,
    `largest difference of an epoch ${largestDifference.toExponential(1)}${limit}`,
    `test accuracy  Graft ${accuracyText(graftTest)}  Keras ${accuracyText(kerasTest)}  ${agrees ? 'agree' : 'DISAGREE'}`,
    '',
  ].join('\n');
}

function intervalOf({ correct, count }: TestCount): readonly [number, number] {
  const { low, high } = wilsonInterval(correct, count);
  return [low, high];
}

function isWithin({ correct, count }: TestCount, [low, high]: readonly [number, number]): boolean {
  return correct / count >= low && correct / count <= high;
}

function accuracyText(test: TestCount): string {
  const [low, high] = intervalOf(test);
  return `${(test.correct / test.count).toFixed(4)} [${low.toFixed(4)}, ${high.toFixed(4)}] of ${test.count}`;
}
