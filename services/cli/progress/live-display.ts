import stringWidth from 'string-width';
import type { TextStream } from '../terminal/output.ts';
import type { ProgressDisplay } from './follow-sweep.ts';
import { renderProgress } from './render-progress.ts';
import type { SweepProgress } from './sweep-progress.ts';

const REDRAW_MS = 150;
/** Interval of redrawing without news, for the time. */
const TICK_MS = 1_000;
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/** Begin and end of a synchronised update: the terminal shows the picture at once. Others ignore it. */
const BEGIN = '\u001b[?2026h';
const END = '\u001b[?2026l';
/** Erases the rest of a line and goes to the next one. */
const NEXT_LINE = '\u001b[K\n';
const ERASE_BELOW = '\u001b[0J';

/**
 * Redraws the same lines of a terminal, at most every 150 ms. The cursor stays below the picture and is never hidden, so that
 * whatever ends the process leaves a usable terminal.
 */
export class LiveDisplay implements ProgressDisplay {
  readonly showsPlaces = true;
  readonly #stream: TextStream;
  readonly #colour: boolean;
  #hint: string | null;
  #drawn: readonly string[] = [];
  #progress: SweepProgress | null = null;
  #timer: NodeJS.Timeout | null = null;
  readonly #tick: NodeJS.Timeout;

  constructor(stream: TextStream, colour: boolean, hint: string) {
    this.#stream = stream;
    this.#colour = colour;
    this.#hint = hint;
    this.#tick = setInterval(this.#draw, TICK_MS);
    stream.on?.('resize', this.#draw);
  }

  show(progress: SweepProgress): void {
    this.#progress = progress;
    this.#timer ??= setTimeout(this.#draw, this.#drawn.length === 0 ? 0 : REDRAW_MS);
  }

  refresh(progress: SweepProgress): void {
    if (this.#progress !== null) this.show(progress);
  }

  note(text: string): void {
    this.#control(this.#moveUp());
    this.#drawn = [];
    this.#stream.write(text);
    this.#control(NEXT_LINE);
    this.#draw();
  }

  close(): void {
    clearInterval(this.#tick);
    this.#stream.off?.('resize', this.#draw);
    this.#hint = null;
    this.#draw();
  }

  readonly #draw = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#progress === null) return;
    const screen = { columns: this.#columns, rows: this.#rows, colour: this.#colour, hint: this.#hint };
    const lines = renderProgress(this.#progress, screen, new Date());
    // Lines are overwritten, not erased first: tmux keeps a copy of a screen that is erased from its top.
    this.#control(`${BEGIN}${this.#moveUp()}${lines.map((line) => line + NEXT_LINE).join('')}${ERASE_BELOW}${END}`);
    this.#drawn = lines;
  };

  // A terminal of unknown size reports 0.
  get #columns(): number {
    return this.#stream.columns || DEFAULT_COLUMNS;
  }

  get #rows(): number {
    return this.#stream.rows || DEFAULT_ROWS;
  }

  #control(text: string): void {
    if (this.#stream.writeControl === undefined) this.#stream.write(text);
    else this.#stream.writeControl(text);
  }

  /** Returns the code that moves to the top of the last picture. A terminal that became narrower has broken its lines into several. */
  #moveUp(): string {
    const rows = this.#drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(stringWidth(line) / this.#columns)), 0);
    return rows === 0 ? '' : `\u001b[${Math.min(rows, this.#rows - 1)}A\r`;
  }
}
