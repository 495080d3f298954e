import { escapeControls } from '../../core/text/control-characters.ts';
import { metricsOf } from '../../core/records/event.ts';
import type { StoredEvent } from '../../core/records/event.ts';
import { toJson } from '../terminal/output.ts';
import type { TextStream } from '../terminal/output.ts';
import type { ProgressDisplay } from './follow-sweep.ts';
import { describeEvent, renderProgress } from './render-progress.ts';
import type { SweepProgress } from './sweep-progress.ts';

const REDRAW_MS = 150;
const DEFAULT_COLUMNS = 100;
const DEFAULT_ROWS = 30;

export interface DisplayOptions {
  readonly stream: TextStream;
  readonly colour: boolean;
}

/** Creates a display: a table that redraws itself on a terminal, plain lines on any other stream. */
export function createDisplay(options: DisplayOptions): ProgressDisplay {
  return options.stream.isTTY === true ? new LiveDisplay(options) : new LineDisplay(options.stream);
}

/** Prints events as JSON lines, for programs. */
export class JsonDisplay implements ProgressDisplay {
  readonly #stream: TextStream;

  constructor(stream: TextStream) {
    this.#stream = stream;
  }

  show(_progress: SweepProgress, event: StoredEvent | null): void {
    if (event === null) return;
    this.#stream.write(`${toJson(flattened(event), 0)}\n`);
  }

  note(): void {
    // JSON lines are events only.
  }

  close(): void {
    // Nothing is open.
  }
}

/** Returns an event in the shape of `--output json`: kinds in lower case, an epoch's metrics by name. */
function flattened({ event, ...head }: StoredEvent): object {
  const kind = event.kind.toLowerCase();
  if (event.kind !== 'EPOCH') return { ...head, ...event, kind };
  const { runId, stage, epoch } = event;
  return { ...head, kind, runId, stage, epoch, metrics: metricsOf(event) };
}

/** Prints one line per event. */
export class LineDisplay implements ProgressDisplay {
  readonly #stream: TextStream;

  constructor(stream: TextStream) {
    this.#stream = stream;
  }

  show(progress: SweepProgress, event: StoredEvent | null): void {
    if (event === null) {
      const name = progress.displayName === '' ? '' : ` “${escapeControls(progress.displayName)}”`;
      this.#stream.write(`sweep ${progress.sweepId}${name} with ${progress.runs.size} runs: ${progress.state}\n`);
      return;
    }
    const line = describeEvent(progress, event);
    if (line !== null) this.#stream.write(`${timeOf(event)} ${line}\n`);
  }

  note(text: string): void {
    this.#stream.write(`${text}\n`);
  }

  close(): void {
    // Nothing is open.
  }
}

/** Redraws the same lines, at most every 150 ms. */
class LiveDisplay implements ProgressDisplay {
  readonly #stream: TextStream;
  readonly #colour: boolean;
  #drawnLines = 0;
  #progress: SweepProgress | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor({ stream, colour }: DisplayOptions) {
    this.#stream = stream;
    this.#colour = colour;
  }

  show(progress: SweepProgress): void {
    this.#progress = progress;
    this.#timer ??= setTimeout(() => this.#draw(), this.#drawnLines === 0 ? 0 : REDRAW_MS);
  }

  note(text: string): void {
    this.#erase();
    this.#stream.write(`${text}\n`);
    this.#draw();
  }

  close(): void {
    this.#draw();
  }

  #draw(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#progress === null) return;
    const screen = {
      // A terminal of unknown size reports 0.
      columns: this.#stream.columns || DEFAULT_COLUMNS,
      rows: this.#stream.rows || DEFAULT_ROWS,
      colour: this.#colour,
    };
    const lines = renderProgress(this.#progress, screen);
    // One write per picture avoids flicker.
    this.#control(`${this.#eraseCode()}${lines.join('\n')}\n`);
    this.#drawnLines = lines.length;
  }

  #erase(): void {
    this.#control(this.#eraseCode());
    this.#drawnLines = 0;
  }

  #control(text: string): void {
    if (this.#stream.writeControl === undefined) this.#stream.write(text);
    else this.#stream.writeControl(text);
  }

  #eraseCode(): string {
    return this.#drawnLines === 0 ? '' : `\u001b[${this.#drawnLines}A\u001b[0J`;
  }
}

function timeOf({ eventTime }: StoredEvent): string {
  const parts = [eventTime.getHours(), eventTime.getMinutes(), eventTime.getSeconds()];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}
