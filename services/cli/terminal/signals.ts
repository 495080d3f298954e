/** npm hands a Ctrl-C on to its child, which the terminal has told already: the same key is heard twice. */
const SAME_KEY_MS = 800;

/** What of `process` is used. */
export interface SignalSource {
  on(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown;
  off(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown;
}

const NAMES: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The first Ctrl-C (SIGTERM, SIGHUP) aborts `signal`; a second one calls `onSecond`. */
export class CliSignals {
  readonly #controller = new AbortController();
  readonly #source: SignalSource;
  readonly #now: () => number;
  #firstAt: number | null = null;
  /** Without one, the process ends at once by the second signal. */
  onSecond: (() => void) | null = null;

  constructor(source: SignalSource, now: () => number = () => performance.now()) {
    this.#source = source;
    this.#now = now;
    for (const name of NAMES) source.on(name, this.#hear);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  close(): void {
    for (const name of NAMES) this.#source.off(name, this.#hear);
  }

  readonly #hear = (name: NodeJS.Signals): void => {
    if (this.#firstAt === null) {
      this.#firstAt = this.#now();
      this.#controller.abort(new Error(`received ${name}`));
    } else if (this.#now() - this.#firstAt > SAME_KEY_MS) {
      if (this.onSecond === null) process.exit(130);
      this.onSecond();
    }
  };
}
