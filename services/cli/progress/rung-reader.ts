import type { RungEntryRecord } from '../../core/records/explanation.ts';
import type { SweepForecastRecord } from '../../core/records/forecast.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import { isAdaptive } from '../../core/samplers/samplers.ts';
import type { GraftClient } from '../client/client-port.ts';

/** Least interval of two reads, and that of a sweep with more entries at rungs, of which the coordinator ranks all at each read. */
const INTERVAL_MS = 1_000;
const LARGE_INTERVAL_MS = 5_000;
const LARGE = 1_000;

/**
 * Reads the places of runs at rungs, and the forecast, which grows with promotions and rounds: soon after a request, and at most once a second,
 * of large sweeps every five seconds. Sweeps without stopping and rounds are never read. A failed read is not reported, because the watch reports
 * that the coordinator is unreachable; the next one replaces it.
 */
export class RungReader {
  readonly #client: GraftClient;
  readonly #sweep: SweepRecord;
  readonly #onRead: (entries: readonly RungEntryRecord[], forecast: SweepForecastRecord) => void;
  #timer: NodeJS.Timeout | null = null;
  #lastMs = -Infinity;
  #intervalMs = INTERVAL_MS;
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
    const { spec } = this.#sweep;
    if (!isIdle || (spec.stopping === undefined && !isAdaptive(spec))) return;
    const waitMs = Math.max(0, this.#lastMs + this.#intervalMs - performance.now());
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
      this.#intervalMs = entries.length > LARGE ? LARGE_INTERVAL_MS : INTERVAL_MS;
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
