/** A finished task whose forecast can be compared with its measured duration. */
export interface CostSample {
  /** `TaskForecast.costClass`. */
  readonly costClass: string;
  /** Seconds by the model alone. */
  readonly modelSeconds: number;
  /** Seconds from lease to end of the attempt that succeeded. */
  readonly measuredSeconds: number;
}

/** Measured corrections of the model on this cluster: the factor by which work takes longer than modelled. */
export interface Corrections {
  /** Returns the factor of a cost class; 1 if nothing similar was measured. */
  factor(costClass: string): number;
  /**
   * The factors as data, by class and by kind of work, for another thread or a page token. Undefined: nothing was
   * measured.
   */
  readonly factors?: Readonly<Record<string, number>>;
}

export const NO_CORRECTIONS: Corrections = { factor: () => 1 };

/** Inverse of `Corrections.factors`. */
export function correctionsOf(factors: Readonly<Record<string, number>>): Corrections {
  const byKey = new Map(Object.entries(factors));
  return { factors, factor: (costClass) => byKey.get(costClass) ?? byKey.get(kindOf(costClass)) ?? 1 };
}

/** Bounds of a factor: one odd measurement must not distort a plan. */
const SMALLEST_FACTOR = 0.02;
const LARGEST_FACTOR = 50;

/** Minimum work of a sample: tasks that hardly exceed their fixed part contain no information about the rest. */
const LEAST_WORK_SECONDS = 0.05;

/**
 * Returns the medians of measured relative to modelled work, without the fixed part of a task. A class without samples
 * uses the median of its kind of work (the class' first two words) on any base.
 *
 * @param fixedSeconds fixed duration of a task.
 */
export function correctionsFrom(samples: readonly CostSample[], fixedSeconds: number): Corrections {
  const factors = new Map<string, number[]>();
  for (const { costClass, modelSeconds, measuredSeconds } of samples) {
    const work = modelSeconds - fixedSeconds;
    if (!(work >= LEAST_WORK_SECONDS)) continue;
    const factor = Math.max(measuredSeconds - fixedSeconds, 0) / work;
    for (const key of [costClass, kindOf(costClass)]) factors.set(key, [...(factors.get(key) ?? []), factor]);
  }
  return correctionsOf(
    Object.fromEntries(
      [...factors].map(([key, known]) => [key, Math.min(LARGEST_FACTOR, Math.max(SMALLEST_FACTOR, median(known)))]),
    ),
  );
}

function kindOf(costClass: string): string {
  return costClass.split(' ').slice(0, 2).join(' ');
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 1;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}
