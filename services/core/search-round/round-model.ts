import { basePoint } from '../samplers/baseline.ts';
import { GpModel } from '../samplers/gp/gp-model.ts';
import { modelDimensions } from '../samplers/model/axis.ts';
import type { HistoryRun, IsKnown, SuggestKey } from '../samplers/model/history.ts';
import type { Rating, RoundModel } from '../samplers/model/round-model.ts';
import { MOST_GP_RUNS } from '../samplers/samplers.ts';
import { TpeModel } from '../samplers/tpe/tpe-model.ts';
import type { RoundsPolicy, SamplerVersion } from '../stopping/rounds-policy.ts';
import type { Parameters, SweepSpec } from '../sweep/sweep-spec.ts';
import type { ChoiceDetail } from './suggestion.ts';

/** A point that a model has chosen. */
export interface ModelChoice {
  readonly parameters: Parameters;
  readonly sampler: SamplerVersion;
  readonly detail: ChoiceDetail;
}

/** The model of a round, or the reason for which there is none. */
export type FittedModel = RoundChooser | { readonly why: string };

/** A fitted model, with its name and the sense of the objective. */
export class RoundChooser {
  readonly #model: RoundModel;
  readonly #sampler: SamplerVersion;
  readonly #sign: 1 | -1;

  constructor(model: RoundModel, sampler: SamplerVersion, sign: 1 | -1) {
    this.#model = model;
    this.#sampler = sampler;
    this.#sign = sign;
  }

  /** Returns the most promising point; null where none is found. Parameters as `RoundModel.suggest`. */
  choose(position: number, allowed: readonly Parameters[], isKnown: IsKnown): ModelChoice | null {
    const proposal = this.#model.suggest(position, allowed, isKnown);
    if (proposal === null) return null;
    const detail = { scored: this.#model.scoredCount, ...this.#describe(proposal.rating) };
    return { parameters: proposal.parameters, sampler: this.#sampler, detail };
  }

  add(parameters: Parameters): void {
    this.#model.add(parameters);
  }

  #describe(rating: Rating): ChoiceDetail {
    if (rating.kind === 'density') {
      const { logRatio, goodCount } = rating;
      return { ...(Number.isFinite(logRatio) && { logRatio: sixDigits(logRatio) }), goodCount };
    }
    const { mean, deviation, logImprovement } = rating;
    return {
      predicted: { value: sixDigits(this.#sign * mean), deviation: sixDigits(deviation) },
      ...(Number.isFinite(logImprovement) && { logImprovement: sixDigits(logImprovement) }),
    };
  }
}

/**
 * Fits the model of a round.
 *
 * @param spec its dimensions are those of the model
 * @param sign 1 where a larger value of the objective is better, else -1
 */
export function fitModel(
  { sampler, startupRuns }: RoundsPolicy,
  spec: SweepSpec,
  history: readonly HistoryRun[],
  key: SuggestKey,
  sign: 1 | -1,
): FittedModel {
  const scoredCount = history.filter(({ score }) => score !== null).length;
  const needed = Math.max(startupRuns, FEWEST_SCORES);
  if (scoredCount < needed) return { why: `a model needs ${needed} scored runs, and there are ${scoredCount}` };
  const dimensions = modelDimensions(spec);
  const base = basePoint(spec);
  if (sampler === 'tpe@1' || history.length > MOST_GP_RUNS) {
    return new RoundChooser(new TpeModel(dimensions, base, history, key), 'tpe@1', sign);
  }
  try {
    return new RoundChooser(new GpModel(dimensions, base, history, key), 'gp@1', sign);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { why: `the Gaussian process can't be fitted: ${error.message}` };
  }
}

/** Scores without which no model can be fitted. */
const FEWEST_SCORES = 2;

/** Rounds as drawn values are rounded, so that the last bits of another machine's logarithm don't show. */
function sixDigits(value: number): number {
  return Number(value.toPrecision(6));
}
