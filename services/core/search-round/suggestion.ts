import type { SamplerVersion } from '../stopping/rounds-policy.ts';
import type { Parameters } from '../sweep/sweep-spec.ts';

/**
 * Sampler of a run of an adaptive sweep: a model with its version, the sweep file, the defaults as the baseline, the Sobol sequence, or
 * the enumeration of what is left of a finite space.
 */
export type SamplerName = SamplerVersion | 'variant' | 'default' | 'sobol' | 'remaining';

/** The reasons for the parameters of a run. Numbers have six digits, so that a replay on another machine gives the same. */
export interface ChoiceDetail {
  /** Scored runs that the model was fitted on; absent without a model, as are the numbers that follow. */
  readonly scored?: number;
  /** Value that a Gaussian process expects, and its standard deviation, as the objective measures it. */
  readonly predicted?: { readonly value: number; readonly deviation: number };
  /** ln of the expected improvement, in standard deviations of the scores. */
  readonly logImprovement?: number;
  /** ln of the ratio of the densities of the good and the other runs. */
  readonly logRatio?: number;
  /** Runs that count as good. */
  readonly goodCount?: number;
  /** The reason for which no model chose it, or for which it opens a group of its own. */
  readonly why?: string;
}

/** The reasons for a run, and its place in the groups of its round; stored as JSON. */
export interface SuggestionDetail extends ChoiceDetail {
  /** Choice of the parameters of fine-tuning, where these have a model of their own. */
  readonly fineTune?: ChoiceDetail & { readonly sampler: SamplerName };
  /** Number of the group in the round, from 1: its heads read the same batches. */
  readonly group: number;
  /** Runs of the group in the round. */
  readonly groupRuns: number;
  /** Groups of the round. */
  readonly groups: number;
}

/** A run that a round brings. */
export interface SuggestedRun {
  /** Canonical parameters. */
  readonly parameters: Parameters;
  /** SHA-256 over the canonical parameters, hexadecimal. */
  readonly digest: string;
  readonly sampler: SamplerName;
  readonly detail: SuggestionDetail;
}
