/** Signals within this time count as one: npm forwards a Ctrl-C to its child, which has received it from the terminal too. */
const SAME_KEY_MS = 800;

/** The part of `process` that `CliSignals` uses. */
export interface SignalSource {
  on(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown;
  off(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown;
}

const NAMES: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Aborts `signal` at the first SIGINT, SIGTERM or SIGHUP, and calls `onSecond` at a second one. */
export class CliSignals {
  readonly #controller = new AbortController();
  readonly #source: SignalSource;
  readonly #now: () => number;
  #firstAt: number | null = null;
  /** null: the second signal ends the process with exit code 130. */
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
