import type { RungStep } from './ladder.ts';
import type { RuleVersion, SearchPolicy } from './policy.ts';
import { significant } from '../text/significant.ts';
import type { RungEntry, RungTable } from './rung-table.ts';
import { rankedRivals, rivalCount } from './rung-table.ts';

/** A run that has come to a rung, and what a rule may know about it. Results on the test split have no place in it. */
export interface Arrival {
  /** The rung with this entry and those before it. */
  readonly table: RungTable;
  readonly entry: RungEntry;
  /** The run's own entries at earlier rungs of the same stage, in order. */
  readonly earlier: readonly RungEntry[];
  /** The rungs of the run, in order. */
  readonly path: readonly RungStep[];
  /** True: its trainer is of a version that can't pause a run, and has trained it further already. */
  readonly trainedOn?: boolean;
  /** True: its trainer reported nothing when it passed the rung, and has trained it further already. */
  readonly unreported?: boolean;
  /** Earlier rungs of the same stage at which the run had no entry yet; absent: none. */
  readonly absent?: readonly number[];
  /** True: another sweep has trained the run further already. */
  readonly reused?: boolean;
}

/** The fate of a run at a rung. */
export interface Verdict {
  readonly kind: 'CONTINUE' | 'STOP' | 'PAUSE';
  readonly rule: RuleVersion;
  /** Place among `count` runs, the best is 1; null: the rule does not rank. */
  readonly place: number | null;
  /** Last place that continues; null: the rule has no cut, or too few runs have come. */
  readonly cut: number | null;
  /** Number of runs at the rung, failed ones included. */
  readonly count: number;
  readonly pValue: number | null;
  readonly alpha: number | null;
  /** A sentence for people, with the numbers. */
  readonly reason: string;
}

/** A rule: a pure function of what it may know. */
export type Rule = (policy: SearchPolicy, arrival: Arrival) => Verdict;

/** A limit for a single run, beside the rule that compares runs; null: it does not stop the run. */
export type Guard = (policy: SearchPolicy, arrival: Arrival) => Verdict | null;

/** Returns the verdict while fewer runs have come than a rule needs; null: there are enough. */
export function whileFew({ objective, rule, minEntries }: SearchPolicy, { table, entry }: Arrival): Verdict | null {
  const rivals = rankedRivals(objective, table);
  if (rivals.length >= minEntries) return null;
  const [place, count] = [rivals.indexOf(entry) + 1, rivalCount(table)];
  const reason = `${rivals.length} of the ${minEntries} runs have come that the rule compares`;
  return verdict('CONTINUE', rule, reason, { place, count });
}

/** Formats a place as `place 6 of 8 with 0.118`. */
export function placement(place: number, count: number, { value }: RungEntry): string {
  return `place ${place} of ${count} with ${significant(value)}`;
}

/** Returns a verdict; numbers that are not given are absent. */
export function verdict(
  kind: Verdict['kind'],
  rule: RuleVersion,
  reason: string,
  numbers: Partial<Pick<Verdict, 'place' | 'cut' | 'count' | 'pValue' | 'alpha'>> = {},
): Verdict {
  return { kind, rule, place: null, cut: null, count: 0, pValue: null, alpha: null, ...numbers, reason };
}
