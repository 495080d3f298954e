import { stuckAfterMs } from '../../core/lease.ts';

/** Steps in the median: enough to be stable, few enough to sort at each check. */
const SAMPLES = 64;

/** Detects a worker that hangs by the steps that it reports. The caller passes the time in milliseconds. */
export class ProgressWatch {
  #stepCount = 0;
  #changedAt: number;
  #lastStepAt: number;
  readonly #stepMs: number[] = [];

  constructor(nowMs: number) {
    this.#changedAt = nowMs;
    this.#lastStepAt = nowMs;
  }

  /** Records the completed steps. A smaller number than before starts another part of the work. */
  step(stepCount: number, nowMs: number): void {
    if (stepCount === this.#stepCount) return;
    if (stepCount > this.#stepCount) {
      this.#stepMs.push((nowMs - this.#lastStepAt) / (stepCount - this.#stepCount));
      if (this.#stepMs.length > SAMPLES) this.#stepMs.shift();
    }
    this.#stepCount = stepCount;
    this.#lastStepAt = nowMs;
    this.#changedAt = nowMs;
  }

  /** Records other progress: an epoch ended, or a checkpoint was written. */
  touch(nowMs: number): void {
    this.#changedAt = nowMs;
  }

  /** Returns the milliseconds without progress if they exceed the limit; null otherwise. */
  stuckForMs(nowMs: number): number | null {
    const idleMs = nowMs - this.#changedAt;
    return idleMs > stuckAfterMs(this.#medianStepMs()) ? idleMs : null;
  }

  #medianStepMs(): number | null {
    if (this.#stepMs.length === 0) return null;
    const sorted = this.#stepMs.toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? null;
  }
}
