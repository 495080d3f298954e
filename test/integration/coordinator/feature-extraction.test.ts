import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { watch } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeTinyImages } from '../worker/tiny-images.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { TrainerProcess, sweepEnd } from './trainer-process.ts';

/** Three parts of 128, 128 and 64 images. */
const TRAIN_IMAGES_PER_CLASS = 160;

let root: string;
let harness: Harness;
const trainers: TrainerProcess[] = [];
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'graft-extraction-'));
  writeTinyImages(join(root, 'data'), { counts: { train: TRAIN_IMAGES_PER_CLASS, validation: 4, test: 4 } });
  harness = await startHarness({ leaseMs: 4_000 });
});
afterAll(async () => {
  await Promise.all(trainers.map((trainer) => trainer.kill()));
  await harness[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

it(
  'extracts each set once for two sweeps and three trainers, of which the computing one is killed half-way',
  { timeout: 180_000 },
  async () => {
    const features = join(harness.artifacts.root, 'features');
    mkdirSync(features, { recursive: true });
    const changes = watch(features, { recursive: true });
    for (const trainerId of ['a', 'b', 'c']) {
      const { coordinator, artifacts } = harness;
      const place = { coordinator: coordinator.address, artifacts: artifacts.root, folder: join(root, trainerId) };
      trainers.push(new TrainerProcess({ trainerId, ...place }));
    }
    const base = { backbone: 'vgg16', weights: 'random', image_size: 32, epochs: 2, batch_size: 32 } as const;
    const dataset = { path: join(root, 'data'), splitFractions: null, allowDuplicates: true, skipBadFiles: false };
    const sweepIds = await Promise.all([1, 2].map((seed) => harness.submit(specOf({ dataset, base, seed }))));

    for await (const { filename } of changes) if (/\.parts.00000128$/.test(filename ?? '')) break;
    const [running] = await harness.query<{ trainer_id: string; task_id: string }>(
      `SELECT trainer_id, task_id FROM tasks WHERE stage = 'FEATURES' AND state = 'RUNNING'`,
    );
    await trainers.find(({ trainerId }) => trainerId === running?.trainer_id)?.kill('SIGKILL');

    for (const sweepId of sweepIds) await sweepEnd(harness, sweepId);
    expect(await harness.query('SELECT DISTINCT state FROM sweeps')).toEqual([{ state: 'SUCCEEDED' }]);
    const attempts = await harness.query(
      `SELECT a.state, a.trainer_id = $1 AS is_killed FROM attempts a JOIN tasks t USING (task_id)
      WHERE t.stage = 'FEATURES' ORDER BY a.lease_epoch`,
      [running?.trainer_id],
    );
    expect(attempts).toEqual([
      { state: 'EXPIRED', is_killed: true },
      { state: 'SUCCEEDED', is_killed: false },
    ]);
    const sets = await harness.query<{ uri: string; sha256: string; row_count: number; computed_by_task_id: string }>(
      'SELECT uri, sha256, row_count, computed_by_task_id FROM feature_sets ORDER BY row_count',
    );
    expect(sets.map((set) => [set.row_count, set.computed_by_task_id])).toEqual([
      [8, running?.task_id],
      [2 * TRAIN_IMAGES_PER_CLASS, running?.task_id],
    ]);
    for (const { uri, sha256 } of sets) {
      const bytes = readFileSync(harness.artifacts.localPath(uri));
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
    }
    const left = readdirSync(features, { recursive: true }).filter(
      (name) => !/^[0-9a-f]{64}\.(safetensors|parts)$/.test(String(name)),
    );
    expect(left).toEqual([]);
  },
);
