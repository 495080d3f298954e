import { afterAll, beforeAll, expect, it } from 'vitest';
import { lockSearch } from '../../../services/coordinator/store/rungs/search-row.ts';
import { readState } from '../../../services/coordinator/store/search/read-state.ts';
import { createStore } from '../../../services/coordinator/store/store.ts';
import type { Store } from '../../../services/coordinator/store/store.ts';
import { inTransaction } from '../../../services/coordinator/store/transaction.ts';
import type { SearchState } from '../../../services/core/stopping/search-state.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';

let harness: Harness;
let store: Store;
let closeStore: () => Promise<void>;
beforeAll(async () => {
  harness = await startHarness();
  const log = createLogger('test', 'silent');
  const pool = createPool(harness.databaseUrl, { applicationName: 'test', log });
  store = createStore({ pool, log, leaseMs: 30_000 });
  closeStore = async (): Promise<void> => {
    await store.prisma.$disconnect();
    await pool.end();
  };
});
afterAll(async () => {
  await closeStore();
  await harness[Symbol.asyncDispose]();
});

async function slotsFor(sweepId: string): Promise<SearchState['slots']> {
  return inTransaction(store, async (tx) => {
    const search = await lockSearch(tx, sweepId);
    if (search === null) throw new Error('the sweep has no search');
    return (await readState(tx, search)).state.slots;
  });
}

it('counts a slot as idle that may lease none of the tasks that are ready', async () => {
  const trainer = await harness.trainer('t', 3);
  const values = [8, 16, 32];
  const parameters = [{ name: 'batch_size', domain: { kind: 'values', values }, conditions: [] }] as const;
  const bounded = await harness.submit(specOf({ parameters, maxParallelSlots: 1 }));
  for (const stage of ['INDEX', 'FEATURES'] as const) await trainer.work(await trainer.mustLease(stage));
  await trainer.mustLease('HEAD');
  expect(await trainer.lease(1)).toBeNull();
  expect(await slotsFor(bounded)).toEqual({ count: 1, idle: 2 });
  const [ready] = await harness.query<{ task_id: string }>(`SELECT task_id FROM tasks WHERE state = 'READY' LIMIT 1`);
  await harness.query('UPDATE sweeps SET max_parallel_slots = 3');
  expect(await slotsFor(bounded)).toEqual({ count: 3, idle: 0 });
  // What waits for its next attempt occupies no slot, nor does what is too large for each of them.
  await harness.query(`UPDATE tasks SET not_before_time = now() + interval '1 h' WHERE task_id = $1`, [ready?.task_id]);
  await harness.query(`UPDATE tasks SET required_memory_bytes = 2000 WHERE state = 'READY' AND task_id <> $1`, [
    ready?.task_id,
  ]);
  await harness.query('UPDATE slots SET memory_bytes = 1000');
  expect(await slotsFor(bounded)).toEqual({ count: 3, idle: 2 });
  await harness.query('UPDATE slots SET memory_bytes = 2000 WHERE slot_index = 2');
  expect(await slotsFor(bounded)).toEqual({ count: 3, idle: 1 });
});
