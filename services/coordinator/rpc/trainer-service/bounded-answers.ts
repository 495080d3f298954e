/**
 * Runs work concurrently and yields its answers in the order of completion. Bounds the work in progress plus the answers that
 * have not been consumed.
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
   * Resolves when the work has begun, which may be long before it is done. Work begins in the order of the calls. No work begins
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

  /** Declares that no more work follows. */
  end(): void {
    this.#isEnded = true;
    this.#wakeReader?.();
  }

  /** Makes `results` throw `error` after the answers of the work that has begun. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  /** Yields the answers. Ends after `end`, throws after `fail`. */
  async *results(): AsyncGenerator<T> {
    for (;;) {
      const result = this.#done.shift();
      if (result !== undefined) {
        // Freed when the result is consumed, so that no more is read from a client that does not read its answers.
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
