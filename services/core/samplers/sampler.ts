import type { Parameters, SweepSpec } from '../sweep/sweep-spec.ts';

type Report = (field: string, description: string) => void;

/** A way to choose the runs of a sweep. */
export interface Sampler {
  /**
   * The points are drawn, without end: `max_runs` must be given, the defaults come first as the baseline, and what is left of a
   * finite space follows where draws repeat. Otherwise they are enumerated, and `max_runs` is only a bound.
   */
  readonly draws: boolean;
  /** Reports what this strategy alone requires of a spec, by field path. */
  readonly validate: (spec: SweepSpec, report: Report) => void;
  /**
   * Returns the strategy's own points, in order; listed variants come before them.
   *
   * @param base parameters that all points start from.
   */
  readonly sample: (spec: SweepSpec, base: Parameters) => Iterable<Parameters>;
}

/** Reports a spec without dimensions to a strategy that draws. */
export function requireDimensions({ strategy, parameters }: SweepSpec, report: Report): void {
  if (parameters.length > 0) return;
  report('parameters', `is empty: strategy ${strategy} has nothing to draw. Add a dimension, or use strategy: list.`);
}
