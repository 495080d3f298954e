import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LeasedTask, TaskError } from '../../../../services/core/task.ts';
import { DirectoryArtifactStore } from '../../../../services/platform/artifacts/directory-artifact-store.ts';
import { writeMarker } from '../../../../services/platform/artifacts/store-marker.ts';
import { MachineHealth } from '../../../../services/trainer/lease/machine-health.ts';
import { taskOf } from '../../../integration/trainer/task-of.ts';

const CLUSTER = 'cluster-1';

let root: string;
let artifacts: DirectoryArtifactStore;
let health: MachineHealth;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'graft-health-'));
  artifacts = new DirectoryArtifactStore(join(root, 'store'));
  await writeMarker(artifacts, { clusterId: CLUSTER, createTime: '' });
  health = new MachineHealth({ artifacts, cacheDir: join(root, 'cache'), hostname: 'node7', trainerId: 't1' });
  health.belongsTo(CLUSTER);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function errorOf(code: string): TaskError {
  return { errorClass: 'INFRASTRUCTURE', code, message: 'as it was', datasetProblems: [] };
}

function taskOn(path: string): LeasedTask {
  const task = taskOf('t1', {});
  return { ...task, datasetSource: { ...task.datasetSource, path }, dataset: null };
}

describe('MachineHealth', () => {
  it('reports no problem of a healthy machine, and leaves no file', async () => {
    expect(await health.report()).toEqual({ place: join(root, 'store'), clusterId: CLUSTER, problem: '' });
    expect(await health.beforeTask()).toBeNull();
    expect(readdirSync(join(root, 'store', 'probes'))).toEqual([]);
    expect(readdirSync(join(root, 'cache'))).toEqual([]);
  });

  it('writes nothing to a store that may be of another cluster', async () => {
    const stranger = new MachineHealth({
      artifacts,
      cacheDir: join(root, 'cache'),
      hostname: 'node7',
      trainerId: 't1',
    });
    expect(await stranger.report()).toMatchObject({ clusterId: CLUSTER, problem: '' });
    stranger.belongsTo('cluster-2');
    expect(await stranger.report()).toMatchObject({ clusterId: CLUSTER, problem: '' });
    expect(readdirSync(join(root, 'store'))).toEqual(['graft-store.json']);
    expect(await stranger.beforeTask()).toMatchObject({ code: 'STORE_FOREIGN' });
  });

  it('explains missing files by a lost mount only if the marker is missing too', async () => {
    const missing = { ...errorOf('FEATURES_MISSING'), missingFeatureKeys: ['a'] };
    expect(await health.explain(missing, taskOn('/data'))).toBe(missing);
    renameSync(join(root, 'store'), join(root, 'gone'));
    mkdirSync(join(root, 'store'));
    const explained = await health.explain(missing, taskOn('/data'));
    expect(explained.code).toBe('STORE_FOREIGN');
    for (const named of [join(root, 'store'), 'node7', 'not mounted']) expect(explained.message).toContain(named);
    expect(readdirSync(join(root, 'store'))).toEqual([]);
    expect(await health.report()).toMatchObject({ clusterId: '' });
    rmSync(join(root, 'store'), { recursive: true });
    renameSync(join(root, 'gone'), join(root, 'store'));
    expect(await health.beforeTask()).toBeNull();
  });

  it('reports a store that is unreachable or not writable', async () => {
    rmSync(join(root, 'store'), { recursive: true });
    // A file in place of the folder is an obstacle even for root.
    writeFileSync(join(root, 'store'), '');
    const report = await health.report();
    expect(report.problem).toMatch(/can't be read: ENOTDIR.*host node7/);
    expect(await health.beforeTask()).toMatchObject({ code: 'STORE_UNREACHABLE', errorClass: 'INFRASTRUCTURE' });
  });

  it('reports a cache folder that is not writable', async () => {
    writeFileSync(join(root, 'cache'), '');
    const { problem } = await health.report();
    for (const named of [join(root, 'cache'), 'node7', 'GRAFT_CACHE_DIR']) expect(problem).toContain(named);
  });

  it('remembers an image folder that a task missed until it exists and is not empty', async () => {
    const data = join(root, 'data');
    await health.explain(errorOf('DATA_MISSING'), taskOn(data));
    for (const prepare of [() => undefined, () => mkdirSync(data)]) {
      prepare();
      const { problem } = await health.report();
      for (const named of [data, 'node7', 'under the same path']) expect(problem).toContain(named);
    }
    mkdirSync(join(data, 'train'));
    expect((await health.report()).problem).toBe('');
  });
});
