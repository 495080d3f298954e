import { randomUUID } from 'node:crypto';
import { cpSync, existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGraftClient } from '../../services/cli/client/grpc-client.ts';
import type { GraftClient } from '../../services/cli/client/client-port.ts';
import { loadSweepFile } from '../../services/cli/sweep-file/parse-sweep-file.ts';
import type { SweepSpec } from '../../services/core/sweep/sweep-spec.ts';
import { writeTinyDataset } from '../support/tiny-dataset.ts';

const POLL_MS = 250;

/** Epochs of the three training methods. */
export interface SweepSize {
  readonly cached: number;
  readonly augmented: number;
  readonly fineTune: number;
}

/** Submits the same sweep repeatedly, on copies of one data set. */
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

  /** Submits the next sweep, retrying without a limit. @returns its ID. */
  async submit(): Promise<string> {
    const requestId = randomUUID();
    const spec = await this.#nextSpec();
    return this.#untilAnswered(async () => (await this.client.createSweep(requestId, spec)).sweep.sweepId);
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
  async #nextSpec(): Promise<SweepSpec> {
    const number = this.#isReusing ? Math.floor(this.#count / 2) : this.#count;
    this.#count += 1;
    const copy = join(this.#folder, `data-${number}`);
    if (!existsSync(copy)) {
      cpSync(join(this.#folder, 'data'), copy, { recursive: true });
      renameSync(join(copy, 'test/blue/000.png'), join(copy, `test/blue/000-${number}.png`));
    }
    const file = join(this.#folder, 'sweep.yaml');
    writeFileSync(file, sweepText(copy, this.#size));
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

function sweepText(dataset: string, { cached, augmented, fineTune }: SweepSize): string {
  return `
display_name: chaos
dataset: { path: ${dataset} }
base:
  backbone: efficientnet_lite0
  image_size: 32
  batch_size: 8
  epochs: ${cached}
strategy: list
seed: 11
# Each sweep trains: its record is compared with that of the undisturbed one.
reuse: false
variants:
  - { head.units: 16 }
  - { head.units: 32, head.dropout: 0.2 }
  - { method: augmented, epochs: ${augmented} }
  - { method: augmented, epochs: ${augmented}, head.units: 8 }
  - { epochs: 8, fine_tune.enabled: true, fine_tune.epochs: ${fineTune} }
`;
}
