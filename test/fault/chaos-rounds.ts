import { ADDED, ASYNCHRONOUS_KINDS } from './chaos-specs.ts';
import type { ChaosSweeps } from './chaos-sweeps.ts';
import type { Finding } from './checker.ts';

/** Reasons for a pause that a user can fix; any other pause is a finding. */
const DISK_IS_FULL = /The disk of the artifact store .* is full/;
const URGENT_PRIORITY = 10;

/** Plays what people do with a search, and trains other sweeps beside it. */
export class Rounds {
  readonly #sweeps: ChaosSweeps;
  readonly #say: (text: string) => void;
  readonly #searches: string[] = [];
  readonly #urgent: string[] = [];
  readonly #asynchronous: string[] = [];

  constructor(sweeps: ChaosSweeps, say: (text: string) => void) {
    this.#sweeps = sweeps;
    this.#say = say;
  }

  /** The searches, whose decisions do not depend on timing. */
  get sweepIds(): readonly string[] {
    return this.#searches;
  }

  /** Sweeps that depend on timing. */
  get uncomparedSweepIds(): readonly string[] {
    return [...this.#urgent, ...this.#asynchronous];
  }

  /**
   * Submits a search and another one that decides as results arrive. Extends the first while its heads train, lets an urgent sweep
   * preempt it, extends it after its end, and waits until all have ended.
   *
   * @param timeoutMs after which a sweep has not ended though `isCalm`
   * @param isCalm whether no fault is active, so that nothing delays the sweeps
   */
  async play(timeoutMs: number, isCalm: () => boolean): Promise<{ readonly sweepId: string; readonly state: string }> {
    const sweeps = this.#sweeps;
    const ended = async (sweepId: string): Promise<string> => {
      let state = await sweeps.ended(sweepId, timeoutMs, DISK_IS_FULL);
      while (state === 'ACTIVE' && !isCalm()) state = await sweeps.ended(sweepId, timeoutMs, DISK_IS_FULL);
      this.#say(`sweep ${sweepId} is ${state}`);
      return state;
    };
    const sweepId = await sweeps.submit('SEARCH');
    const kind = ASYNCHRONOUS_KINDS[this.#searches.length % ASYNCHRONOUS_KINDS.length] ?? 'PROMOTION';
    this.#searches.push(sweepId);
    const asynchronous = await sweeps.submit(kind, true);
    this.#asynchronous.push(asynchronous);
    this.#say(`sweep ${sweepId} submitted, beside it ${asynchronous} (${kind.toLowerCase()})`);
    await sweeps.trains(sweepId, timeoutMs);
    await sweeps.extend(sweepId, ADDED.during);
    const urgent = await sweeps.submit('URGENT', true);
    this.#urgent.push(urgent);
    await sweeps.prioritize(urgent, URGENT_PRIORITY);
    this.#say(`sweep ${sweepId} extended; ${urgent} is urgent`);
    const first = await ended(sweepId);
    if (first !== 'SUCCEEDED') return { sweepId, state: first };
    await sweeps.extend(sweepId, ADDED.after);
    const states = await Promise.all([sweepId, urgent, asynchronous].map(ended));
    return { sweepId, state: states.includes('ACTIVE') ? 'ACTIVE' : (states[0] ?? first) };
  }

  /** Recomputes the decisions of all searches from their rows, as `graft sweep explain --replay` does. */
  async checkReplay(): Promise<Finding> {
    const violations: string[] = [];
    let decisionCount = 0;
    for (const sweepId of [...this.#searches, ...this.#asynchronous]) {
      const replay = await this.#sweeps.replay(sweepId);
      decisionCount += replay.decisionCount;
      violations.push(...replay.differences.map((difference) => `${sweepId}: ${difference}`));
    }
    return {
      invariant: 'all decisions follow from the rows (--replay)',
      violations,
      evidence: `${decisionCount} decisions`,
    };
  }
}
