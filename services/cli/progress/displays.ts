import { escapeControls } from '../../core/text/control-characters.ts';
import { metricsOf } from '../../core/records/event.ts';
import type { StoredEvent } from '../../core/records/event.ts';
import { countOf } from '../../core/text/count-of.ts';
import { movesCursor, usesColour } from '../terminal/colour.ts';
import { toJson } from '../terminal/output.ts';
import type { TextStream } from '../terminal/output.ts';
import type { ProgressDisplay } from './follow-sweep.ts';
import { describeEvent } from './describe-event.ts';
import { LiveDisplay } from './live-display.ts';
import type { SweepProgress } from './sweep-progress.ts';

/**
 * Creates a display: a table that redraws itself on a terminal, plain lines on any other stream and where `TERM=dumb`.
 *
 * @param hint what Ctrl-C does, as the last line of the table.
 */
export function createDisplay(
  stream: TextStream,
  env: Readonly<Record<string, string | undefined>>,
  hint: string,
): ProgressDisplay {
  return movesCursor(stream, env) ? new LiveDisplay(stream, usesColour(stream, env), hint) : new LineDisplay(stream);
}

/** Prints events as JSON lines, for programs. */
export class JsonDisplay implements ProgressDisplay {
  readonly showsPlaces = false;
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

  refresh(): void {
    // As above.
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
  readonly showsPlaces = false;
  readonly #stream: TextStream;

  constructor(stream: TextStream) {
    this.#stream = stream;
  }

  show(progress: SweepProgress, event: StoredEvent | null): void {
    if (event === null) {
      const name = progress.displayName === '' ? '' : ` “${escapeControls(progress.displayName)}”`;
      this.#stream.write(
        `sweep ${progress.sweepId}${name} with ${countOf(progress.runs.size, 'run')}: ${progress.state}\n`,
      );
      return;
    }
    const line = describeEvent(progress, event);
    if (line !== null) this.#stream.write(`${timeOf(event)} ${line}\n`);
  }

  note(text: string): void {
    this.#stream.write(`${text}\n`);
  }

  refresh(): void {
    // The line of an event has its reason.
  }

  close(): void {
    // Nothing is open.
  }
}

function timeOf({ eventTime }: StoredEvent): string {
  const parts = [eventTime.getHours(), eventTime.getMinutes(), eventTime.getSeconds()];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}
