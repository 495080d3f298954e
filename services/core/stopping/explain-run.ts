import type { SearchEnd } from '../records/decision.ts';
import type {
  DecisionRecord,
  PairedComparisonRecord,
  RungEntryRecord,
  RungRecord,
  RungVisitRecord,
  RunExplanation,
} from '../records/explanation.ts';
import type { RunRecord } from '../records/run.ts';
import { discordance } from '../statistics/evidence.ts';
import type { Evidence } from '../statistics/evidence.ts';
import { mcnemarMidP } from '../statistics/mcnemar.ts';
import type { StoredSearch } from './decision-inputs.ts';
import { whyRuleIsIdle } from './idle-rule.ts';
import { describeRung } from './ladder.ts';
import { outlookOf } from './outlook.ts';
import type { WaitingSweep } from './outlook.ts';
import type { SearchPolicy } from './policy.ts';
import { judgesRuns } from './policy.ts';
import { rivalCount } from './rung-table.ts';
import { tableAt } from './search-state.ts';
import type { SearchState } from './search-state.ts';
import { nearPlaces, rivalAtCut, seenTable } from './seen-table.ts';
import type { SeenTable } from './seen-table.ts';

/** The search of a sweep and how far its runs came. */
export interface SearchSummary {
  readonly policy: SearchPolicy;
  /** null: it continues, or no search was needed. */
  readonly end: SearchEnd | null;
  readonly rungs: readonly RungRecord[];
}

/** The facts from which the explanation of a run follows. */
export interface RunFacts {
  readonly run: RunRecord;
  readonly sweep: WaitingSweep;
  readonly search: SearchSummary;
  /** Entries of all rungs of the sweep. */
  readonly entries: readonly RungEntryRecord[];
  readonly stored: StoredSearch;
  /** The present state of the search; as it ended, if it has. */
  readonly state: SearchState;
  /** Decisions about the run, oldest first. */
  readonly decisions: readonly DecisionRecord[];
}

/** A run and the entry at the cut, of which a paired comparison is worth showing. */
export interface Pair {
  readonly rung: number;
  readonly run: RungEntryRecord;
  readonly rival: RungEntryRecord;
}

/** Returns the pairs of which the explanation shows a comparison on the validation images: the run and the entry at each cut below which it is. */
export function pairsOf(facts: RunFacts): readonly Pair[] {
  return visited(facts).flatMap(({ rung, entry, table, recordAt }) => {
    const rival = rivalAtCut(table, entry.runIndex);
    const place = rival === null ? 0 : table.entries.indexOf(rival) + 1;
    const record = recordAt(place);
    return record === undefined || !entry.hasEvidence || !record.hasEvidence
      ? []
      : [{ rung: rung.rung, run: entry, rival: record }];
  });
}

/** Compares a run with a rival image by image. */
export function compareWithRival(
  { runId, runIndex, value, place }: RungEntryRecord,
  own: Evidence,
  rival: Evidence,
): PairedComparisonRecord {
  const { firstOnly, secondOnly } = discordance(rival, own);
  return {
    runId,
    runIndex,
    value,
    place,
    imageCount: own.count,
    onlyRunCorrect: secondOnly,
    onlyOtherCorrect: firstOnly,
    pValue: mcnemarMidP(firstOnly, secondOnly),
  };
}

/** Explains how far a run came, and why no further. @param comparisons comparisons of `pairsOf`, by rung */
export function explainRun(
  facts: RunFacts,
  comparisons: ReadonlyMap<number, PairedComparisonRecord>,
): Omit<RunExplanation, 'origin'> {
  const visits = visited(facts).map(({ rung, entry, table, decisions, recordAt }): RungVisitRecord => ({
    rung,
    entry,
    seen: nearPlaces(table, entry.runIndex).flatMap((place) => recordAt(place) ?? []),
    seenCount: table.entries.length,
    cut: table.cut,
    failedCount: table.failedCount,
    rivalCount: rivalCountOf(facts, rung, entry),
    decisions,
    comparison: comparisons.get(rung.rung) ?? null,
  }));
  const rungs = new Set(visits.map(({ rung }) => rung.rung));
  return {
    visits,
    otherDecisions: facts.decisions.filter(({ rung }) => rung === null || !rungs.has(rung)),
    outlook: outlook(facts),
    notes: visits.length === 0 && facts.run.repeatOfRunId === null ? notesOf(facts) : [],
  };
}

/** A rung that a run reached. */
interface Visited {
  readonly rung: RungRecord;
  readonly entry: RungEntryRecord;
  readonly decisions: readonly DecisionRecord[];
  readonly table: SeenTable;
  /** Returns the entry at a place of the table, with that place. */
  readonly recordAt: (place: number) => RungEntryRecord | undefined;
}

function visited({ run, search, entries, stored, state, decisions }: RunFacts): readonly Visited[] {
  if (!judgesRuns(search.policy)) return [];
  return search.rungs.flatMap((rung) => {
    const there = new Map(
      entries.filter((entry) => entry.rung === rung.rung).map((entry) => [entry.runIndex, entry] as const),
    );
    const entry = there.get(run.runIndex);
    if (entry === undefined) return [];
    const own = decisions.filter((decision) => decision.rung === rung.rung);
    const table = seenTable(stored, state, own, rung.rung, run.runIndex);
    const recordAt = (place: number): RungEntryRecord | undefined => {
      const record = there.get(table.entries[place - 1]?.runIndex ?? -1);
      return record && { ...record, place };
    };
    return [{ rung, entry, decisions: own, table, recordAt }];
  });
}

/** Returns the number of runs with which a run competes at a rung by now, or that ended there as it did. */
function rivalCountOf({ search, state }: RunFacts, { rung }: RungRecord, { competes }: RungEntryRecord): number {
  const table = tableAt(search.policy, state, rung);
  return competes ? rivalCount(table) : table.entries.filter(({ continues }) => !continues).length;
}

function outlook({ run, search, state, sweep }: RunFacts): readonly string[] {
  const waiting = state.runs.find(({ index }) => index === run.runIndex);
  if (run.state === 'FAILED') return [`\`graft run retry ${run.runId}\` trains it again.`];
  // A run that a person stopped after the end of the search does not wait.
  const stopped = run.endCause !== null && !['NOT_PROMOTED', 'BUDGET', 'TARGET'].includes(run.endCause);
  if (waiting === undefined || stopped || run.repeatOfRunId !== null) return [];
  return outlookOf(search.policy, state, waiting, search.end, sweep);
}

function notesOf({ search, entries }: RunFacts): readonly string[] {
  const { policy } = search;
  const [first] = policy.ladder;
  const idle = idleRuleNote(search, entries);
  if (idle !== null) return [idle];
  return first === undefined || !judgesRuns(policy)
    ? []
    : [`It has reached no rung; the first one is ${describeRung(first)}.`];
}

/** Returns why the rule of a sweep has stopped and promoted nothing; null: it has, or there is no rule. */
export function idleRuleNote(
  { policy, rungs }: SearchSummary,
  entries: readonly Pick<RungEntryRecord, 'rung' | 'competes' | 'decision'>[],
): string | null {
  const numbers = rungs.map(({ rung, entryCount }) => ({
    entryCount,
    judgedCount: entries.filter((entry) => entry.rung === rung && entry.competes).length,
  }));
  const hasActed = entries.some(({ decision }) => decision === 'STOP' || decision === 'PROMOTE');
  return whyRuleIsIdle(policy, numbers, hasActed);
}
