import { stuckAfterMs } from '../../core/lease.ts';

/** Enough for a median that follows the stage, few enough to sort at each look. */
const SAMPLES = 64;

/** Tells a worker that computes from one that hangs, by the steps it reports. Time is given, in milliseconds. */
export class ProgressWatch {
  #stepCount = 0;
  #changedAt: number;
  #lastStepAt: number;
  readonly #stepMs: number[] = [];

  constructor(nowMs: number) {
    this.#changedAt = nowMs;
    this.#lastStepAt = nowMs;
  }

  /** Steps done so far; a smaller number than before begins another part of the work. */
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

  /** Something else was done: an epoch ended, a checkpoint was written. */
  touch(nowMs: number): void {
    this.#changedAt = nowMs;
  }

  /** How long nothing has changed, where that is too long; null otherwise. */
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
