import type { Parameters } from '../../sweep/sweep-spec.ts';
import type { IsKnown } from './history.ts';

/** A model of the results so far that suggests the runs of one round, one after the other. */
export interface RoundModel {
  /** Runs with a score, which the model is fitted on. */
  readonly scoredCount: number;
  /**
   * Returns the most promising point that is not known; null where none is found.
   *
   * @param position number of the suggestion in the round; part of the key of its random numbers.
   * @param allowed values of some dimensions; the point has those of one of them. Empty: any point.
   */
  readonly suggest: (position: number, allowed: readonly Parameters[], isKnown: IsKnown) => Proposal | null;
  /** Adds a run without a result, so that the next suggestion goes elsewhere. */
  readonly add: (parameters: Parameters) => void;
}

/** A point with the model's reasons for it. */
export interface Proposal {
  /** Not canonical yet. */
  readonly parameters: Parameters;
  readonly rating: Rating;
}

export type Rating = ImprovementRating | DensityRating;

/** A Gaussian process: what the score of the point will be. */
export interface ImprovementRating {
  readonly kind: 'improvement';
  /** Mean and standard deviation of the score without noise, in the score's unit; larger is better. */
  readonly mean: number;
  readonly deviation: number;
  /** ln of the expected improvement on the best run, in standard deviations of the scores. */
  readonly logImprovement: number;
}

/** A Parzen estimator: how much likelier the point is among the good runs than among the others. */
export interface DensityRating {
  readonly kind: 'density';
  /** ln of the ratio of the two densities. */
  readonly logRatio: number;
  /** Number of runs that count as good. */
  readonly goodCount: number;
}
