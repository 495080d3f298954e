import type { RungStep } from './ladder.ts';
import type { SearchPolicy } from './policy.ts';
import type { Arrival } from './rule.ts';
import { tieOrderOf } from './rung-table.ts';
import type { RungEntry } from './rung-table.ts';
import { absentBelow, earlierEntries, tableAt } from './search-state.ts';
import type { SearchRun } from './search-state.ts';

/** Measurement of a run at a rung. */
export type Measurement = Pick<RungEntry, 'value' | 'standardError' | 'epoch' | 'completedEpochs' | 'evidence'>;

/** State of a search when a run comes to a rung. */
export interface RungsSoFar {
  /** Entries by arrival, for each rung of the ladder. Gets the new one. */
  readonly rungs: readonly RungEntry[][];
  /** The runs that have failed or can't be trained, at least. */
  readonly runs: readonly Pick<SearchRun, 'index' | 'status' | 'rung' | 'path'>[];
}

/** A run that has entered a rung. */
export interface Entered {
  readonly entry: RungEntry;
  /** Returns what `judge` may know of it, from the entries as they are then: results by image may be loaded in between. */
  readonly arrival: () => Arrival;
}

/**
 * Enters a run at a rung, after those that are there: the one way into a rung, in a coordinator and in simulations.
 *
 * @param run whose path has the rung
 */
export function enterRung(
  policy: SearchPolicy,
  soFar: RungsSoFar,
  run: { readonly index: number; readonly path: readonly RungStep[] },
  rung: number,
  measured: Measurement & Pick<Arrival, 'trainedOn' | 'unreported' | 'reused'>,
): Entered {
  const { trainedOn, unreported, reused, ...shown } = measured;
  const { index, path } = run;
  const entries = soFar.rungs[rung];
  if (entries === undefined) throw new RangeError(`There is no rung ${rung}.`);
  const entry: RungEntry = {
    ...shown,
    runIndex: index,
    arrival: entries.length + 1,
    tieOrder: tieOrderOf(policy, index),
    continues: path.some((step) => step.rung > rung),
  };
  entries.push(entry);
  const arrival = (): Arrival => ({
    table: tableAt(policy, soFar, rung),
    entry: entries[entry.arrival - 1] ?? entry,
    earlier: earlierEntries(policy, soFar.rungs, index, rung),
    path,
    absent: absentBelow(soFar.rungs, path, index, rung),
    ...(trainedOn === true && { trainedOn }),
    ...(unreported === true && { unreported }),
    ...(reused === true && { reused }),
  });
  return { entry, arrival };
}
