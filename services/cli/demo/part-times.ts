import { formatDuration } from '../terminal/format.ts';

/** Durations of the parts of the demo. */
export class PartTimes {
  readonly #parts: { readonly name: string; readonly milliseconds: number }[] = [];
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  async measure<T>(name: string, work: () => Promise<T>): Promise<T> {
    const began = this.#now();
    try {
      return await work();
    } finally {
      this.#parts.push({ name, milliseconds: this.#now() - began });
    }
  }

  /** Returns `start 4.1 s · sweep 2 min 10 s · report 1.2 s · total 2 min 15 s`. */
  toString(): string {
    const total = this.#parts.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    return [...this.#parts, { name: 'total', milliseconds: total }]
      .map(({ name, milliseconds }) => `${name} ${formatDuration(milliseconds)}`)
      .join(' · ');
  }
}
