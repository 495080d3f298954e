import type { RungEntryRecord } from '../../core/records/explanation.ts';
import type { SweepForecastRecord } from '../../core/records/forecast.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { GraftClient } from '../client/client-port.ts';

/** Least interval of two reads. */
const INTERVAL_MS = 1_000;

/**
 * Reads the places of runs at rungs, and the forecast, which grows with promotions: soon after a request, and at most once a second.
 * Sweeps without stopping are never read. A failed read is left to the next one: the watch itself reports that the coordinator is
 * unreachable.
 */
export class RungReader {
  readonly #client: GraftClient;
  readonly #sweep: SweepRecord;
  readonly #onRead: (entries: readonly RungEntryRecord[], forecast: SweepForecastRecord) => void;
  #timer: NodeJS.Timeout | null = null;
  #lastMs = -Infinity;
  #isReading = false;
  #isWanted = false;
  #isClosed = false;

  constructor(
    client: GraftClient,
    sweep: SweepRecord,
    onRead: (entries: readonly RungEntryRecord[], forecast: SweepForecastRecord) => void,
  ) {
    this.#client = client;
    this.#sweep = sweep;
    this.#onRead = onRead;
  }

  /** Reads soon, unless a read is due anyway. A request during a read is followed by another one. */
  request(): void {
    this.#isWanted = true;
    const isIdle = this.#timer === null && !this.#isReading && !this.#isClosed;
    if (!isIdle || this.#sweep.spec.stopping === undefined) return;
    const waitMs = Math.max(0, this.#lastMs + INTERVAL_MS - performance.now());
    this.#timer = setTimeout(() => void this.#read(), waitMs);
    // A watch that ends does not wait for a last read.
    this.#timer.unref();
  }

  async #read(): Promise<void> {
    const { sweepId } = this.#sweep;
    this.#timer = null;
    this.#isReading = true;
    this.#isWanted = false;
    try {
      const entries = await this.#client.listRungEntries(sweepId);
      const forecast = await this.#client.getForecast(sweepId);
      if (!this.#isClosed) this.#onRead(entries, forecast);
    } catch {
      // The next request reads again.
    } finally {
      this.#lastMs = performance.now();
      this.#isReading = false;
      this.#repeat();
    }
  }

  /** Reads again if that was requested during the last read. */
  #repeat(): void {
    if (this.#isWanted) this.request();
  }

  /** Ends reading: nothing is reported afterwards. */
  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
