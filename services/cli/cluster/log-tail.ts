import { closeSync, openSync, readSync, statSync } from 'node:fs';

const POLL_MS = 250;
const CHUNK_BYTES = 65_536;

/** Passes on the lines that are appended to a file. The file may be created later, and truncated. */
export class LogTail {
  readonly #file: string;
  readonly #onLine: (line: string) => void;
  readonly #timer: NodeJS.Timeout;
  #offset: number;
  #rest = '';

  constructor(file: string, onLine: (line: string) => void) {
    this.#file = file;
    this.#onLine = onLine;
    this.#offset = sizeOf(file);
    this.#timer = setInterval(() => this.#read(), POLL_MS);
    this.#timer.unref();
  }

  /** Reads the remaining lines and stops. */
  close(): void {
    clearInterval(this.#timer);
    this.#read();
    if (this.#rest !== '') this.#onLine(this.#rest);
    this.#rest = '';
  }

  #read(): void {
    const size = sizeOf(this.#file);
    if (size < this.#offset) this.#offset = 0;
    if (size === this.#offset) return;
    const handle = openSync(this.#file, 'r');
    try {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      for (let count = -1; count !== 0;) {
        count = readSync(handle, chunk, 0, chunk.length, this.#offset);
        this.#offset += count;
        this.#take(chunk.toString('utf8', 0, count));
      }
    } finally {
      closeSync(handle);
    }
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line);
  }
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}
