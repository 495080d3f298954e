import { appendFileSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { MetricBatch, TaskLease } from './coordinator-port.ts';

const KEEP_LEFTOVERS_MS = 7 * 24 * 3_600_000;
/** `<task>.<lease epoch>.jsonl` */
const JOURNAL_NAME = /^[^/]+\.\d+\.jsonl$/;

/**
 * The metric batches of an attempt as JSON lines, appended before they are sent and removed when the attempt has ended. The
 * journal is for people and is never read back: an epoch that was not acknowledged lies after the last registered checkpoint,
 * so the next attempt recomputes it, bit by bit.
 */
export class MetricJournal {
  readonly #path: string;
  readonly #onFailure: (error: unknown) => void;
  #isBroken = false;

  /** @param onFailure called once when the journal can't be written; reporting continues without it. */
  constructor(directory: string, lease: TaskLease, onFailure: (error: unknown) => void) {
    this.#path = join(directory, `${encodeURIComponent(lease.taskId)}.${lease.leaseEpoch}.jsonl`);
    this.#onFailure = onFailure;
    this.#try(() => {
      mkdirSync(directory, { recursive: true });
      rmSync(this.#path, { force: true });
    });
  }

  /** Appends synchronously: a batch is some hundred bytes, with results by image at most 1.3 MB, and the order on disk must be that of the sequence numbers. */
  append(batch: MetricBatch): void {
    const line = JSON.stringify(batch, (_key, value: unknown) => {
      // Results by image: 4 kB of float32 for 1,000 images instead of 20 kB of digits.
      if (ArrayBuffer.isView(value)) {
        return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
      }
      // JSON has no NaN and infinities, which are valid values here.
      return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
    });
    this.#try(() => appendFileSync(this.#path, `${line}\n`));
  }

  remove(): void {
    this.#try(() => rmSync(this.#path, { force: true }));
  }

  /** Ignores failures: a full disk must not end an attempt whose metrics the coordinator can still receive. */
  #try(write: () => void): void {
    if (this.#isBroken) return;
    try {
      write();
    } catch (error) {
      this.#isBroken = true;
      this.#onFailure(error);
    }
  }
}

/** Removes journals older than a week, which killed supervisors have left. */
export function removeOldJournals(directory: string, nowMs: number): void {
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(directory)) {
    if (!JOURNAL_NAME.test(name)) continue;
    const path = join(directory, name);
    // Another trainer on the same folder may remove it concurrently.
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isFile() === true && nowMs - found.mtimeMs > KEEP_LEFTOVERS_MS) rmSync(path, { force: true });
  }
}
