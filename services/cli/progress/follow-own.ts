import type { StoredEvent } from '../../core/records/event.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { GraftClient } from '../client/client-port.ts';
import { CliError, InterruptedError } from '../terminal/cli-errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { TextStream } from '../terminal/output.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { createDisplay } from './displays.ts';
import { followSweep } from './follow-sweep.ts';
import type { ProgressDisplay } from './follow-sweep.ts';
import type { SweepProgress } from './sweep-progress.ts';

/** Parts of a command's environment. */
interface FollowContext {
  readonly stdout: TextStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** Words of a command while it follows its own sweep. */
export interface FollowWords {
  /** Line below the live display. */
  readonly hint: string;
  /** Message after Ctrl-C. */
  readonly interrupted: (sweepId: string) => string;
  /** Means to resume a paused sweep: "The next demo resumes it". */
  readonly paused: string;
}

/**
 * Shows the progress of a sweep that the command has submitted, until it ends.
 *
 * @throws InterruptedError after Ctrl-C; CliError if the sweep is paused
 */
export async function followOwn(
  { stdout, env, signal }: FollowContext,
  client: GraftClient,
  sweepId: string,
  words: FollowWords,
): Promise<SweepRecord> {
  const paused = new AbortController();
  const display = new PauseWatch(createDisplay(stdout, env, words.hint), paused);
  try {
    return await followSweep(client, sweepId, display, AbortSignal.any([signal, paused.signal]));
  } catch (error) {
    if (signal.aborted) {
      throw new InterruptedError(words.interrupted(sweepId));
    }
    if (!paused.signal.aborted) throw error;
    const { stateReason } = await client.getSweep(sweepId);
    throw new CliError(
      `Sweep ${sweepId} is paused: ${stateReason}\n${words.paused}; \`${GRAFT} run list ${sweepId}\` shows the failed runs.`,
      EXIT.incomplete,
    );
  } finally {
    display.close();
  }
}

/** Ends the command when its sweep is paused, since it can't resume the sweep while it waits. */
class PauseWatch implements ProgressDisplay {
  readonly #display: ProgressDisplay;
  readonly #paused: AbortController;

  constructor(display: ProgressDisplay, paused: AbortController) {
    this.#display = display;
    this.#paused = paused;
  }

  get showsPlaces(): boolean {
    return this.#display.showsPlaces;
  }

  show(progress: SweepProgress, stored: StoredEvent | null): void {
    this.#display.show(progress, stored);
    // Events of an earlier pause are repeated; only a recent one counts.
    if (stored === null || stored.event.kind !== 'SWEEP_STATE') return;
    if (stored.event.state === 'PAUSED' && isRecent(stored)) this.#paused.abort();
  }

  note(text: string): void {
    this.#display.note(text);
  }

  refresh(progress: SweepProgress): void {
    this.#display.refresh(progress);
  }

  close(): void {
    this.#display.close();
  }
}

const RECENT_MS = 5_000;

function isRecent({ eventTime }: StoredEvent): boolean {
  return Date.now() - eventTime.getTime() < RECENT_MS;
}
