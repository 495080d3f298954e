import type { RungEntryRecord } from '../records/explanation.ts';
import type { RunRecord } from '../records/run.ts';
import { pausesAtRungs, ruleOf } from './policy.ts';
import type { SearchPolicy } from './policy.ts';
import { promotionCut } from './rung-table.ts';

/** The table of a rung as the rule of a sweep sees it when it decides about a run. */
export interface SeenTable {
  /** Entries, best first. */
  readonly entries: readonly RungEntryRecord[];
  /** Last place that trains on; null: the rule has no cut, or too few runs are there. */
  readonly cut: number | null;
}

/** Entries that are shown on each side of a run, and of the cut. */
const NEIGHBOURS = 12;

/**
 * Returns the table of a rung for one of its entries. A rule that stops runs judges each on its arrival, and sees those that came
 * before; a rule that pauses runs sees all of them.
 *
 * @param entries entries of one rung, with their present places.
 * @param cut cut of the latest decision about the run at the rung; null: it had none.
 */
export function seenTable(
  policy: SearchPolicy,
  entries: readonly RungEntryRecord[],
  { arrival, competes }: RungEntryRecord,
  cut: number | null,
): SeenTable {
  const pauses = pausesAtRungs(policy);
  const seen = entries
    .filter((entry) => entry.competes === competes && (pauses || entry.arrival <= arrival))
    .sort((a, b) => a.place - b.place);
  if (!competes || ruleOf(policy) !== 'promotion') return { entries: seen, cut };
  const count = seen.length;
  return { entries: seen, cut: count < policy.minEntries ? cut : promotionCut(count, policy.reductionFactor) };
}

/** Returns the entry at the cut, if the run is beyond it; else null. */
export function rivalAtCut({ entries, cut }: SeenTable, { runId }: Pick<RunRecord, 'runId'>): RungEntryRecord | null {
  if (cut === null || entries.findIndex((entry) => entry.runId === runId) < cut) return null;
  return entries[cut - 1] ?? null;
}

/** Returns the entries around a run and around the cut, best first. */
export function nearEntries(
  { entries, cut }: SeenTable,
  { runId }: Pick<RunRecord, 'runId'>,
): readonly RungEntryRecord[] {
  const own = entries.findIndex((entry) => entry.runId === runId);
  const isNear = (position: number, place: number): boolean => Math.abs(position - place) <= NEIGHBOURS;
  return entries.filter((_, position) => isNear(position, own) || (cut !== null && isNear(position, cut - 1)));
}
