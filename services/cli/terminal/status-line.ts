import { escapeControls } from '../../core/text/control-characters.ts';
import { movesCursor } from './colour.ts';
import type { TextStream } from './output.ts';
import { cutLine } from './table.ts';

const DEFAULT_COLUMNS = 80;

/** A line that overwrites itself on a terminal. Prints nothing to any other stream, nor where `TERM=dumb`. */
export class StatusLine {
  readonly #stream: TextStream;
  readonly #isLive: boolean;
  #isShown = false;

  constructor(stream: TextStream, env: Readonly<Record<string, string | undefined>>) {
    this.#stream = stream;
    this.#isLive = movesCursor(stream, env);
  }

  show(text: string): void {
    if (!this.#isLive) return;
    const line = cutLine(escapeControls(text), (this.#stream.columns || DEFAULT_COLUMNS) - 1);
    this.#control(`\r\u001b[2K${line}`);
    this.#isShown = true;
  }

  clear(): void {
    if (this.#isShown) this.#control('\r\u001b[2K');
    this.#isShown = false;
  }

  #control(text: string): void {
    if (this.#stream.writeControl === undefined) this.#stream.write(text);
    else this.#stream.writeControl(text);
  }
}
