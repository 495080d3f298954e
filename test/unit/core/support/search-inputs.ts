import type { Objective } from '../../../../services/core/objective.ts';
import type { LadderRun, RungDefinition } from '../../../../services/core/stopping/ladder.ts';
import { pathOf } from '../../../../services/core/stopping/ladder.ts';
import type { SearchPolicy } from '../../../../services/core/stopping/policy.ts';
import { policyOf } from '../../../../services/core/stopping/policy.ts';
import type { Arrival } from '../../../../services/core/stopping/rule.ts';
import type { RungEntry } from '../../../../services/core/stopping/rung-table.ts';
import type { StoppingSpec } from '../../../../services/core/sweep/search-spec.ts';
import { STOPPING_DEFAULTS } from '../../../../services/core/sweep/search-spec.ts';

export const ACCURACY: Objective = { metric: 'val_accuracy', goal: 'maximize' };
export const LOSS: Objective = { metric: 'val_loss', goal: 'minimize' };

/** Runs that differ in nothing that the ladder knows. */
export function alike(count: number, run: Partial<LadderRun> = {}): LadderRun[] {
  return Array.from({ length: count }, (_, index) => ({
    index,
    headEpochs: 0,
    augmented: false,
    fineTuneEpochs: 27,
    ...run,
  }));
}

export function searchPolicy(
  runs: readonly LadderRun[],
  stopping: Partial<StoppingSpec>,
  objective = ACCURACY,
): SearchPolicy {
  return policyOf({ seed: 0, objective, stopping: { ...STOPPING_DEFAULTS, ...stopping } }, runs);
}

export function entryOf(runIndex: number, value: number, more: Partial<RungEntry> = {}): RungEntry {
  return {
    runIndex,
    arrival: runIndex + 1,
    value,
    standardError: null,
    epoch: 3,
    completedEpochs: 3,
    tieOrder: 0,
    evidence: null,
    continues: true,
    ...more,
  };
}

/**
 * Returns the arrival of the last of these values, run by run, at the first rung of a policy.
 */
export function lastOf(
  policy: SearchPolicy,
  values: readonly number[],
  more: Partial<Arrival> & { readonly failed?: number } = {},
): Arrival {
  const entries = values.map((value, index) => entryOf(index, value));
  const entry = entries.at(-1)!;
  const definition: RungDefinition = policy.ladder[0]!;
  const path = pathOf(policy.ladder, alike(1)[0]!);
  return { table: { definition, entries, failedCount: more.failed ?? 0 }, entry, earlier: [], path, ...more };
}
