import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { askRound } from '../../../services/coordinator/store/rounds/ask-round.ts';
import { readDueRound } from '../../../services/coordinator/store/rounds/due-round.ts';
import { createStore } from '../../../services/coordinator/store/store.ts';
import type { Store } from '../../../services/coordinator/store/store.ts';
import { rowsOf } from '../../../services/coordinator/store/sweeps/draft-sweep.ts';
import { INSERT_RUNS, INTEGER_NAMES } from '../../../services/coordinator/store/sweeps/insert-runs.ts';
import { inTransaction } from '../../../services/coordinator/store/transaction.ts';
import { runIdOf } from '../../../services/core/ids.ts';
import { createStream } from '../../../services/core/rng/stream.ts';
import { sampleRuns } from '../../../services/core/samplers/sample-runs.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { adaptiveSpec, roundRuns, sizesOf } from './rounds-fixture.ts';

const ROUND = 16;
/** Both are above the number of results that a model is fitted on. */
const FEW_ROUNDS = 80;
const MANY_ROUNDS = 320;
const SPEC = adaptiveSpec({ maxRuns: 9_000 }, { startupRuns: ROUND, roundRuns: ROUND });

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ reaperMs: 600_000 });
});
afterEach(() => harness[Symbol.asyncDispose]());

/** Inserts ended rounds as they are stored, up to a number of them, in a sweep that has the first ones. */
async function addRounds(sweepId: string, to: number): Promise<void> {
  const known = await roundRuns(harness, sweepId);
  const digests = new Set(known.map(({ digest }) => digest));
  const points = sampleRuns({ ...SPEC, strategy: 'sobol', maxRuns: to * ROUND + known.length }).runs;
  const added = points
    .filter(({ digest }) => !digests.has(digest))
    .slice(0, to * ROUND - known.length)
    .map((run, place) => ({ ...run, index: known.length + place }));
  await harness.query(INSERT_RUNS, [sweepId, rowsOf(sweepId, added), INTEGER_NAMES]);
  const stream = createStream(1, 'many-rounds', to);
  const rows = added.map(({ index }) => ({
    run_id: runIdOf(sweepId, index),
    round: Math.floor(index / ROUND),
    position: (index % ROUND) + 1,
    arrival: index + 1,
    value: 0.2 + stream.uniform53(),
  }));
  await harness.query(
    `WITH added AS (
       SELECT * FROM jsonb_to_recordset($2::jsonb) AS a (run_id text, round int, position int, arrival int, value float8)
     ), ended AS (
       UPDATE runs r SET state = 'SUCCEEDED', stage = 'HEAD', rung = 0, end_cause = 'ALL_EPOCHS', best_value = a.value,
                         best_stage = 'HEAD', best_epoch = 1, start_time = now(), end_time = now()
         FROM added a WHERE r.run_id = a.run_id
     ), entered AS (
       INSERT INTO rung_entries (sweep_id, rung, run_id, arrival, value, standard_error, epoch, task_id, lease_epoch)
       SELECT $1, 0, a.run_id, a.arrival, a.value, 0.01, 1, 'seeded', 1 FROM added a
     ), counted AS (
       UPDATE rungs SET entry_count = (SELECT max(arrival) FROM added) WHERE sweep_id = $1 AND rung = 0
     )
     INSERT INTO suggestions (sweep_id, round, position, run_id, sampler)
     SELECT $1, a.round, a.position, a.run_id, 'sobol' FROM added a`,
    [sweepId, JSON.stringify(rows)],
  );
}

/** Times the parts of a round; the shortest of some, because a machine may be busy. */
async function timesOf(
  store: Store,
  sweepId: string,
): Promise<{ readonly computeMs: number; readonly readMs: number; readonly bytes: number }> {
  let [readMs, computeMs, bytes] = [Infinity, Infinity, 0];
  for (let repetition = 0; repetition < 3; repetition += 1) {
    const start = performance.now();
    const round = await inTransaction(store, (tx) => readDueRound(tx, sweepId));
    readMs = Math.min(readMs, performance.now() - start);
    if (round === null) throw new Error('no round is due');
    const before = performance.now();
    const { input, due } = round;
    const { suggested } = await store.planner.suggest({ input, due });
    computeMs = Math.min(computeMs, performance.now() - before);
    bytes = JSON.stringify(suggested).length;
  }
  return { readMs, computeMs, bytes };
}

it('computes a round as fast after 5,000 runs as after 1,300', { timeout: 180_000 }, async () => {
  const trainer = await harness.trainer('t1');
  const sweepId = await harness.submit(SPEC);
  await trainer.work(await trainer.mustLease('INDEX'));
  await trainer.work(await trainer.mustLease('FEATURES'));
  const head = await trainer.mustLease('HEAD');
  await harness.sweeps.pauseSweep({ sweepId, reason: 'so that the coordinator computes no round' });
  await trainer.work(head);
  await harness.query(`UPDATE sweeps SET state = 'ACTIVE' WHERE sweep_id = $1`, [sweepId]);
  const log = createLogger('test', 'silent');
  const pool = createPool(harness.databaseUrl, { applicationName: 'test', max: 2, log });
  const store = createStore({ pool, log, leaseMs: 30_000 });
  try {
    await addRounds(sweepId, FEW_ROUNDS);
    const few = await timesOf(store, sweepId);
    await addRounds(sweepId, MANY_ROUNDS);
    const many = await timesOf(store, sweepId);
    expect(many.computeMs).toBeLessThan(2 * few.computeMs);
    expect(many.bytes).toBeLessThan(2 * few.bytes);
    // What is read grows with the runs, which are four times as many, and stays far below what is computed at a time.
    expect(many.readMs).toBeLessThan(2_000);
    expect(await askRound(store, sweepId)).toBe(false);
    expect(sizesOf(await roundRuns(harness, sweepId))).toEqual(Array<number>(MANY_ROUNDS + 1).fill(ROUND));
  } finally {
    await store.prisma.$disconnect();
    await pool.end();
  }
});
