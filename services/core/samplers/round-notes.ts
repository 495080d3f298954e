import { firstRoundSize, roundSize } from '../stopping/rounds-policy.ts';
import { SEARCH_DEFAULTS } from '../sweep/search-spec.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import { countOf } from '../text/count-of.ts';
import { isAdaptive } from './samplers.ts';

/** Describes how a strategy asks for runs; empty for one that knows all of them at the start. */
export function roundNotes(spec: SweepSpec): string[] {
  if (!isAdaptive(spec)) return [];
  const { strategy, maxRuns, search = SEARCH_DEFAULTS } = spec;
  const size = roundSize(search, maxRuns);
  const first = firstRoundSize(spec);
  const begins = first === size ? '' : `, the first of ${first}`;
  const later = 'Only the first round is planned: the runs of the others follow from the results.';
  if (maxRuns === null) {
    return [`strategy ${strategy}, rounds of ${size}${begins}, until the budget is spent. ${later}`];
  }
  const rounds = 1 + Math.ceil((maxRuns - first) / size);
  const runs = countOf(maxRuns, 'run');
  if (rounds === 1)
    return [`strategy ${strategy}, ${runs} in 1 round: too few for a model. Raise max_runs above ${first}.`];
  return [`strategy ${strategy}, ${runs} in ${rounds} rounds of ${size}${begins}. ${later}`];
}
