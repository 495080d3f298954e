import type { Objective } from '../objective.ts';
import type { RungEntryRecord } from '../records/explanation.ts';
import type { RunRecord } from '../records/run.ts';
import type { Evidence } from '../statistics/evidence.ts';
import type { SearchSummary } from './explain-run.ts';
import { stateWinner } from './winner-statement.ts';

/** The best run of a sweep and its baseline, each at the rung of its best epoch. */
export interface BestAndBaseline {
  readonly best: RungEntryRecord;
  readonly baseline: RungEntryRecord;
}

/**
 * Returns the entries by which the best run is compared with the baseline: those at the end of the stage of their best epoch, or else
 * their latest ones. null: one of them has reached no rung.
 */
export function bestAndBaseline(
  { rungs }: SearchSummary,
  entries: readonly RungEntryRecord[],
  best: RunRecord,
  baseline: RunRecord,
): BestAndBaseline | null {
  const entryOf = ({ runId, bestStage }: RunRecord): RungEntryRecord | undefined => {
    const own = entries.filter((entry) => entry.runId === runId).sort((a, b) => b.rung - a.rung);
    const ends = new Set(
      rungs.filter(({ stage, epoch }) => stage === bestStage && epoch === null).map(({ rung }) => rung),
    );
    return own.find(({ rung }) => ends.has(rung)) ?? own[0];
  };
  const [first, second] = [entryOf(best), entryOf(baseline)];
  return first === undefined || second === undefined ? null : { best: first, baseline: second };
}

/** Returns the sentence on whether the best run is better than the baseline, or only lucky. */
export function stateBest(
  objective: Objective,
  { best, baseline }: BestAndBaseline,
  evidenceOf: (entry: RungEntryRecord) => Evidence | null,
  runCount: number,
): string {
  const measured = (entry: RungEntryRecord): { runIndex: number; evidence: Evidence | null } => ({
    runIndex: entry.runIndex,
    evidence: evidenceOf(entry),
  });
  const { reason } = stateWinner(objective, measured(best), measured(baseline), runCount);
  return `By the validation images, ${reason}.`;
}
