import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A Python process that answers each line with one line; both are JSON. */
export class PythonLines {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #errors: string[] = [];

  /** @param script absolute path; it prints one line when it is ready. */
  constructor(python: string, script: string, env: Readonly<Record<string, string>>) {
    this.#child = spawn(python, [script], { env: { ...process.env, ...env } });
    this.#child.stderr.on('data', (chunk: Buffer) => this.#errors.push(chunk.toString()));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async ready(): Promise<unknown> {
    return this.#nextLine();
  }

  async ask(job: unknown): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify(job)}\n`);
    return this.#nextLine();
  }

  end(): void {
    this.#child.stdin.end();
  }

  async #nextLine(): Promise<unknown> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`The Python process ended: ${this.#errors.join('').slice(-1500)}`);
    return JSON.parse(line.value) as unknown;
  }
}
