/**
 * Answers of work that runs side by side, in the order in which it is done, with a bound on work whose answer has not been
 * handed on.
 */
export class BoundedAnswers<T> {
  readonly #maxInFlight: number;
  readonly #done: T[] = [];
  #inFlight = 0;
  #isEnded = false;
  #failure: { readonly error: unknown } | null = null;
  #wakeReader: (() => void) | null = null;
  #wakeWriter: (() => void) | null = null;

  constructor(maxInFlight: number) {
    this.#maxInFlight = maxInFlight;
  }

  /**
   * Resolves when the work has begun, which may be long before it is done; work begins in the order of the calls. Nothing begins
   * after a failure.
   */
  async run(work: () => Promise<T>): Promise<void> {
    while (this.#inFlight >= this.#maxInFlight && !this.#failure) {
      await new Promise<void>((resolve) => (this.#wakeWriter = resolve));
    }
    if (this.#failure) return;
    this.#inFlight += 1;
    void this.#perform(work);
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
