import { InvalidRequestError } from '../../../core/errors.ts';
import type { PlanInput } from '../../../core/planner/plan.ts';
import { pausesAtRungs } from '../../../core/stopping/policy.ts';
import type { SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import type { StoredRun } from '../planning/stored-plans.ts';
import { lockSearch } from '../rungs/search-row.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import { endRuns } from '../runs/end-runs.ts';
import type { StoreTransaction } from '../transaction.ts';
import { enterReused } from './enter-reused.ts';
import { recordDigests, reuseResults } from './reuse-results.ts';
import type { Reused } from './reuse-results.ts';

export interface TrainedBefore {
  /** Runs that need no training: they took a result, or a rule stops them at the end of a head that was trained before. */
  readonly ended: ReadonlySet<string>;
  /** Run that has trained the head, by the run that fine-tunes it. */
  readonly heads: Reused['heads'];
}

/**
 * Identifies what each run of a sweep that is being planned trains, takes what other sweeps have trained, and enters it at the rungs of
 * the sweep. The caller has locked the sweep and inserted its search.
 *
 * @throws InvalidRequestError when weights are missing
 */
export async function reuseTrained(
  tx: StoreTransaction,
  sweepId: string,
  { objective, reuse }: SweepSpec,
  runs: readonly StoredRun[],
  {
    dataset,
    weights,
    isExtension,
  }: {
    readonly dataset: { readonly digest: string };
    readonly weights: PlanInput['weights'];
    readonly isExtension: boolean;
  },
): Promise<TrainedBefore> {
  const { planner } = tx.store;
  const identified = await tx.during(planner.identify({ runs, objective, weights, datasetDigest: dataset.digest }));
  if ('unresolved' in identified) {
    throw new InvalidRequestError([{ field: 'index.weights', description: identified.unresolved }]);
  }
  await recordDigests(tx, identified);
  if (reuse === false) return { ended: new Set(), heads: new Map() };
  const search = await lockSearch(tx, sweepId);
  if (search === null) throw new Error(`Sweep ${sweepId} has no search.`);
  const withHeads = !pausesAtRungs(search.policy);
  const { results, heads } = await reuseResults(tx, sweepId, objective, identified, {
    withHeads,
    withOwn: isExtension,
  });
  const stopped = await enterTrained(tx, search, { results, heads });
  return { ended: new Set([...results.keys(), ...stopped]), heads };
}

/** Enters the runs at their rungs. @returns those that the rule stops at the end of their head */
async function enterTrained(tx: StoreTransaction, search: LockedSearch, { results, heads }: Reused): Promise<string[]> {
  const verdicts = await enterReused(tx, search, [
    ...[...results].map(([runId, sourceId]) => ({ runId, sourceId, upTo: 'FINE_TUNE' as const })),
    ...[...heads].map(([runId, sourceId]) => ({ runId, sourceId, upTo: 'HEAD' as const })),
  ]);
  const stopped = verdicts.filter(({ runId, verdict }) => heads.has(runId) && verdict.kind === 'STOP');
  for (const { runId, verdict } of stopped) {
    await endRuns(tx, [runId], { to: 'STOPPED', reason: verdict.reason, cause: 'RULE' });
  }
  return stopped.map(({ runId }) => runId);
}
