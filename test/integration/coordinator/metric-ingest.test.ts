import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import pg from 'pg';
import {
  InvalidRequestError,
  LeaseLostError,
  MetricConflictError,
  SequenceGapError,
} from '../../../services/core/errors.ts';
import { createStream } from '../../../services/core/rng/stream.ts';
import type { Stage } from '../../../services/core/task.ts';
import type { EpochReport, MetricBatch } from '../../../services/coordinator/store/metrics/metric-batch.ts';
import { ingestBatches } from '../../../services/coordinator/store/metrics/ingest-batches.ts';
import { MetricIngest } from '../../../services/coordinator/store/metrics/metric-ingest.ts';
import { summarizeRuns } from '../../../services/coordinator/store/runs/summarize-runs.ts';
import { createStore } from '../../../services/coordinator/store/store.ts';
import type { Store } from '../../../services/coordinator/store/store.ts';
import { inTransaction } from '../../../services/coordinator/store/transaction.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { batchOf, insertWork, NAMES, taskIdOf } from '../../bench/ingest/work.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';

const LOAD = { trainers: 4, runsPerTask: 3, epochsPerBatch: 2, batchesPerTask: 5 };
const POINTS_OF_BATCH = LOAD.runsPerTask * LOAD.epochsPerBatch * NAMES.length;

let database: TestDatabase;
let pool: pg.Pool;
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 4 });
  store = createStore({ pool, log: createLogger('test', 'silent'), leaseMs: 30_000 });
});
afterAll(async () => {
  await store.prisma.$disconnect();
  await pool.end();
  await database.drop();
});

async function rows<R extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<R[]> {
  return (await pool.query<R>(text, [...values])).rows;
}

async function countRows(taskId: string): Promise<number> {
  const [row] = await rows<{ count: number }>('SELECT count(*)::int AS count FROM epoch_metrics WHERE task_id = $1', [
    taskId,
  ]);
  return row?.count ?? -1;
}

function change(batch: MetricBatch, changes: Partial<EpochReport>): MetricBatch {
  return { ...batch, epochs: batch.epochs.map((report) => ({ ...report, ...changes })) };
}

describe('many batches in one transaction', () => {
  it('are all stored, with one event per epoch and run, and each attempt records its last batch', async () => {
    await insertWork(store.prisma, 'all', LOAD);
    const batches = Array.from({ length: LOAD.trainers }, (_, trainer) =>
      [1, 2, 3].map((n) => batchOf('all', LOAD, trainer, n)),
    );
    const outcomes = await ingestBatches(store, batches.flat());
    expect(outcomes).toEqual(batches.flat().map(() => ({ kind: 'STORED', stoppedRunIds: [] })));
    expect(
      await rows(
        `SELECT a.last_sequence::int AS last, a.state, t.state AS task, (SELECT count(*)::int FROM epoch_metrics m
                 WHERE m.task_id = a.task_id) AS points
           FROM attempts a JOIN tasks t USING (task_id) WHERE t.sweep_id = 'benchall' ORDER BY task_id`,
      ),
    ).toEqual(batches.map(() => ({ last: 3, state: 'RUNNING', task: 'RUNNING', points: 3 * POINTS_OF_BATCH })));
    const events = await rows<{ run_id: string; epoch: number }>(
      `SELECT payload ->> 'runId' AS run_id, (payload ->> 'epoch')::int AS epoch FROM events
        WHERE sweep_id = 'benchall' AND kind = 'EPOCH' ORDER BY event_id`,
    );
    expect(events).toEqual(batches.flat().flatMap((b) => b.epochs.map((e) => ({ run_id: e.runId, epoch: e.epoch }))));
    const [stored] = await rows<{ value: number }>(
      `SELECT value FROM epoch_metrics WHERE run_id = $1 AND epoch = 5 AND name = 'val_loss'`,
      [batches[1]?.[2]?.epochs[0]?.runId],
    );
    expect(stored?.value).toBe(batches[1]?.[2]?.epochs[0]?.values[NAMES.indexOf('val_loss')]);
  });

  it('that are invalid are refused individually', async () => {
    await insertWork(store.prisma, 'mix', LOAD);
    const [first, second, third, fourth] = [0, 1, 2, 3].map((trainer) => batchOf('mix', LOAD, trainer, 1));
    if (!first || !second || !third || !fourth) throw new Error('four batches were made');
    const before = await ingestBatches(store, [first]);
    expect(before[0]?.kind).toBe('STORED');
    const conflict = { ...change(first, { values: NAMES.map(() => 0.7) }), sequence: 2 };
    const outcomes = await ingestBatches(store, [
      first,
      conflict,
      { ...batchOf('mix', LOAD, 0, 3), sequence: 3 },
      { ...second, leaseEpoch: 2 },
      third,
      batchOf('mix', LOAD, 2, 3),
      change(fourth, { stage: 'FINE_TUNE' }),
      batchOf('mix', LOAD, 2, 2),
    ]);
    expect(outcomes.map((outcome) => (outcome.kind === 'STORED' ? 'STORED' : outcome.error?.constructor))).toEqual([
      'STORED',
      MetricConflictError,
      SequenceGapError,
      LeaseLostError,
      'STORED',
      SequenceGapError,
      InvalidRequestError,
      'STORED',
    ]);
    const counts = [];
    for (const trainer of [0, 1, 2, 3]) counts.push(await countRows(taskIdOf('mix', trainer)));
    expect(counts).toEqual([POINTS_OF_BATCH, 0, 2 * POINTS_OF_BATCH, 0]);
    const [marked] = await rows<{ state_reason: string }>('SELECT state_reason FROM runs WHERE run_id = $1', [
      first.epochs[0]?.runId,
    ]);
    expect(marked?.state_reason).toContain('epoch 1');
  });

  it('supersede rows of an earlier attempt that the lease did not', async () => {
    await insertWork(store.prisma, 'again', LOAD);
    await ingestBatches(
      store,
      [1, 2].map((n) => batchOf('again', LOAD, 1, n)),
    );
    const taskId = taskIdOf('again', 1);
    await rows(`UPDATE tasks SET lease_epoch = 2 WHERE task_id = $1`, [taskId]);
    await rows(
      `INSERT INTO attempts (task_id, lease_epoch, trainer_id, slot_index, request_id, state) SELECT task_id, 2, 'b', 0, 'again', 'SUCCEEDED' FROM tasks WHERE task_id = $1`,
      [taskId],
    );
    const second = change(batchOf('again', LOAD, 1, 2), { values: [1, 0.1, 1, 0.1, 0.001, 1, 1] });
    const outcomes = await ingestBatches(store, [
      { ...second, leaseEpoch: 2, sequence: 1 },
      batchOf('again', LOAD, 2, 1),
    ]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['STORED', 'STORED']);
    const runId = second.epochs[0]?.runId ?? '';
    expect(
      await rows(
        `SELECT epoch, lease_epoch, superseded_by FROM epoch_metrics WHERE run_id = $1 AND name = 'val_loss' ORDER BY 1, 2`,
        [runId],
      ),
    ).toEqual([
      { epoch: 1, lease_epoch: 1, superseded_by: null },
      { epoch: 2, lease_epoch: 1, superseded_by: null },
      { epoch: 3, lease_epoch: 1, superseded_by: 2 },
      { epoch: 3, lease_epoch: 2, superseded_by: null },
      { epoch: 4, lease_epoch: 1, superseded_by: 2 },
      { epoch: 4, lease_epoch: 2, superseded_by: null },
    ]);
    // The best had been epoch 4, which no longer counts.
    expect(await rows('SELECT best_epoch, last_value FROM runs WHERE run_id = $1', [runId])).toEqual([
      { best_epoch: 2, last_value: 1 },
    ]);
  });
});

describe('summaries', () => {
  const COLUMNS =
    'run_id, epoch_count, last_value, best_value, best_stage, best_epoch, best_val_loss, best_val_accuracy';

  it('equal, epoch by epoch, those computed from all rows', async () => {
    const stream = createStream(7, 'ingest');
    const random = (): number => stream.uniform();
    const load = { ...LOAD, trainers: 2, runsPerTask: 4 };
    await insertWork(store.prisma, 'fold', load);
    const runIds = [0, 1].flatMap((trainer) =>
      batchOf('fold', load, trainer, 1)
        .epochs.slice(0, 4)
        .map((e) => e.runId),
    );
    const epochs = new Map(runIds.map((runId) => [runId, 0]));
    let stage: Stage = 'HEAD';
    for (let sequence = 1; sequence <= 30; sequence += 1) {
      if (sequence === 16) {
        stage = 'FINE_TUNE';
        await rows(`UPDATE tasks SET stage = 'FINE_TUNE' WHERE sweep_id = 'benchfold'`);
        await rows(
          `UPDATE runs SET stage = 'FINE_TUNE', epoch_count = 0, last_value = NULL WHERE sweep_id = 'benchfold'`,
        );
        for (const runId of runIds) epochs.set(runId, 0);
      }
      const batches = [0, 1].map((trainer): MetricBatch => {
        const reports = runIds.slice(trainer * 4, trainer * 4 + 4).flatMap((runId): EpochReport[] => {
          if (random() < 0.2) return [];
          // Now and then one that is not the next: it is counted from all rows.
          const epoch = (epochs.get(runId) ?? 0) + (random() < 0.15 ? 3 : 1);
          epochs.set(runId, epoch);
          const names = ['loss', 'val_loss', 'val_accuracy'].filter(() => random() < 0.9);
          // A few values only, so that there are ties.
          // No accuracy is infinite.
          const most = (name: string): number => (name === 'val_accuracy' ? 1 : Infinity);
          const values = names.map(
            (name) => [0.1, 0.2, 0.3, Number.NaN, most(name), -0][Math.floor(random() * 6)] ?? 0,
          );
          return [{ runId, stage, epoch, names, values }];
        });
        return { ...batchOf('fold', load, trainer, 1), sequence, epochs: reports };
      });
      expect((await ingestBatches(store, batches)).map(({ kind }) => kind)).toEqual(['STORED', 'STORED']);
      const folded = await rows(`SELECT ${COLUMNS} FROM runs WHERE sweep_id = 'benchfold' ORDER BY run_id`);
      await inTransaction(store, (tx) => summarizeRuns(tx, runIds));
      expect(folded).toEqual(await rows(`SELECT ${COLUMNS} FROM runs WHERE sweep_id = 'benchfold' ORDER BY run_id`));
    }
    const [row] = await rows<{ best: number }>(
      `SELECT count(best_value)::int AS best FROM runs WHERE sweep_id = 'benchfold'`,
    );
    expect(row?.best).toBe(8);
  });
});

describe('the queue', () => {
  it('stores batches of many concurrent streams, each attempt in order, and acknowledges after the commit', async () => {
    await insertWork(store.prisma, 'queue', LOAD);
    const ingest = new MetricIngest(store);
    const answered: string[] = [];
    const submitted = Array.from({ length: LOAD.batchesPerTask }, (_, index) => index + 1).flatMap((sequence) =>
      [0, 1, 2, 3].map(async (trainer) => {
        await ingest.submit(batchOf('queue', LOAD, trainer, sequence));
        // Seen by another connection: it is committed.
        const [row] = await rows<{ last: number }>(
          'SELECT last_sequence::int AS last FROM attempts WHERE task_id = $1',
          [taskIdOf('queue', trainer)],
        );
        expect(row?.last).toBeGreaterThanOrEqual(sequence);
        answered.push(`${trainer}/${sequence}`);
      }),
    );
    await Promise.all(submitted);
    expect(answered).toHaveLength(20);
    const [row] = await rows<{ count: number }>(
      `SELECT count(*)::int AS count FROM epoch_metrics WHERE task_id LIKE 'benchqueue-%'`,
    );
    expect(row?.count).toBe(20 * POINTS_OF_BATCH);
  });

  it('blocks reading while too many points wait, and resumes once they are stored', async () => {
    const load = { trainers: 1, runsPerTask: 16, epochsPerBatch: 32, batchesPerTask: 20 };
    await insertWork(store.prisma, 'full', load);
    const ingest = new MetricIngest(store);
    const submitted = Array.from({ length: load.batchesPerTask }, (_, index) =>
      ingest.submit(batchOf('full', load, 0, index + 1)),
    );
    let hasRoom = false;
    const room = ingest.room().then(() => (hasRoom = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(hasRoom).toBe(false);
    await room;
    await Promise.all(submitted);
    expect(await countRows(taskIdOf('full', 0))).toBe(16 * 32 * 20 * NAMES.length);
  });
});

describe('runs of metrics', () => {
  it('must exist, and can not be deleted while they have metrics', async () => {
    await insertWork(store.prisma, 'keep', LOAD);
    const batch = batchOf('keep', LOAD, 0, 1);
    await ingestBatches(store, [batch]);
    const insert = `INSERT INTO epoch_metrics (run_id, stage, epoch, name, lease_epoch, task_id, value)
                    VALUES ($1, 'HEAD', 99, 'loss', 1, 't', 1), ('nobody', 'HEAD', 99, 'loss', 1, 't', 1)`;
    const runId = batch.epochs[0]?.runId ?? '';
    await expect(rows(insert, [runId])).rejects.toMatchObject({
      code: '23503',
      message: expect.stringContaining('nobody') as string,
    });
    await rows('DELETE FROM task_runs WHERE run_id = $1', [runId]);
    await expect(rows('DELETE FROM runs WHERE run_id = $1', [runId])).rejects.toMatchObject({ code: '23503' });
    await expect(rows(`UPDATE runs SET run_id = 'other' WHERE run_id = $1`, [runId])).rejects.toMatchObject({
      code: '23503',
    });
    await rows('DELETE FROM epoch_metrics WHERE run_id = $1', [runId]);
    await rows('DELETE FROM runs WHERE run_id = $1', [runId]);
  });
});
