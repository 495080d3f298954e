import { compareEvidence } from './paired-evidence.ts';
import type { SearchPolicy } from './policy.ts';
import type { RoundsPolicy } from './rounds-policy.ts';
import type { RungEntry } from './rung-table.ts';
import { compareEntries } from './rung-table.ts';
import type { SearchState } from './search-state.ts';
import { normalUpperTail } from '../statistics/normal.ts';

/** Level at which a run is distinguishably better than the best of earlier rounds. */
const LEVEL = 0.1;

/** The best entry of a round, and the rung that rounds are compared at. */
export interface RoundBest {
  readonly round: number;
  readonly rung: number;
  readonly entry: RungEntry;
}

/**
 * Returns the best entry of each round that has one, in order: at the end of the heads, or at the last rung where parameters of fine-tuning
 * vary. Their results by image are what `roundsSince` compares.
 */
export function bestOfRounds(policy: SearchPolicy, rounds: RoundsPolicy, state: SearchState): RoundBest[] {
  const { ladder, objective } = policy;
  const heads = ladder.findLast(({ stage }) => stage === 'HEAD');
  const rung = (rounds.variesFineTuning ? undefined : heads)?.number ?? ladder.length - 1;
  const roundOf = new Map(state.runs.map((run) => [run.index, run.round ?? null]));
  const best = new Map<number, RungEntry>();
  for (const entry of state.rungs[rung] ?? []) {
    const round = roundOf.get(entry.runIndex) ?? null;
    if (round === null || Number.isNaN(entry.value)) continue;
    const other = best.get(round);
    if (other === undefined || compareEntries(objective, entry, other) < 0) best.set(round, entry);
  }
  return [...best].sort(([a], [b]) => a - b).map(([round, entry]) => ({ round, rung, entry }));
}

/** Returns the number of rounds since the last one with a run that is distinguishably better than the best of those before. */
export function roundsSince(policy: SearchPolicy, rounds: RoundsPolicy, state: SearchState): number {
  const [first, ...later] = bestOfRounds(policy, rounds, state);
  if (first === undefined) return 0;
  let reference = first;
  for (const best of later) if (isBetterThan(policy, best.entry, reference.entry)) reference = best;
  const last = Math.max(0, (state.rounds?.asked ?? 1) - 1);
  return last - reference.round;
}

/** Returns whether an entry is better by more than luck: on the same images, or by the standard errors of both without results by image. */
function isBetterThan({ objective }: SearchPolicy, entry: RungEntry, reference: RungEntry): boolean {
  if (compareEntries(objective, entry, reference) >= 0 || entry.value === reference.value) return false;
  const named = ({ runIndex, evidence }: RungEntry) => ({ name: `run ${runIndex}`, evidence });
  // One-sided: small if the reference is worse.
  const { pValue } = compareEvidence(objective, named(reference), named(entry));
  if (pValue !== null) return pValue < LEVEL;
  const variance = (entry.standardError ?? 0) ** 2 + (reference.standardError ?? 0) ** 2;
  const distance = Math.abs(entry.value - reference.value);
  return variance === 0 || normalUpperTail(distance / Math.sqrt(variance)) < LEVEL;
}
