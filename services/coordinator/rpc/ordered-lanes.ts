/**
 * Runs work in order within a lane and side by side over lanes, with a bound on all of it, and gives the results in the
 * order in which they are done.
 */
export class OrderedLanes<T> {
  readonly #maxInFlight: number;
  readonly #lanes = new Map<string, Promise<void>>();
  readonly #done: T[] = [];
  #inFlight = 0;
  #isEnded = false;
  #failure: { readonly error: unknown } | null = null;
  #wakeReader: (() => void) | null = null;
  #wakeWriter: (() => void) | null = null;

  constructor(maxInFlight: number) {
    this.#maxInFlight = maxInFlight;
  }

  /** Resolves when the work has been taken on, which may be long before it is done. Nothing is taken on after a failure. */
  async run(lane: string, work: () => Promise<T>): Promise<void> {
    while (this.#inFlight >= this.#maxInFlight && !this.#failure) {
      await new Promise<void>((resolve) => (this.#wakeWriter = resolve));
    }
    if (this.#failure) return;
    this.#inFlight += 1;
    const before = this.#lanes.get(lane) ?? Promise.resolve();
    const after = before.then(() => this.#perform(work));
    this.#lanes.set(lane, after);
    void after.then(() => {
      if (this.#lanes.get(lane) === after) this.#lanes.delete(lane);
    });
  }

  /** No more work comes. */
  end(): void {
    this.#isEnded = true;
    this.#wakeReader?.();
  }

  /** What is done and under way is still given, then `error` is thrown. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  /** Ends after `end`, throws after `fail`. */
  async *results(): AsyncGenerator<T> {
    for (;;) {
      const result = this.#done.shift();
      if (result !== undefined) {
        // Freed when the result is handed on, so that a client that does not read its answers is not read from either.
        this.#inFlight -= 1;
        this.#wakeWriter?.();
        yield result;
      } else if (this.#inFlight === 0 && this.#failure) throw this.#failure.error;
      else if (this.#inFlight === 0 && this.#isEnded) return;
      else await new Promise<void>((resolve) => (this.#wakeReader = resolve));
    }
  }

  async #perform(work: () => Promise<T>): Promise<void> {
    if (this.#failure) {
      this.#inFlight -= 1;
      this.#wakeReader?.();
      return;
    }
    try {
      this.#done.push(await work());
    } catch (error) {
      this.#inFlight -= 1;
      this.#failure ??= { error };
    }
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }
}
