import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import xterm from '@xterm/headless';
import { eventually, REPOSITORY } from './local-cluster.ts';

type Event = { readonly output: string } | { readonly resized: readonly [number, number] } | { readonly exit: number };

/** A command in a real pseudo-terminal, with the screen that a terminal emulator makes of its output. */
export class Terminal {
  readonly #child;
  readonly #screen: xterm.Terminal;
  readonly #ended: Promise<number>;

  constructor(command: readonly string[], columns: number, rows: number, env: Readonly<Record<string, string>>) {
    this.#screen = new xterm.Terminal({ cols: columns, rows, scrollback: 5_000, allowProposedApi: true });
    const script = join(REPOSITORY, 'test/e2e/python/terminal.py');
    this.#child = spawn(process.env['GRAFT_PYTHON'] ?? 'python3', [script, String(columns), String(rows), ...command], {
      env: { ...process.env, TERM: 'xterm-256color', NO_COLOR: '', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#ended = this.#read();
  }

  /** Returns the lines of the screen, without blanks at their ends. */
  lines(): readonly string[] {
    const { active } = this.#screen.buffer;
    return Array.from({ length: this.#screen.rows }, (_, row) => this.#line(active.baseY + row));
  }

  /** Returns the lines that have scrolled out of the screen, oldest first. */
  history(): readonly string[] {
    return Array.from({ length: this.#screen.buffer.active.baseY }, (_, row) => this.#line(row));
  }

  /** Waits until the screen has a line that matches. */
  async waitFor(pattern: RegExp): Promise<void> {
    await eventually(`${String(pattern)} in the terminal`, 60_000, () =>
      Promise.resolve(this.lines().some((line) => pattern.test(line)) ? true : undefined),
    );
  }

  async resize(columns: number, rows: number): Promise<void> {
    this.#do({ resize: [columns, rows] });
    await eventually('the resize', 10_000, () => Promise.resolve(this.#screen.cols === columns ? true : undefined));
  }

  /** Types, for example `\x03` for Ctrl-C. */
  type(text: string): void {
    this.#do({ send: text });
  }

  /** Waits for the end of the command. @returns its exit code */
  end(): Promise<number> {
    return this.#ended;
  }

  #line(row: number): string {
    return this.#screen.buffer.active.getLine(row)?.translateToString(true) ?? '';
  }

  #do(step: object): void {
    this.#child.stdin.write(`${JSON.stringify(step)}\n`);
  }

  async #read(): Promise<number> {
    let code = -1;
    for await (const line of createInterface(this.#child.stdout)) {
      const event = JSON.parse(line) as Event;
      if ('resized' in event) this.#screen.resize(...event.resized);
      else if ('exit' in event) code = event.exit;
      else await new Promise<void>((resolve) => this.#screen.write(Buffer.from(event.output, 'base64'), resolve));
    }
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
    return code;
  }
}
