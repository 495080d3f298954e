/** A finished task whose forecast can be compared with what it took. */
export interface CostSample {
  /** `TaskForecast.costClass`. */
  readonly costClass: string;
  /** By the model alone, seconds. */
  readonly modelSeconds: number;
  /** From lease to end of the attempt that succeeded, seconds. */
  readonly measuredSeconds: number;
}

/** What measurements of the cluster say of the model: how many times longer work takes than it thinks. */
export interface Corrections {
  /** 1 where nothing like it was measured. */
  factor(costClass: string): number;
  /** The same as data, by class and by kind of work: what another thread or a page token carries. Absent: nothing was measured. */
  readonly factors?: Readonly<Record<string, number>>;
}

export const NO_CORRECTIONS: Corrections = { factor: () => 1 };

/** Inverse of `Corrections.factors`. */
export function correctionsOf(factors: Readonly<Record<string, number>>): Corrections {
  const byKey = new Map(Object.entries(factors));
  return { factors, factor: (costClass) => byKey.get(costClass) ?? byKey.get(kindOf(costClass)) ?? 1 };
}

/** One odd measurement must not make a plan absurd. */
const SMALLEST_FACTOR = 0.02;
const LARGEST_FACTOR = 50;

/** Tasks that take hardly more than their fixed part say nothing about the rest. */
const LEAST_WORK_SECONDS = 0.05;

/**
 * The median of measured against modelled work (what every task takes is left out of both): of the very same class, else of the
 * same kind of work (the class' first two words) on any base.
 *
 * @param fixedSeconds what a task takes whatever it does.
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
