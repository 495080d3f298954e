import { afterEach, beforeEach, expect, it } from 'vitest';
import { startCoordinator } from '../../../services/coordinator/coordinator.ts';
import type { Coordinator } from '../../../services/coordinator/coordinator.ts';
import { readCoordinatorConfig } from '../../../services/coordinator/config.ts';
import { freePort } from '../../../services/platform/net/free-port.ts';
import { createClient, NO_RETRY } from '../../../services/platform/rpc/client.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import type { WatchSweepResponse } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { outcomeOf } from './simulated-trainer.ts';

const WATCHERS = 50;
const EPOCHS = 40;
/** Epochs after which the watched coordinator restarts. */
const RESTARTS: readonly number[] = [10, 25];

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

/** A second coordinator on the same database, for watchers. */
async function startSecond(listen: string): Promise<Coordinator> {
  const config = readCoordinatorConfig({
    DATABASE_URL: harness.databaseUrl,
    GRAFT_ARTIFACTS_DIR: harness.artifacts.root,
    GRAFT_COORDINATOR_LISTEN: listen,
    GRAFT_COORDINATOR_DRAIN_MS: '1000',
    GRAFT_LOG_LEVEL: 'silent',
  });
  return startCoordinator(config, createLogger('coordinator', config.logLevel));
}

it('50 watchers of one sweep receive all events in order, across restarts of their coordinator', async () => {
  const port = await freePort();
  let second = await startSecond(`127.0.0.1:${port}`);
  try {
    const trainer = await harness.trainer('watched', 4);
    const sweepId = await harness.submit(
      specOf({ base: { backbone: 'vgg16', weights: 'random', image_size: 64, epochs: EPOCHS, method: 'cached' } }),
    );
    const watchers = Array.from({ length: WATCHERS }, (_, index) => {
      // Some have a second address to go to, the others wait for the first one to come back.
      const addresses = index % 2 === 0 ? [second.address, harness.coordinator.address] : [second.address];
      return new Watcher(sweepId, addresses);
    });
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.work(await trainer.mustLease('FEATURES'));
    const head = await trainer.mustLease('HEAD');
    for (let epoch = 1; epoch <= EPOCHS; epoch += 1) {
      await trainer.report([trainer.batch(head, epoch, epoch)]);
      if (!RESTARTS.includes(epoch)) continue;
      const [so] = await harness.query<{ far: number }>('SELECT count(*)::int AS far FROM events WHERE sweep_id = $1', [
        sweepId,
      ]);
      await Promise.all(watchers.map((watcher) => watcher.hasSeen(so?.far ?? 0)));
      // Epochs arrive while no coordinator delivers them.
      await second.stop();
      epoch += 1;
      await trainer.report([trainer.batch(head, epoch, epoch)]);
      second = await startSecond(`127.0.0.1:${port}`);
    }
    for (const { runId } of head.runs) await trainer.checkpoint(head, runId, EPOCHS, 'BEST');
    await trainer.complete(head, { stage: 'TRAIN', outcomes: head.runs.map(({ runId }) => outcomeOf(runId, EPOCHS)) });
    await trainer.work(await trainer.mustLease('EVALUATE'));
    await Promise.all(watchers.map(({ ended }) => ended));

    const rows = await harness.query<{ event_id: string }>(
      'SELECT event_id FROM events WHERE sweep_id = $1 ORDER BY event_id',
      [sweepId],
    );
    const expected = rows.map(({ event_id }) => BigInt(event_id));
    expect(expected.length).toBeGreaterThan(2 * EPOCHS);
    for (const watcher of watchers) expect(watcher.events.map(({ cursor }) => cursor)).toEqual(expected);
    // Their content is the same, whichever coordinator sent it.
    for (const watcher of watchers) expect(watcher.events).toEqual(watchers[0]?.events);
    for (const { streams } of watchers.filter((_, index) => index % 2 === 1)) expect(streams).toBeGreaterThan(2);
  } finally {
    await second.stop();
  }
}, 120_000);

/** Watches a sweep to its end, over as many streams as that takes. */
class Watcher {
  readonly events: WatchSweepResponse[] = [];
  readonly ended: Promise<void>;
  streams = 0;
  #waiters: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor(sweepId: string, addresses: readonly string[]) {
    this.ended = this.#watch(sweepId, addresses);
  }

  /** Resolves when `count` events have arrived. */
  async hasSeen(count: number): Promise<void> {
    if (this.events.length >= count) return;
    await new Promise<void>((resolve) => this.#waiters.push({ count, resolve }));
  }

  async #watch(sweepId: string, addresses: readonly string[]): Promise<void> {
    using client = createClient(SweepServiceService, { addresses, retry: NO_RETRY });
    for (;;) {
      this.streams += 1;
      try {
        const cursor = this.events.at(-1)?.cursor ?? 0n;
        for await (const event of client.call.watchSweep({ sweepId, cursor })) this.#take(event);
        return;
      } catch {
        // It ended in the middle: on from the cursor, once a coordinator is there.
        await client.call.listSweeps(
          { pageSize: 1, pageToken: '' },
          { retry: { maxAttempts: 100, firstDelayMs: 50, maxDelayMs: 200 }, deadlineMs: 20_000 },
        );
      }
    }
  }

  #take(event: WatchSweepResponse): void {
    this.events.push(event);
    for (const { count, resolve } of this.#waiters) if (this.events.length >= count) resolve();
    this.#waiters = this.#waiters.filter(({ count }) => count > this.events.length);
  }
}
