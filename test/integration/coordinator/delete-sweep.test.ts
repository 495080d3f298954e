import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IllegalStateError, NotFoundError } from '../../../services/core/errors.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness({ retentionMs: 50 });
  trainer = await harness.trainer('t1', 1);
});
afterEach(() => harness[Symbol.asyncDispose]());

/** Submits a sweep and trains it to its end. */
async function trained(changes: Partial<SweepSpec> = {}): Promise<string> {
  const sweepId = await harness.submit(specOf(changes));
  await trainer.workAll(300);
  expect((await harness.sweeps.getSweep({ sweepId })).sweep?.state).toBe(SweepState.SUCCEEDED);
  return sweepId;
}

const remove = (sweepId: string, dryRun = false) => harness.sweeps.deleteSweep({ sweepId, dryRun });

async function storedFiles(): Promise<string[]> {
  const uris: string[] = [];
  for await (const { uri } of harness.artifacts.list()) uris.push(uri);
  return uris.filter((uri) => /^(checkpoints|features|datasets)\//.test(uri)).sort();
}

/** The simulation computes no features; the files are what a trainer would have written. */
async function writeFeatures(): Promise<string[]> {
  const rows = await harness.query<{ uri: string }>(
    `SELECT uri FROM feature_sets WHERE state = 'COMPUTED' ORDER BY uri`,
  );
  for (const { uri } of rows) await harness.artifacts.write(uri, Buffer.from(uri));
  return rows.map(({ uri }) => uri);
}

/** Columns of all tables in which the sweep's identity occurs. */
async function tracesOf(sweepId: string): Promise<string[]> {
  const columns = await harness.query<{ table_name: string; column_name: string }>(
    `SELECT c.table_name, c.column_name FROM information_schema.columns c
       JOIN information_schema.tables t USING (table_schema, table_name)
      WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'`,
  );
  const traces: string[] = [];
  for (const { table_name: table, column_name: column } of columns) {
    const rows = await harness.query(`SELECT 1 FROM "${table}" WHERE "${column}"::text LIKE $1 LIMIT 1`, [
      `%${sweepId}%`,
    ]);
    if (rows.length > 0) traces.push(`${table}.${column}`);
  }
  return traces.sort();
}

describe('DeleteSweep', () => {
  it('deletes all rows and files of a sweep, except what other sweeps use, and answers the same again', async () => {
    const first = await trained();
    const second = await trained({ base: { ...specOf().base, image_size: 96 } });
    const third = await trained({ base: { ...specOf().base, epochs: 2 } });
    const features = await writeFeatures();
    expect(features).toHaveLength(4);
    await harness.coordinator.loops.passes(2);
    const before = await storedFiles();
    const own = before.filter((uri) => uri.startsWith(`checkpoints/${first}`));

    const planned = await remove(first, true);
    expect(planned).toMatchObject({
      sweepId: first,
      displayName: 'test',
      runCount: 2,
      featureSetCount: 0,
      manifestCount: 0,
    });
    expect(planned.deleteTime).toBeUndefined();
    expect(planned.files.map(({ uri }) => uri).sort()).toEqual(own);
    expect(planned.sizeBytes).toBe(planned.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0n));
    expect(await storedFiles()).toEqual(before);

    const deleted = await remove(first);
    expect(deleted).toEqual({ ...planned, files: [], deleteTime: expect.any(Date) as Date });
    expect(await remove(first)).toEqual(deleted);
    await expect(harness.sweeps.getSweep({ sweepId: first })).rejects.toThrow(NotFoundError);
    await harness.coordinator.loops.passes(2);
    expect(await storedFiles()).toEqual(before.filter((uri) => !own.includes(uri)));
    expect(await tracesOf(first)).toEqual(['deleted_sweeps.sweep_id']);

    // The other sweeps are complete, and what they share is used by the next one.
    expect((await harness.sweeps.getLeaderboard({ sweepId: third, pageSize: 0, pageToken: '' })).entries).toHaveLength(
      2,
    );
    const next = await harness.submit(specOf({ base: { ...specOf().base, epochs: 1 } }));
    expect(await trainer.workAll(300)).toEqual(['INDEX', 'HEAD', 'EVALUATE']);
    for (const sweepId of [next, third]) await remove(sweepId);
    const last = await remove(second, true);
    expect(last).toMatchObject({ featureSetCount: 2, manifestCount: 1 });
    await remove(second);
    await harness.coordinator.loops.passes(2);
    expect(await storedFiles()).toEqual([]);
    for (const table of ['runs', 'tasks', 'events', 'feature_sets', 'datasets', 'file_removals']) {
      expect(await harness.query(`SELECT * FROM ${table}`), table).toEqual([]);
    }
    // Nothing of the past hinders the same sweep.
    await harness.submit(specOf());
    expect(await trainer.workAll(300)).toEqual(['INDEX', 'FEATURES', 'HEAD', 'EVALUATE']);
  });

  it('keeps files that a new sweep uses again before they are removed', async () => {
    const first = await trained();
    const features = await writeFeatures();
    // As long as the store is not the cluster's, no file is removed.
    await harness.artifacts.remove('graft-store.json');
    await remove(first);
    const shared = async (): Promise<string[]> => {
      const rows = await harness.query<{ uri: string }>('SELECT uri FROM file_removals ORDER BY uri');
      return rows.map(({ uri }) => uri).filter((uri) => !uri.startsWith(`checkpoints/${first}`));
    };
    expect(await shared()).toEqual([trainer.dataset.manifestUri, ...features]);
    const second = await harness.submit(specOf());
    await trainer.work(await trainer.mustLease('INDEX'));
    expect(await shared()).toEqual([]);
    await trainer.workAll(300);
    expect((await harness.sweeps.getSweep({ sweepId: second })).sweep?.state).toBe(SweepState.SUCCEEDED);
  });

  it('refuses a live sweep, and one whose tasks still run', async () => {
    const sweepId = await harness.submit(specOf());
    await expect(remove(sweepId, true)).rejects.toThrow(/delete sweep .* its state is ACTIVE.*Cancel it first\./);
    const task = await trainer.mustLease('INDEX');
    await harness.sweeps.cancelSweep({ sweepId, reason: '' });
    await expect(remove(sweepId)).rejects.toThrow(IllegalStateError);
    await expect(remove(sweepId)).rejects.toThrow(new RegExp(`task ${task.taskId} still runs`));
    await trainer.release(task, 2);
    expect((await remove(sweepId)).runCount).toBe(2);
    await expect(remove('nothing')).rejects.toThrow(NotFoundError);
  });

  it('refuses a sweep that others refer to, and says which', async () => {
    const base = { ...specOf().base, 'fine_tune.enabled': true, 'fine_tune.epochs': 1, 'fine_tune.unfreeze': 'block2' };
    const [first, second] = [await trained(), await trained({ base })];
    const [from, by] = [`${first}-r001`, `${second}-r000`];
    await harness.query('UPDATE runs SET head_run_id = $1 WHERE run_id = $2', [from, by]);
    const refused = `Can't delete sweep ${first}: it is needed by 1 other sweep, ${second}: run ${by} `;
    await expect(remove(first)).rejects.toThrow(`${refused}trained on from its head (${from}). Delete these first`);
    await harness.query('UPDATE runs SET head_run_id = NULL, reused_run_id = $1 WHERE run_id = $2', [from, by]);
    await expect(remove(first, true)).rejects.toThrow(`${refused}took over a result of it (${from}).`);
    await harness.query('UPDATE runs SET reused_run_id = NULL WHERE run_id = $1', [by]);
    await harness.query(
      `UPDATE task_runs SET source_checkpoint_id = (SELECT min(checkpoint_id) FROM checkpoints WHERE run_id = $1)
        WHERE run_id = $2 AND task_id IN (SELECT task_id FROM tasks WHERE stage = 'FINE_TUNE')`,
      [from, by],
    );
    await expect(remove(first)).rejects.toThrow(`${refused}starts from a checkpoint of it (`);
    // Once they are deleted, it can be.
    await remove(second);
    expect((await remove(first)).runCount).toBe(2);
  });

  it('refuses a sweep whose feature sets another one still waits for, or that has pinned checkpoints', async () => {
    const [first, second] = [await harness.submit(specOf()), await harness.submit(specOf())];
    await trainer.register(2);
    const indexes = [await trainer.mustLease('INDEX', 0), await trainer.mustLease('INDEX', 1)];
    for (const task of indexes) await trainer.work(task);
    await harness.sweeps.pauseSweep({ sweepId: second, reason: '' });
    await harness.sweeps.cancelSweep({ sweepId: first, reason: '' });
    // As if the coordinator had ended before it settled the other sweep.
    await harness.query(
      `INSERT INTO task_dependencies (task_id, depends_on_id)
       SELECT w.task_id, f.task_id FROM tasks w, tasks f
        WHERE w.sweep_id = $2 AND w.stage = 'HEAD' AND f.sweep_id = $1 AND f.stage = 'FEATURES'`,
      [first, second],
    );
    await expect(remove(first)).rejects.toThrow(new RegExp(`sweep ${second} waits for feature sets of it`));
    await harness.sweeps.resumeSweep({ sweepId: second });
    expect((await remove(first)).featureSetCount).toBe(0);
    await trainer.workAll(300);
    expect((await harness.sweeps.getSweep({ sweepId: second })).sweep?.state).toBe(SweepState.SUCCEEDED);

    const { checkpoints } = await harness.sweeps.listCheckpoints({
      sweepId: second,
      runId: '',
      pageSize: 0,
      pageToken: '',
    });
    const checkpointId = checkpoints[0]?.checkpointId ?? '';
    await harness.sweeps.pinCheckpoint({ checkpointId, pinned: true });
    await expect(remove(second)).rejects.toThrow(new RegExp(`1 checkpoint, for example ${checkpointId}\\. Unpin`));
    await harness.sweeps.pinCheckpoint({ checkpointId, pinned: false });
    await remove(second);
  });
});
