import type { DecisionRecord } from '../records/explanation.ts';
import { viewRungs } from './rung-view.ts';
import type { ActionInputs, StoredSearch, VerdictInputs } from './decision-inputs.ts';
import { arrivalOf, stateOf } from './decision-inputs.ts';
import { pausesAtRungs } from './policy.ts';
import type { RungEntry, RungTable } from './rung-table.ts';
import { compareEntries, rankedRivals } from './rung-table.ts';
import type { SearchState } from './search-state.ts';
import { tableAt } from './search-state.ts';

/** The table of a rung as it was when the fate of a run there was decided. */
export interface SeenTable {
  /** The run and those that it competed with, best first. */
  readonly entries: readonly RungEntry[];
  /** Last place that trains on; null: the rule has no cut, or too few runs had come. */
  readonly cut: number | null;
  /** Runs that had failed on their way to the rung, which count as its worst. */
  readonly failedCount: number;
}

/**
 * Returns the table of a rung as the rule saw it that decided about a run. A promotion has seen it as its inputs say; so has a verdict
 * that stopped the run or let it continue. A run that waits, or waited until the search ended, is decided by the table of `state`.
 *
 * @param decisions those about the run at the rung, oldest first.
 * @param state the present one, or that of the end of the search.
 */
export function seenTable(
  stored: StoredSearch,
  state: SearchState,
  decisions: readonly Pick<DecisionRecord, 'kind' | 'cut' | 'inputs'>[],
  rung: number,
  runIndex: number,
): SeenTable {
  const { policy } = stored;
  const promotion = decisions.findLast(({ kind }) => kind === 'PROMOTE');
  if (promotion !== undefined) {
    const then = stateOf(stored, JSON.parse(promotion.inputs) as ActionInputs);
    return { ...rivalsOf(stored, tableAt(policy, then, rung), runIndex), cut: promotion.cut };
  }
  const verdict = decisions.findLast(({ kind }) => kind === 'CONTINUE' || kind === 'STOP' || kind === 'PAUSE');
  if (verdict !== undefined && verdict.kind !== 'PAUSE') {
    const arrival = arrivalOf(stored, runIndex, rung, JSON.parse(verdict.inputs) as VerdictInputs);
    if (arrival !== null) return { ...rivalsOf(stored, arrival.table, runIndex), cut: verdict.cut };
  }
  // A run that came after the end of the search has no verdict, and is compared with all that came.
  const known = verdict === undefined ? { ...state, rungs: stored.rungs } : state;
  const view = pausesAtRungs(policy) ? viewRungs(policy, known)[rung] : undefined;
  const present = rivalsOf(stored, tableAt(policy, known, rung), runIndex);
  const competes = present.entries.some((entry) => entry.continues);
  return { ...present, cut: view?.open === true && competes ? view.cut : null };
}

/** Returns the entries that compete with a run for the way beyond the rung; those that end there, if it does. */
function rivalsOf(
  { policy: { objective } }: StoredSearch,
  table: RungTable,
  runIndex: number,
): Pick<SeenTable, 'entries' | 'failedCount'> {
  const { entries, failedCount } = table;
  const own = entries.find((entry) => entry.runIndex === runIndex);
  if (own?.continues !== false) return { entries: rankedRivals(objective, table), failedCount };
  const ending = entries.filter(({ continues }) => !continues).sort((a, b) => compareEntries(objective, a, b));
  return { entries: ending, failedCount: 0 };
}

/** Returns the entry at the cut, if the run is beyond it; else null. */
export function rivalAtCut({ entries, cut }: SeenTable, runIndex: number): RungEntry | null {
  if (cut === null || entries.findIndex((entry) => entry.runIndex === runIndex) < cut) return null;
  return entries[cut - 1] ?? null;
}

/** Entries that are shown on each side of a run, and of the cut. */
const NEIGHBOURS = 12;

/** Returns the places of the best entry and of those around a run and around the cut, from 1. */
export function nearPlaces({ entries, cut }: SeenTable, runIndex: number): readonly number[] {
  const own = entries.findIndex((entry) => entry.runIndex === runIndex);
  const isNear = (position: number, place: number): boolean => Math.abs(position - place) <= NEIGHBOURS;
  return entries.flatMap((_, position) =>
    position === 0 || isNear(position, own) || (cut !== null && isNear(position, cut - 1)) ? [position + 1] : [],
  );
}
