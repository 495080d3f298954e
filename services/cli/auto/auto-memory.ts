import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';

/** Identity of a search: the same command continues it. */
export interface AutoKey {
  /** Folder of the images. */
  readonly path: string;
  readonly minutes: number;
  /** Address of a coordinator that was named; null: that of this machine. */
  readonly coordinator: string | null;
}

/** A search that has not ended, so that a later call continues it. */
export interface UnfinishedSearch {
  readonly requestId: string;
  readonly spec: SweepSpec;
  /** Seconds of its time that earlier calls have used. */
  readonly usedSeconds: number;
}

/** A file with the searches that were interrupted, each with the request id with which the coordinator returns the same sweep. */
export class AutoMemory {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  find(key: AutoKey): UnfinishedSearch | null {
    return this.#read()[nameOf(key)] ?? null;
  }

  /** Remembers a new search before it is submitted. */
  add(key: AutoKey, spec: SweepSpec): UnfinishedSearch {
    const search = { requestId: `auto-${randomUUID()}`, spec, usedSeconds: 0 };
    this.update(key, search);
    return search;
  }

  update(key: AutoKey, search: UnfinishedSearch): void {
    this.#write({ ...this.#read(), [nameOf(key)]: search });
  }

  /** Forgets a search that has ended, so that the next call begins a new one. */
  forget(key: AutoKey): void {
    const others = Object.fromEntries(Object.entries(this.#read()).filter(([name]) => name !== nameOf(key)));
    if (Object.keys(others).length === 0) rmSync(this.#file, { force: true });
    else this.#write(others);
  }

  #read(): Readonly<Record<string, UnfinishedSearch>> {
    try {
      return JSON.parse(readFileSync(this.#file, 'utf8')) as Record<string, UnfinishedSearch>;
    } catch {
      return {};
    }
  }

  #write(searches: Readonly<Record<string, UnfinishedSearch>>): void {
    mkdirSync(dirname(this.#file), { recursive: true });
    writeFileSync(`${this.#file}.new`, JSON.stringify(searches));
    renameSync(`${this.#file}.new`, this.#file);
  }
}

function nameOf({ path, minutes, coordinator }: AutoKey): string {
  return JSON.stringify([path, minutes, coordinator]);
}
