import type { LadderRun, RungDefinition } from './ladder.ts';
import { policyOf, ruleOf } from './policy.ts';
import type { SearchPolicy } from './policy.ts';

/**
 * Returns the policy of an extended sweep. Rungs keep their numbers, because entries and decisions name them: those of fine-tuning follow
 * where no run was fine-tuned before, and added rungs inside heads are left out. A sweep that compared nothing, because its rule was left to
 * Graft, is compared by the rule for all of its runs.
 *
 * @param runs all runs, with the added ones
 * @param hasDecided false: no decision of a rule is stored
 */
export function extendPolicy(
  known: SearchPolicy,
  spec: Parameters<typeof policyOf>[0],
  runs: readonly LadderRun[],
  hasDecided: boolean,
): SearchPolicy {
  const resolved = policyOf(spec, runs);
  const base = ruleOf(known) === 'none' && !hasDecided ? resolved : known;
  return {
    ...base,
    ladder: extendLadder(known.ladder, resolved.ladder),
    // What a screen has kept does not change, and what an extension adds is not screened.
    ...(known.screen && { screen: known.screen }),
  };
}

function extendLadder(
  known: readonly RungDefinition[],
  resolved: readonly RungDefinition[],
): readonly RungDefinition[] {
  if (known.some(({ stage }) => stage === 'FINE_TUNE')) return known;
  // The end of the heads is rung 0 also where nothing was compared (`store/rungs/enter-ends.ts`).
  const added = resolved.filter(({ stage, epoch }) => stage === 'FINE_TUNE' || (known.length === 0 && epoch === null));
  return [...known, ...added.map((rung, index) => ({ ...rung, number: known.length + index }))];
}
