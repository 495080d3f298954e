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
import { whyRuleIsIdle } from './idle-rule.ts';
import { describeRung } from './ladder.ts';
import { outlookOf } from './outlook.ts';
import type { SearchPolicy } from './policy.ts';
import { nearEntries, rivalAtCut, seenTable } from './visits.ts';
import type { SeenTable } from './visits.ts';

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
  readonly search: SearchSummary;
  /** Entries of all rungs of the sweep. */
  readonly entries: readonly RungEntryRecord[];
  /** Decisions about the run, oldest first. */
  readonly decisions: readonly DecisionRecord[];
  /** Runs that can still come to the rung at which the run waits, without a promotion. */
  readonly coming: number;
  /** Other runs that wait at a rung, by identity. */
  readonly waiting: ReadonlySet<string>;
}

/** A run and the entry at the cut, of which a paired comparison is worth showing. */
export interface Pair {
  readonly rung: number;
  readonly run: RungEntryRecord;
  readonly rival: RungEntryRecord;
}

/** Returns the pairs of which the explanation shows a comparison on the validation images: the run and the entry at each cut below which it is. */
export function pairsOf(facts: RunFacts): readonly Pair[] {
  return visited(facts).flatMap(({ rung, entry, table }) => {
    const rival = rivalAtCut(table, entry);
    return rival === null || !entry.hasEvidence || !rival.hasEvidence ? [] : [{ rung: rung.rung, run: entry, rival }];
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
export function explainRun(facts: RunFacts, comparisons: ReadonlyMap<number, PairedComparisonRecord>): RunExplanation {
  const visits = visited(facts).map(({ rung, entry, table, decisions }): RungVisitRecord => ({
    rung,
    entry,
    seen: nearEntries(table, entry),
    seenCount: table.entries.length,
    decisions,
    comparison: comparisons.get(rung.rung) ?? null,
  }));
  const rungs = new Set(visits.map(({ rung }) => rung.rung));
  return {
    visits,
    otherDecisions: facts.decisions.filter(({ rung }) => rung === null || !rungs.has(rung)),
    outlook: outlook(facts),
    notes: visits.length === 0 ? notesOf(facts) : [],
  };
}

function visited({ run, search, entries, decisions }: RunFacts): readonly {
  readonly rung: RungRecord;
  readonly entry: RungEntryRecord;
  readonly decisions: readonly DecisionRecord[];
  readonly table: SeenTable;
}[] {
  return search.rungs.flatMap((rung) => {
    const there = entries.filter((entry) => entry.rung === rung.rung);
    const entry = there.find(({ runId }) => runId === run.runId);
    if (entry === undefined) return [];
    const own = decisions.filter((decision) => decision.rung === rung.rung);
    const cut = own.findLast((decision) => decision.cut !== null)?.cut ?? null;
    return [{ rung, entry, decisions: own, table: seenTable(search.policy, there, entry, cut) }];
  });
}

function outlook(facts: RunFacts): readonly string[] {
  const { run, search, entries, coming, waiting } = facts;
  const { pausedRung } = run;
  if (run.endCause === 'NOT_PROMOTED') {
    return ['The search has ended. It is promoted only if the sweep is extended, for example by a larger budget.'];
  }
  const definition = pausedRung === null ? undefined : search.policy.ladder[pausedRung];
  if (definition === undefined || search.end !== null) return [];
  const rivals = entries.filter(({ rung, competes }) => rung === pausedRung && competes);
  const own = rivals.find(({ runId }) => runId === run.runId);
  if (own === undefined) return [];
  const before = entries.filter(
    (entry) =>
      waiting.has(entry.runId) && (entry.rung > own.rung || (entry.rung === own.rung && entry.place < own.place)),
  );
  const count = new Set(before.map(({ runId }) => runId)).size;
  return outlookOf(search.policy, { rung: definition, place: own.place, count: rivals.length, coming, before: count });
}

function notesOf({ search, entries }: RunFacts): readonly string[] {
  const { policy } = search;
  const [first] = policy.ladder;
  const idle = idleRuleNote(search, entries);
  if (idle !== null) return [idle];
  return first === undefined ? [] : [`It has reached no rung; the first one is ${describeRung(first)}.`];
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
