import { formatDuration } from './format.ts';
import type { TextStream } from './output.ts';
import { StatusLine } from './status-line.ts';

/** Duration from which a step's line names it. */
const SLOW_MS = 1_000;
const TICK_MS = 1_000;

/** Reports steps that follow each other: one line when each is done, and until then a line that a terminal overwrites. */
export class Steps {
  readonly #stream: TextStream;
  readonly #status: StatusLine;

  constructor(stream: TextStream, env: Readonly<Record<string, string | undefined>>) {
    this.#stream = stream;
    this.#status = new StatusLine(stream, env);
  }

  /** Prints a remark, also in the middle of a step. */
  say(text: string): void {
    this.#status.clear();
    this.#stream.write(`${text}\n`);
  }

  /**
   * Executes a step and returns its result.
   *
   * @param title what is under way, for example `starting PostgreSQL`.
   * @param describe returns the line for a result, for example `PostgreSQL is ready`.
   */
  async run<T>(title: string, work: () => Promise<T>, describe: (result: T) => string): Promise<T> {
    const began = performance.now();
    const show = (): void => {
      const passed = performance.now() - began;
      this.#status.show(passed < SLOW_MS ? `${title} …` : `${title} … ${Math.floor(passed / 1_000)} s`);
    };
    show();
    const timer = setInterval(show, TICK_MS);
    try {
      const result = await work();
      const took = performance.now() - began;
      this.say(took < SLOW_MS ? describe(result) : `${describe(result)} (${formatDuration(took)})`);
      return result;
    } finally {
      clearInterval(timer);
      this.#status.clear();
    }
  }
}
