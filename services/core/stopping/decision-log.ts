import type { DecisionKind } from '../records/decision.ts';
import type { ActionInputs, RoundInputs, StoredSearch, VerdictInputs } from './decision-inputs.ts';
import { isActionKind } from './replay.ts';
import type { Mismatch } from './replay.ts';

/** A decision of a rule or of a person, as it is stored. */
export interface LoggedDecision {
  readonly decisionId: number;
  readonly kind: DecisionKind;
  /** Null: it is about the sweep. */
  readonly runIndex: number | null;
  readonly rung: number | null;
  readonly inputs: unknown;
}

/** Decisions of people after which a search that has ended continues. */
const REOPENING: readonly DecisionKind[] = ['EXTEND', 'RETRY_RUN', 'CHANGE_BUDGET'];

/**
 * Returns what is missing in the decisions of a search, or stored twice: ids have no gaps, each entry has one verdict, no run trains
 * beyond a rung at which it waits without a promotion, and a search that has ended decides nothing. Entries that came after an end have
 * no verdict, and neither have those from before the extension that brought a rule.
 *
 * @param log all decisions of the search, by id
 * @param hasEnded whether the search ended by itself, which is a decision
 */
export function gapsOf(search: StoredSearch, log: readonly LoggedDecision[], hasEnded: boolean): Mismatch[] {
  return [...idGaps(log), ...verdictGaps(search, log), ...orderGaps(log, hasEnded)];
}

function idGaps(log: readonly LoggedDecision[]): Mismatch[] {
  return log.flatMap(({ decisionId }, index) => {
    const expected = (log[index - 1]?.decisionId ?? 0) + 1;
    return decisionId === expected ? [] : [gap(decisionId, 'id', decisionId, expected)];
  });
}

/** Compares the verdicts with the entries. */
function verdictGaps({ rungs }: StoredSearch, log: readonly LoggedDecision[]): Mismatch[] {
  const counts = new Map<string, number>();
  for (const { kind, runIndex, rung } of log) {
    if (!isVerdict(kind)) continue;
    const key = `${runIndex} ${rung}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const unjudged = rungs.map((_, rung) => unjudgedCount(log, rung));
  const ends = log.filter(({ kind }) => kind === 'END').map(({ inputs }) => (inputs as ActionInputs).arrivals);
  const missing = rungs.flatMap((entries, rung) =>
    entries.flatMap(({ runIndex, arrival }) => {
      const count = counts.get(`${runIndex} ${rung}`) ?? 0;
      const cameAfterEnd = ends.some((arrivals) => arrival > (arrivals[rung] ?? 0));
      const cameBeforeRule = arrival <= (unjudged[rung] ?? 0);
      if (count === 1 || (count === 0 && (cameAfterEnd || cameBeforeRule))) return [];
      return [gap(0, `verdicts on run ${runIndex} at rung ${rung}:`, count, 1)];
    }),
  );
  return missing;
}

/**
 * Returns the number of entries of a rung that came when the search had no rule: those before the first verdict there, if an extension
 * came before every verdict of the search.
 */
function unjudgedCount(log: readonly LoggedDecision[], rung: number): number {
  const extension = log.findIndex(({ kind }) => kind === 'EXTEND');
  const first = log.findIndex(({ kind }) => isVerdict(kind));
  if (extension === -1 || (first !== -1 && first < extension)) return 0;
  const judged = log.find((decision) => isVerdict(decision.kind) && decision.rung === rung);
  return judged === undefined ? Infinity : (judged.inputs as VerdictInputs).arrivals - 1;
}

/** Follows the decisions in their order. */
function orderGaps(log: readonly LoggedDecision[], hasEnded: boolean): Mismatch[] {
  const gaps: Mismatch[] = [];
  /** Rung at which each run waits. */
  const waits = new Map<number, number>();
  const seen: number[] = [];
  let nextRound: number | null = null;
  let isEnded = false;
  let wasReopened = false;
  for (const { decisionId, kind, runIndex, rung, inputs } of log) {
    if (REOPENING.includes(kind)) {
      isEnded = false;
      wasReopened = true;
    }
    if (runIndex !== null && kind === 'RETRY_RUN') waits.delete(runIndex);
    if (!isVerdict(kind) && !isActionKind(kind)) continue;
    if (isEnded) gaps.push(gap(decisionId, 'decision after the end:', kind));
    if (isActionKind(kind)) {
      const { arrivals, runs, rounds } = inputs as ActionInputs;
      if (kind === 'SUGGEST') {
        const round = rounds?.asked ?? 0;
        if (nextRound !== null && round !== nextRound) gaps.push(gap(decisionId, 'round:', round, nextRound));
        // A round of an exhausted space brings nothing, and is asked for again after an extension.
        nextRound = (inputs as RoundInputs).suggested === 0 ? round : round + 1;
      }
      arrivals.forEach((count, number) => {
        if (count < (seen[number] ?? 0)) gaps.push(gap(decisionId, `entries of rung ${number}:`, count, seen[number]));
        seen[number] = Math.max(count, seen[number] ?? 0);
      });
      for (const [index, at] of waits) {
        // One that trains may still be on its way to the end of the task whose report was judged.
        if (runs[index] === 'D') {
          gaps.push(gap(decisionId, `promotions of run ${index} from rung ${at}:`, 0, 1));
          waits.delete(index);
        }
      }
    } else if (rung !== null) {
      const { arrivals } = inputs as VerdictInputs;
      if (arrivals < (seen[rung] ?? 0)) gaps.push(gap(decisionId, `entries of rung ${rung}:`, arrivals, seen[rung]));
      seen[rung] = Math.max(arrivals, seen[rung] ?? 0);
    }
    if (runIndex !== null && rung !== null) {
      const at = waits.get(runIndex);
      // A run that the end stopped on its way waits again where it was.
      if (kind === 'PROMOTE' && at !== rung && !wasReopened)
        gaps.push(gap(decisionId, `rung at which run ${runIndex} waits:`, rung, at));
      if (isVerdict(kind) && at !== undefined) {
        gaps.push(gap(decisionId, `promotions of run ${runIndex} from rung ${at}:`, 0, 1));
      }
      waits.delete(runIndex);
      if (kind === 'PAUSE') waits.set(runIndex, rung);
    }
    if (kind === 'END') isEnded = true;
  }
  if (hasEnded && !isEnded) gaps.push(gap(0, 'end:', null, 'END'));
  return gaps;
}

function gap(decisionId: number, field: string, stored: unknown, recomputed: unknown = null): Mismatch {
  return { decisionId, field, stored, recomputed };
}

function isVerdict(kind: DecisionKind): boolean {
  return kind === 'CONTINUE' || kind === 'STOP' || kind === 'PAUSE';
}
