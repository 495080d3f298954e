import { appendFileSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { MetricBatch, TaskLease } from './coordinator-port.ts';

const KEEP_LEFTOVERS_MS = 7 * 24 * 3_600_000;
/** `<task>.<lease epoch>.jsonl` */
const JOURNAL_NAME = /^[^/]+\.\d+\.jsonl$/;

/**
 * Everything an attempt has to report, as JSON lines, appended before it is sent and removed when the attempt has ended.
 * It is a trace for people: an epoch that was never acknowledged lies behind the last registered checkpoint, so the next
 * attempt computes it again bit by bit, and nothing has to be read back.
 */
export class MetricJournal {
  readonly #path: string;
  readonly #onFailure: (error: unknown) => void;
  #isBroken = false;

  /** @param onFailure told once when the journal can't be written; reporting goes on without it. */
  constructor(directory: string, lease: TaskLease, onFailure: (error: unknown) => void) {
    this.#path = join(directory, `${encodeURIComponent(lease.taskId)}.${lease.leaseEpoch}.jsonl`);
    this.#onFailure = onFailure;
    this.#try(() => {
      mkdirSync(directory, { recursive: true });
      rmSync(this.#path, { force: true });
    });
  }

  /** Synchronous: some hundred bytes per batch, and the order on disk is the order of the sequence numbers. */
  append(batch: MetricBatch): void {
    // JSON has no NaN and no infinities; they are values here, not mistakes.
    const line = JSON.stringify(batch, (_key, value: unknown) =>
      typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
    );
    this.#try(() => appendFileSync(this.#path, `${line}\n`));
  }

  remove(): void {
    this.#try(() => rmSync(this.#path, { force: true }));
  }

  /** A full disk must not end an attempt whose metrics the coordinator can still take. */
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

/** Removes the journals that killed supervisors left behind more than a week ago. */
export function removeOldJournals(directory: string, nowMs: number): void {
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(directory)) {
    if (!JOURNAL_NAME.test(name)) continue;
    const path = join(directory, name);
    // Another trainer on the same folder may remove it in between.
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isFile() === true && nowMs - found.mtimeMs > KEEP_LEFTOVERS_MS) rmSync(path, { force: true });
  }
}
