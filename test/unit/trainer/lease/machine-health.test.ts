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
  it('finds nothing wrong with a good machine, and leaves nothing behind', async () => {
    expect(await health.report()).toEqual({ place: join(root, 'store'), clusterId: CLUSTER, problem: '' });
    expect(await health.beforeTask()).toBeNull();
    expect(readdirSync(join(root, 'store', 'probes'))).toEqual([]);
    expect(readdirSync(join(root, 'cache'))).toEqual([]);
  });

  it('writes nothing into a store that is not known to be its cluster’s', async () => {
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

  it('takes missing files for a lost mount where the marker is gone too, and else as they are', async () => {
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

  it('says that a store can’t be reached or written', async () => {
    rmSync(join(root, 'store'), { recursive: true });
    // Something that is no folder is in its way, also for a user who may do everything.
    writeFileSync(join(root, 'store'), '');
    const report = await health.report();
    expect(report.problem).toMatch(/can't be read: ENOTDIR.*host node7/);
    expect(await health.beforeTask()).toMatchObject({ code: 'STORE_UNREACHABLE', errorClass: 'INFRASTRUCTURE' });
  });

  it('says that the cache folder takes nothing', async () => {
    writeFileSync(join(root, 'cache'), '');
    const { problem } = await health.report();
    for (const named of [join(root, 'cache'), 'node7', 'GRAFT_CACHE_DIR']) expect(problem).toContain(named);
  });

  it('remembers the folder of images that a task missed until it is there, with something in it', async () => {
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
