import type { TextStream } from './context.ts';
import { cutLine } from './table.ts';

const DEFAULT_COLUMNS = 80;

/** A line that is written over itself on a terminal; nothing at all elsewhere. */
export class StatusLine {
  readonly #stream: TextStream;
  #isShown = false;

  constructor(stream: TextStream) {
    this.#stream = stream;
  }

  show(text: string): void {
    if (this.#stream.isTTY !== true) return;
    this.#stream.write(`\r\u001b[2K${cutLine(text, (this.#stream.columns || DEFAULT_COLUMNS) - 1)}`);
    this.#isShown = true;
  }

  clear(): void {
    if (this.#isShown) this.#stream.write('\r\u001b[2K');
    this.#isShown = false;
  }
}
