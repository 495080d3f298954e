import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';

/**
 * The stored request id of an unfinished demo, with which the next start resumes the same sweep. A request for another sweep
 * (other images, or the variants of another version) is replaced.
 */
export class DemoMemory {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** Returns the request id of an unfinished demo with the same spec, or a new one. */
  requestIdFor(spec: SweepSpec): { readonly requestId: string; readonly isContinued: boolean } {
    const digest = createHash('sha256').update(JSON.stringify(spec)).digest('hex');
    const known = this.#read();
    if (known?.digest === digest) return { requestId: known.requestId, isContinued: true };
    const requestId = `demo-${randomUUID()}`;
    mkdirSync(dirname(this.#file), { recursive: true });
    writeFileSync(`${this.#file}.new`, JSON.stringify({ digest, requestId }));
    renameSync(`${this.#file}.new`, this.#file);
    return { requestId, isContinued: false };
  }

  /** Forgets an ended demo, so that the next one is a new sweep. */
  forget(): void {
    rmSync(this.#file, { force: true });
  }

  #read(): { readonly digest: string; readonly requestId: string } | null {
    try {
      return JSON.parse(readFileSync(this.#file, 'utf8')) as { digest: string; requestId: string };
    } catch {
      return null;
    }
  }
}
