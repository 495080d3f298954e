/** How long the pages of a plan are kept for the client that reads them one after the other. */
const LIFE_MS = 120_000;
/** Of all plans together. */
const MOST_BYTES = 48 * 1024 * 1024;

interface Entry<T> {
  readonly value: T;
  readonly bytes: number;
  readonly madeAt: number;
}

/** Pages that were made together with an earlier one. A page that is not here any more is made again. */
export class PageCache<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #now: () => number;
  #bytes = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Takes a page out: a client asks for each once. */
  take(key: string): T | null {
    this.#forgetOld();
    const entry = this.#entries.get(key);
    this.#delete(key);
    return entry?.value ?? null;
  }

  add(key: string, value: T, bytes: number): void {
    this.#forgetOld();
    this.#delete(key);
    if (bytes > MOST_BYTES) return;
    this.#entries.set(key, { value, bytes, madeAt: this.#now() });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= MOST_BYTES) return;
      this.#delete(oldest);
    }
  }

  #forgetOld(): void {
    for (const [key, { madeAt }] of this.#entries) {
      if (this.#now() - madeAt < LIFE_MS) return;
      this.#delete(key);
    }
  }

  #delete(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}
