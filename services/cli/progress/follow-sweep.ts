import { setTimeout as sleep } from 'node:timers/promises';
import { isTerminalSweepState } from '../../core/states/sweep-state.ts';
import { isDeadlineExceeded, isUnavailable } from '../../platform/rpc/errors.ts';
import type { StoredEvent } from '../../core/records/event.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { GraftClient } from '../client/client-port.ts';
import { RungReader } from './rung-reader.ts';
import { addRuns, applyEvent, changesRuns, startProgress, withForecast, withPlaces } from './sweep-progress.ts';
import type { SweepProgress } from './sweep-progress.ts';

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 5_000;

/** A display of a sweep's progress. */
export interface ProgressDisplay {
  /** True: shows the places of runs at rungs, which are then read from the coordinator. */
  readonly showsPlaces: boolean;
  /** Shows the progress after an event; null for the first picture. */
  show(progress: SweepProgress, event: StoredEvent | null): void;
  /** Prints a remark between two pictures, for example that the connection is lost. */
  note(text: string): void;
  /** Redraws what is shown after facts changed that no event has. */
  refresh(progress: SweepProgress): void;
  close(): void;
}

/**
 * Watches a sweep until it ends and returns it. If the coordinator becomes unavailable, waits for it and resumes after the last
 * event.
 *
 * @throws the error of the first call, if the sweep does not exist or the coordinator is unreachable; the signal's reason when
 * aborted.
 */
export async function followSweep(
  client: GraftClient,
  sweepId: string,
  display: ProgressDisplay,
  signal: AbortSignal,
): Promise<SweepRecord> {
  const sweep = await client.getSweep(sweepId);
  let progress = withForecast(startProgress(sweep, await client.listRuns(sweepId)), await client.getForecast(sweepId));
  display.show(progress, null);
  const rungs = new RungReader(client, sweep, (entries, forecast) => {
    progress = withForecast(withPlaces(progress, entries), forecast);
    display.refresh(progress);
  });
  if (display.showsPlaces) rungs.request();
  try {
    for (let retryMs = FIRST_RETRY_MS, lost = false; ;) {
      try {
        for await (const event of client.watchSweep(sweepId, progress.cursor, signal)) {
          if (lost) display.note('reconnected');
          lost = false;
          retryMs = FIRST_RETRY_MS;
          if (changesRuns(progress, event)) {
            const runs = await client.listRuns(sweepId);
            const forecast = await client.getForecast(sweepId);
            // Places that were read meanwhile stay.
            progress = withForecast(addRuns(progress, runs), forecast);
          }
          progress = applyEvent(progress, event);
          display.show(progress, event);
          if (display.showsPlaces && event.event.kind === 'RUN_STATE') rungs.request();
        }
        const now = await client.getSweep(sweepId);
        if (isTerminalSweepState(now.state)) return now;
      } catch (error) {
        signal.throwIfAborted();
        if (!isUnavailable(error) && !isDeadlineExceeded(error)) throw error;
        if (!lost) display.note(`the coordinator at ${client.address} is unreachable; waiting for it …`);
        lost = true;
      }
      await sleep(retryMs, undefined, { signal });
      retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
    }
  } finally {
    rungs.close();
  }
}
