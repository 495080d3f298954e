import { escapeControlsInLines } from '../../core/text/control-characters.ts';
import type { TextStream } from './output.ts';

/**
 * A stream that escapes control characters instead of sending them to the terminal. All output of the CLI passes through it, so
 * that an external name, path or message can't move the cursor, change colours or reverse text. Graft's own control codes go
 * through `writeControl`.
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

  on(event: 'resize', listener: () => void): void {
    this.#stream.on?.(event, listener);
  }

  off(event: 'resize', listener: () => void): void {
    this.#stream.off?.(event, listener);
  }

  write(text: string): unknown {
    return this.#stream.write(escapeControlsInLines(text));
  }

  /** @param text output whose external parts are escaped already (`renderTable`, `escapeControls`). */
  writeControl(text: string): unknown {
    return this.#stream.write(text);
  }
}
