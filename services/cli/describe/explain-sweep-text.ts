import type { RunRecord } from '../../core/records/run.ts';
import type {
  DecisionRecord,
  ReplayRecord,
  RungEntryRecord,
  RungRecord,
  SweepExplanation,
} from '../../core/records/explanation.ts';
import { countOf } from '../../core/text/count-of.ts';
import { formatTime } from '../terminal/format.ts';
import { renderTable } from '../terminal/table.ts';
import { screenTable } from './screen-text.ts';
import { byPlace, decisionOfEntry, placeOfEntry, placeOfRung, valueOfEntry } from './rung-text.ts';

/** Maximum number of entries that are listed of a rung, and of decisions, unless all are asked for. */
const LISTED_ENTRIES = 10;
const LISTED_DECISIONS = 20;

/** Everything that `graft sweep explain` prints. */
export interface ExplainedSweep {
  readonly explanation: SweepExplanation;
  readonly entries: readonly RungEntryRecord[];
  readonly decisions: readonly DecisionRecord[];
  readonly runs: readonly RunRecord[];
  /** True: its images are indexed, so that it has tasks. */
  readonly isPlanned: boolean;
  /** True: the search has ended, so that nothing waits. */
  readonly hasEnded: boolean;
}

/**
 * Returns the search of a sweep: its rule, the table of each rung, its decisions, and facts about it.
 *
 * @param metric metric of the objective.
 * @param isVerbose lists all entries and decisions.
 */
export function describeSearch(search: ExplainedSweep, metric: string, isVerbose: boolean): string {
  const { explanation, entries, isPlanned, hasEnded } = search;
  const { rule, policy, rungs, notes, replay } = explanation;
  if (rule === '') {
    return isPlanned
      ? 'It was planned by a version without rungs: each run trained to its end, unless it failed or stopped itself.'
      : 'The sweep is not planned yet, so it has no rungs.';
  }
  const tables = rungs.map((rung) =>
    describeRung(
      rung,
      entries.filter((entry) => entry.rung === rung.rung),
      metric,
      { isVerbose, hasEnded },
    ),
  );
  const parts = [
    `${rule}: ${policy}`,
    screenTable(explanation.screen),
    ...tables,
    describeDecisions(search, isVerbose),
    notes.join('\n'),
    replay === null ? '' : describeReplay(replay),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function describeRung(
  rung: RungRecord,
  entries: readonly RungEntryRecord[],
  metric: string,
  { isVerbose, hasEnded }: { readonly isVerbose: boolean; readonly hasEnded: boolean },
): string {
  const title = `Rung ${rung.rung} (${placeOfRung(rung)}): ${rung.entryCount === 0 ? 'no run has reached it' : countOf(rung.entryCount, 'run')}`;
  if (entries.length === 0) return title;
  const best = byPlace(entries);
  const shown = isVerbose ? best : best.slice(0, LISTED_ENTRIES);
  const table = renderTable(
    [
      { title: 'place', align: 'right' },
      { title: 'run', align: 'right' },
      { title: metric, align: 'right' },
      { title: 'epoch', align: 'right' },
      { title: 'decision' },
    ],
    shown.map((entry) => [
      placeOfEntry(entry),
      String(entry.runIndex),
      valueOfEntry(entry),
      String(entry.epoch),
      decisionOfEntry(entry, hasEnded),
    ]),
  );
  const left = best.length - shown.length;
  return [title, table, ...(left === 0 ? [] : [`… and ${countOf(left, 'more run')} (--verbose)`])].join('\n');
}

function describeDecisions({ decisions, runs }: ExplainedSweep, isVerbose: boolean): string {
  if (decisions.length === 0) return 'Nothing was decided yet.';
  const indexes = new Map(runs.map(({ runId, runIndex }) => [runId, runIndex]));
  const shown = isVerbose ? decisions : decisions.slice(-LISTED_DECISIONS);
  const table = renderTable(
    [
      { title: '#', align: 'right' },
      { title: 'time' },
      { title: 'decision' },
      { title: 'run', align: 'right' },
      { title: 'rung', align: 'right' },
      { title: 'reason' },
    ],
    shown.map(({ decisionId, createTime, kind, runId, rung, reason }) => [
      String(decisionId),
      formatTime(createTime),
      kind ?? '',
      runId === null ? '' : String(indexes.get(runId) ?? runId),
      rung === null ? '' : String(rung),
      reason,
    ]),
  );
  const left = decisions.length - shown.length;
  const title =
    left === 0
      ? countOf(decisions.length, 'decision')
      : `The last ${shown.length} of ${decisions.length} decisions (--verbose lists all)`;
  return `${title}\n${table}`;
}

/** Returns the outcome of a recomputation, with the decisions that differ. */
function describeReplay({ decisionCount, differenceCount, differences }: ReplayRecord): string {
  if (differenceCount === 0)
    return `Replay: ${countOf(decisionCount, 'decision')} recomputed, all equal to the stored ones.`;
  const rows = differences.map(({ decisionId, stored, recomputed }) => [String(decisionId), stored, recomputed]);
  const more = differenceCount - differences.length;
  return [
    `Replay: ${differenceCount} of ${countOf(decisionCount, 'decision')} differ from their recomputation.`,
    renderTable([{ title: '#', align: 'right' }, { title: 'stored' }, { title: 'recomputed' }], rows),
    ...(more === 0 ? [] : [`… and ${more} more`]),
  ].join('\n');
}
