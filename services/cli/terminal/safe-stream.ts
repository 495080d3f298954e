import { escapeControlsInLines } from '../../core/text/control-characters.ts';
import type { TextStream } from './output.ts';

/**
 * A stream that shows control characters instead of sending them to the terminal. All output of the command line passes through
 * it, so that a name, path or message from outside can't move the cursor, change colours or reverse the text. What Graft itself
 * has to say to the terminal goes through `writeControl`.
 */
export class SafeStream implements TextStream {
  readonly #stream: TextStream;

  constructor(stream: TextStream) {
    this.#stream = stream;
  }

  get isTTY(): boolean {
    return this.#stream.isTTY === true;
  }

  get columns(): number {
    return this.#stream.columns ?? 0;
  }

  get rows(): number {
    return this.#stream.rows ?? 0;
  }

  write(text: string): unknown {
    return this.#stream.write(escapeControlsInLines(text));
  }

  /** @param text whose parts from outside are escaped already (`renderTable`, `escapeControls`). */
  writeControl(text: string): unknown {
    return this.#stream.write(text);
  }
}
