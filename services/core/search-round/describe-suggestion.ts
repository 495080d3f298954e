import type { Objective } from '../objective.ts';
import { countOf } from '../text/count-of.ts';
import { significant } from '../text/significant.ts';
import type { ChoiceDetail, SamplerName, SuggestionDetail } from './suggestion.ts';

/** A suggestion as it is stored. */
export interface StoredSuggestion {
  /** Number of the round, from 0. */
  readonly round: number;
  /** Place in the round, from 0. */
  readonly position: number;
  readonly sampler: SamplerName;
  readonly detail: SuggestionDetail;
}

/**
 * Describes in one sentence how a run came into its sweep: "suggested round 2, place 5 of 8, by gp@1 from 26 scored runs: predicted
 * val_loss 0.128 ± 0.009, log-EI −2.31; group 1 of 2, with 3 other runs".
 *
 * @param roundRuns number of runs that the round brought
 */
export function describeSuggestion(
  { round, position, sampler, detail }: StoredSuggestion,
  roundRuns: number,
  objective: Objective,
): string {
  const place = `suggested round ${round}, place ${position + 1} of ${roundRuns}, ${describeChoice(sampler, detail, objective)}`;
  const { fineTune } = detail;
  const tuning = fineTune === undefined ? [] : [`fine-tuning ${describeChoice(fineTune.sampler, fineTune, objective)}`];
  return [place, ...tuning, describeGroup(detail)].join('; ');
}

const WITHOUT_MODEL: Readonly<Record<Exclude<SamplerName, `${string}@${number}`>, string>> = {
  variant: 'as a variant of the sweep file',
  default: 'with the defaults, as the baseline',
  sobol: 'as the next point of the Sobol sequence',
  remaining: 'as one of the last points of the space',
};

function describeChoice(sampler: SamplerName, detail: ChoiceDetail, { metric }: Objective): string {
  const why = detail.why === undefined ? '' : `: ${detail.why}`;
  if (sampler !== 'gp@1' && sampler !== 'tpe@1') return `${WITHOUT_MODEL[sampler]}${why}`;
  const { scored = 0, predicted, logImprovement, logRatio, goodCount = 0 } = detail;
  const numbers = [
    ...(predicted === undefined
      ? []
      : [`predicted ${metric} ${significant(predicted.value)} ± ${significant(predicted.deviation, 2)}`]),
    ...(logImprovement === undefined ? [] : [`log-EI ${signed(logImprovement)}`]),
    ...(logRatio === undefined
      ? []
      : [`log density ratio ${signed(logRatio)} of the ${countOf(goodCount, 'best run')} to the others`]),
  ];
  const reasons = [numbers.join(', '), ...(detail.why === undefined ? [] : [detail.why])].filter((part) => part !== '');
  return `by ${sampler} from ${countOf(scored, 'scored run')}${reasons.length === 0 ? '' : `: ${reasons.join('; ')}`}`;
}

function describeGroup({ group, groupRuns, groups }: SuggestionDetail): string {
  const others = groupRuns === 1 ? 'alone' : `with ${countOf(groupRuns - 1, 'other run')}`;
  return `group ${group} of ${groups}, ${others}`;
}

/** Formats a logarithm with a true minus sign, which does not break from its number. */
function signed(value: number): string {
  return significant(value, 3).replace('-', '−');
}
