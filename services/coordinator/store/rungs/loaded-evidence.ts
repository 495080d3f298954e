import { bestOfRounds } from '../../../core/stopping/patience-of-rounds.ts';
import { ruleOf } from '../../../core/stopping/policy.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import type { Arrival } from '../../../core/stopping/rule.ts';
import { referenceOf } from '../../../core/stopping/rules/paired.ts';
import type { RungEntry } from '../../../core/stopping/rung-table.ts';
import { earlierEntries, tableAt } from '../../../core/stopping/search-state.ts';
import type { SearchState } from '../../../core/stopping/search-state.ts';
import { keyOf, readEvidence } from './read-evidence.ts';
import type { EntryName, Queryable } from './read-evidence.ts';

/** Bytes of loaded results after which they are dropped before others are loaded. */
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * Results by image of a search's entries, loaded when a decision compares them. Runs are ranked by their values alone; only `paired`
 * compares results, those of a run and of the one at the cut, and the patience of rounds, those of the best run of each. With 20,000 validation images an entry has up to 82 kB, and a large
 * sweep has thousands of entries, so they are never read together.
 */
export class LoadedEvidence {
  readonly #db: Queryable;
  readonly #sweepId: string;
  readonly #policy: SearchPolicy;
  readonly #rungs: readonly RungEntry[][];
  /** Put the entries back without their results. */
  readonly #undo: (() => void)[] = [];
  /** Keys of the entries whose results were loaded, also of those that have none. */
  readonly #loaded = new Set<string>();
  readonly #maxBytes: number;
  #bytes = 0;

  /** @param rungs entries by arrival, without gaps, for each rung; they are replaced by entries with results */
  constructor(
    db: Queryable,
    sweepId: string,
    policy: SearchPolicy,
    rungs: readonly RungEntry[][],
    maxBytes = MAX_BYTES,
  ) {
    this.#maxBytes = maxBytes;
    this.#db = db;
    this.#sweepId = sweepId;
    this.#policy = policy;
    this.#rungs = rungs;
  }

  /**
   * Returns an arrival with the results that its verdict compares.
   *
   * @param build builds the arrival from the entries as they are then
   */
  async complete<A extends Arrival | null>(build: () => A): Promise<A> {
    const arrival = build();
    return arrival !== null && (await this.#load(this.#neededFor(arrival))) ? build() : arrival;
  }

  /** Loads what actions in a state compare. */
  async loadForState(state: SearchState): Promise<void> {
    await this.#load([...this.#neededForPromotions(state), ...this.#neededForPatience(state)]);
  }

  /** The best runs of all rounds, where a sweep ends when they become no better. */
  #neededForPatience(state: SearchState): EntryName[] {
    const { rounds } = this.#policy;
    const patience = state.rounds?.patienceRounds ?? null;
    if (rounds === undefined || patience === null) return [];
    return bestOfRounds(this.#policy, rounds, state).map(({ rung, entry }) => ({ rung, arrival: entry.arrival }));
  }

  /** The runs that wait, in a synchronous sweep. */
  #neededForPromotions(state: SearchState): EntryName[] {
    if (ruleOf(this.#policy) !== 'paired' || !this.#policy.synchronous) return [];
    const waiting = state.runs.filter(({ status }) => status === 'PAUSED');
    return waiting.flatMap(({ index, rung, path }) => {
      const table = rung === null ? null : tableAt(this.#policy, state, rung);
      const entry = table?.entries.find(({ runIndex }) => runIndex === index);
      if (rung === null || table === null || entry === undefined) return [];
      return this.#neededFor({
        table,
        entry,
        earlier: earlierEntries(this.#policy, state.rungs, index, rung),
        path,
      });
    });
  }

  #neededFor(arrival: Arrival): EntryName[] {
    if (ruleOf(this.#policy) !== 'paired') return [];
    const reference = referenceOf(this.#policy, arrival);
    if (reference === null) return [];
    const rung = arrival.table.definition.number;
    return [arrival.entry, reference].flatMap(({ arrival: number, evidence }) => {
      const name = { rung, arrival: number };
      // An entry that is not stored yet came with its results, which are never dropped.
      return evidence === null || this.#loaded.has(keyOf(name)) ? [name] : [];
    });
  }

  async #load(names: readonly EntryName[]): Promise<boolean> {
    if (names.every((name) => this.#loaded.has(keyOf(name)))) return false;
    if (this.#bytes > this.#maxBytes) this.#drop();
    const missing = names.filter((name) => !this.#loaded.has(keyOf(name)));
    const needsLosses = this.#policy.objective.metric === 'val_loss';
    const evidence = await readEvidence(this.#db, this.#sweepId, missing, needsLosses);
    for (const name of missing) {
      const entries = this.#rungs[name.rung];
      const position = name.arrival - 1;
      const entry = entries?.[position];
      const own = evidence.get(keyOf(name));
      if (this.#loaded.has(keyOf(name))) continue;
      this.#loaded.add(keyOf(name));
      if (entries === undefined || entry === undefined || own === undefined) continue;
      entries[position] = { ...entry, evidence: own };
      this.#undo.push(() => (entries[position] = entry));
      this.#bytes += own.correct.byteLength + (own.losses?.byteLength ?? 0);
    }
    return true;
  }

  #drop(): void {
    for (const undo of this.#undo.splice(0)) undo();
    this.#loaded.clear();
    this.#bytes = 0;
  }
}
