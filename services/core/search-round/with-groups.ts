import type { Dimension } from '../samplers/dimensions.ts';
import { groupNumbers } from './round-groups.ts';
import type { SuggestedRun, SuggestionDetail } from './suggestion.ts';

/** A run of a round that is not complete yet. */
export interface DraftRun extends Omit<SuggestedRun, 'detail'> {
  readonly detail: Omit<SuggestionDetail, 'group' | 'groupRuns' | 'groups'>;
}

/** Adds to the runs of a round the groups in which their heads train. */
export function withGroups(dimensions: readonly Dimension[], runs: readonly DraftRun[]): readonly SuggestedRun[] {
  const numbers = groupNumbers(
    dimensions,
    runs.map(({ parameters }) => parameters),
  );
  const groups = Math.max(0, ...numbers);
  return runs.map((run, position) => {
    const group = numbers[position] ?? 1;
    const groupRuns = numbers.filter((other) => other === group).length;
    return { ...run, detail: { ...run.detail, group, groupRuns, groups } };
  });
}
