import type { Objective } from '../objective.ts';
import { isBetter } from '../objective.ts';
import type { Evidence } from '../statistics/evidence.ts';
import { hashKeyParts } from '../rng/key-hash.ts';
import type { RungDefinition } from './ladder.ts';
import type { SearchPolicy } from './policy.ts';

/** A run at a rung. */
export interface RungEntry {
  readonly runIndex: number;
  /** Order in which runs came to the rung, from 1 without gaps. */
  readonly arrival: number;
  /** Objective's value; at the end of a stage that of its best epoch. */
  readonly value: number;
  readonly standardError: number | null;
  /** Epoch that was measured. */
  readonly epoch: number;
  /** Epochs of the stage that were trained by then, of which the measured one is the best; null: as many as planned. */
  readonly completedEpochs: number | null;
  /** Order among equal values, the lowest first. */
  readonly tieOrder: number;
  /** Null: the trainer sent none. */
  readonly evidence: Evidence | null;
  /** False: the rung is the last one of the run. */
  readonly continues: boolean;
}

/** The entries of a rung at one moment. Runs that can't be trained (INFEASIBLE) leave it. */
export interface RungTable {
  readonly definition: RungDefinition;
  /** Entries by arrival. */
  readonly entries: readonly RungEntry[];
  /** Number of runs that failed on their way to this rung. They count as its worst entries. */
  readonly failedCount: number;
}

/** Returns the entries that compete for the way beyond the rung, the best first. */
export function rankedRivals(objective: Objective, { entries }: RungTable): RungEntry[] {
  return entries.filter(({ continues }) => continues).sort((a, b) => compareEntries(objective, a, b));
}

/** Orders entries, the best first; NaN last, equal values by lot, so that the order does not depend on timing. */
export function compareEntries(objective: Objective, a: RungEntry, b: RungEntry): number {
  if (isBetter(objective, a.value, b.value)) return -1;
  if (isBetter(objective, b.value, a.value)) return 1;
  return a.tieOrder - b.tieOrder || a.runIndex - b.runIndex;
}

/**
 * Returns the place of a run among those with an equal value, as a number drawn from the seed of the sweep and the number of the run: it
 * depends neither on timing nor on the order of a grid. Runs with the same head have equal values at its end.
 */
export function tieOrderOf({ tieSeed }: Pick<SearchPolicy, 'tieSeed'>, runIndex: number): number {
  return tieSeed === undefined ? 0 : (hashKeyParts([tieSeed, 'ties', runIndex])[0] ?? 0) >>> 1;
}

/** Returns the number of runs that compete at a rung: entries that continue, and failed runs. */
export function rivalCount({ entries, failedCount }: RungTable): number {
  return entries.filter(({ continues }) => continues).length + failedCount;
}

/** Returns k = ⌊n/η⌋ + 1 of n rivals: how many are promoted. One more than the usual ⌊n/η⌋ spares runs close to the cut. */
export function promotionCut(rivals: number, reductionFactor: number): number {
  return Math.min(rivals, Math.floor(rivals / reductionFactor) + 1);
}
