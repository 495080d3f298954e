import { randomUUID } from 'node:crypto';
import { cpSync, existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGraftClient } from '../../services/cli/client/grpc-client.ts';
import type { GraftClient } from '../../services/cli/client/client-port.ts';
import { loadSweepFile } from '../../services/cli/sweep-file/parse-sweep-file.ts';
import type { Parameters, SweepSpec } from '../../services/core/sweep/sweep-spec.ts';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { sweepText } from './chaos-specs.ts';
import type { SweepKind, SweepSize } from './chaos-specs.ts';

const POLL_MS = 250;

/** Submits the same sweeps repeatedly, on copies of one data set, and steers them as a person does. Calls are repeated until answered. */
export class ChaosSweeps implements Disposable {
  readonly client: GraftClient;
  readonly #folder: string;
  readonly #size: SweepSize;
  readonly #isReusing: boolean;
  #count = 0;

  private constructor(folder: string, size: SweepSize, addresses: readonly string[], isReusing: boolean) {
    this.#folder = folder;
    this.#size = size;
    this.#isReusing = isReusing;
    this.client = createGraftClient(addresses.join(','));
  }

  /** @param options `isReusing`: every second sweep has the data of the sweep before it and reads its stored files. */
  static async prepare(
    folder: string,
    size: SweepSize,
    addresses: readonly string[],
    { isReusing = false }: { readonly isReusing?: boolean } = {},
  ): Promise<ChaosSweeps> {
    await writeTinyDataset(join(folder, 'data'));
    return new ChaosSweeps(folder, size, addresses, isReusing);
  }

  /** Submits the next sweep with images of its own, or beside others: with theirs. @returns its ID. */
  async submit(kind: SweepKind = 'PLAIN', isBeside = false): Promise<string> {
    const requestId = randomUUID();
    const spec = await this.#nextSpec(kind, isBeside);
    return this.#untilAnswered(async () => (await this.client.createSweep(requestId, spec)).sweep.sweepId);
  }

  /** Waits until a run of the sweep trains. */
  async trains(sweepId: string, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const runs = await this.#untilAnswered(() => this.client.listRuns(sweepId));
      if (runs.some(({ bestValue }) => bestValue !== null)) return;
      if (Date.now() > deadline) throw new Error(`No run of ${sweepId} has trained an epoch.`);
      await sleep(POLL_MS);
    }
  }

  async extend(sweepId: string, variant: Parameters): Promise<void> {
    const extension = { maxRuns: null, variants: [variant], epochs: null, fineTuneEpochs: null, budget: null };
    await this.#untilAnswered(() => this.client.extendSweep(sweepId, extension, 'one more'));
  }

  async prioritize(sweepId: string, priority: number): Promise<void> {
    const change = { displayName: null, notes: null, addTags: [], removeTags: [], maxParallelSlots: null };
    await this.#untilAnswered(() => this.client.updateSweep(sweepId, { ...change, priority }));
  }

  /** Returns the differences that `graft sweep explain --replay` finds, and the number of decisions. */
  async replay(sweepId: string): Promise<{ readonly differences: readonly string[]; readonly decisionCount: number }> {
    const replay = (await this.#untilAnswered(() => this.client.explainSweep(sweepId, true)))?.replay ?? null;
    if (replay === null) throw new Error(`Sweep ${sweepId} has no search to replay.`);
    const differences = replay.differences.map(
      ({ decisionId, stored, recomputed }) => `decision ${decisionId} is ${stored}; recomputed: ${recomputed}`,
    );
    return { differences, decisionCount: replay.decisionCount };
  }

  /**
   * Waits until a sweep is ended or paused. @returns its state, or ACTIVE after the timeout.
   *
   * @param resumeWhen simulates a user who fixes the reason of a paused sweep and resumes it. Default: no user.
   */
  async ended(sweepId: string, timeoutMs: number, resumeWhen?: RegExp): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const { state, stateReason } = await this.#untilAnswered(() => this.client.getSweep(sweepId));
      if (state === 'PAUSED' && resumeWhen?.test(stateReason) === true && Date.now() <= deadline) {
        await sleep(4 * POLL_MS);
        await this.client.resumeSweep(sweepId).catch(() => undefined);
        continue;
      }
      if (state !== 'ACTIVE' || Date.now() > deadline) return state;
      await sleep(POLL_MS);
    }
  }

  [Symbol.dispose](): void {
    this.client.close();
  }

  /**
   * Copies the data with another name of one test image. The digest differs, so indexing and features are repeated; the pictures and
   * their order are the same, so the results must be the same.
   */
  async #nextSpec(kind: SweepKind, isBeside: boolean): Promise<SweepSpec> {
    if (!isBeside) this.#count += 1;
    const number = this.#isReusing ? Math.floor((this.#count - 1) / 2) : this.#count - 1;
    const copy = join(this.#folder, `data-${number}`);
    if (!existsSync(copy)) {
      cpSync(join(this.#folder, 'data'), copy, { recursive: true });
      renameSync(join(copy, 'test/blue/000.png'), join(copy, `test/blue/000-${number}.png`));
    }
    const file = join(this.#folder, 'sweep.yaml');
    writeFileSync(file, sweepText(kind, copy, this.#size));
    return loadSweepFile(file, this.#folder);
  }

  async #untilAnswered<T>(call: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures += 1) {
      try {
        return await call();
      } catch (error) {
        // Two minutes without any coordinator are a finding.
        if (failures > 240) throw error;
        await sleep(2 * POLL_MS);
      }
    }
  }
}
