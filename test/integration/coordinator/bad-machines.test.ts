import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { eventually, runCli } from '../../e2e/support/local-cluster.ts';
import { writeTinyImages } from '../worker/tiny-images.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { TrainerProcess, sweepEnd } from './trainer-process.ts';

/** null: a process can be given file systems of its own here. */
const WHY_NOT = ((): string | null => {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', '/mnt'], { stdio: 'pipe' });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  }
})();
if (WHY_NOT !== null) process.stdout.write(`bad-machines.test.ts is skipped, nothing can be mounted: ${WHY_NOT}\n`);

let root: string;
let harness: Harness;
const trainers: TrainerProcess[] = [];

beforeAll(async () => {
  if (WHY_NOT !== null) return;
  root = mkdtempSync(join(tmpdir(), 'graft-machines-'));
  writeTinyImages(join(root, 'data'), { counts: { train: 16, validation: 8, test: 8 } });
  harness = await startHarness({ leaseMs: 3_000, env: { GRAFT_ARTIFACTS_DIR: join(root, 'store') } });
});
afterAll(async () => {
  if (WHY_NOT !== null) return;
  await Promise.all(trainers.map((trainer) => trainer.kill()));
  await harness[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

function start(
  trainerId: string,
  artifacts: string,
  mount?: { readonly at: string; readonly options: string },
): TrainerProcess {
  const script = `mount -t tmpfs -o ${mount?.options ?? ''} tmpfs '${mount?.at ?? ''}' && exec "$0" "$@"`;
  const trainer = new TrainerProcess({
    trainerId,
    coordinator: harness.coordinator.address,
    artifacts,
    folder: join(root, trainerId),
    ...(mount === undefined ? {} : { prefix: ['unshare', '--mount', 'sh', '-c', script] }),
  });
  trainers.push(trainer);
  return trainer;
}

async function states(): Promise<Readonly<Record<string, { readonly state: string; readonly reason: string }>>> {
  const { trainers: listed } = await harness.sweeps.listTrainers({ pageSize: 0, pageToken: '' });
  return Object.fromEntries(
    listed.map(({ trainerId, state, slots }) => [trainerId, { state, reason: slots[0]?.benchReason ?? '' }]),
  );
}

async function untilStates(wanted: Readonly<Record<string, string>>): Promise<void> {
  await eventually(`trainers to be ${JSON.stringify(wanted)}`, 60_000, async () => {
    const now = await states();
    return Object.entries(wanted).every(([trainerId, state]) => now[trainerId]?.state === state) ? true : undefined;
  });
}

it.skipIf(WHY_NOT !== null)(
  'every sweep SUCCEEDS on the one good trainer; another store, no images and a full disk are benched with their reason, until fixed',
  { timeout: 240_000 },
  async () => {
    const [store, data] = [join(root, 'store'), join(root, 'data')];
    const cache = join(root, 'full-disk', 'cache');
    mkdirSync(join(root, 'other-store'));
    mkdirSync(cache, { recursive: true });
    start('other-store', join(root, 'other-store'));
    const noImages = start('no-images', store, { at: data, options: 'size=64k' });
    start('full-disk', store, { at: cache, options: 'size=64k' });
    start('good', store);
    await untilStates({ 'other-store': 'BENCHED', 'no-images': 'READY', 'full-disk': 'BENCHED', good: 'READY' });

    const dataset = { path: data, splitFractions: null, allowDuplicates: true, skipBadFiles: false };
    const base = { backbone: 'mobilenet_v2', weights: 'random', image_size: 32, epochs: 1, batch_size: 8 };
    const sweepIds = await Promise.all([0, 1, 2].map((seed) => harness.submit(specOf({ dataset, base, seed }))));
    for (const sweepId of sweepIds) {
      await sweepEnd(harness, sweepId);
      const { sweep } = await harness.sweeps.getSweep({ sweepId });
      expect(sweep).toMatchObject({ state: SweepState.SUCCEEDED });
    }
    expect(await harness.query(`SELECT 1 FROM runs WHERE state <> 'SUCCEEDED'`)).toEqual([]);
    expect(await harness.query('SELECT 1 FROM tasks WHERE failure_count + infrastructure_count > 0')).toEqual([]);
    const did = await harness.query<{ trainer_id: string }>(
      `SELECT DISTINCT trainer_id FROM attempts WHERE state = 'SUCCEEDED'`,
    );
    expect(did).toEqual([{ trainer_id: 'good' }]);

    await untilStates({ 'other-store': 'BENCHED', 'no-images': 'BENCHED', 'full-disk': 'BENCHED', good: 'READY' });
    const { stdout } = await runCli(['trainers'], { GRAFT_COORDINATOR: harness.coordinator.address });
    process.stdout.write(stdout);
    const reasonOf = (trainerId: string): string =>
      stdout.split('\n').find((line) => line.startsWith(`${trainerId} (${hostname()}), slot 0, is benched: `)) ?? '';
    for (const words of [join(root, 'other-store'), 'no graft-store.json', hostname(), 'one artifact store']) {
      expect(reasonOf('other-store')).toContain(words);
    }
    for (const words of [
      data,
      'empty',
      hostname(),
      'Every trainer must see the images and weights of a sweep under the same path',
    ]) {
      expect(stdout.slice(stdout.indexOf('\nno-images ('))).toContain(words);
    }
    expect(reasonOf('full-disk')).toMatch(/is not writable: ENOSPC/);
    expect(reasonOf('good')).toBe('');

    // Fixed without a restart.
    execFileSync('nsenter', ['--target', String(noImages.pid), '--mount', 'umount', data]);
    rmSync(join(root, 'other-store'), { recursive: true });
    symlinkSync(store, join(root, 'other-store'));
    await untilStates({ 'other-store': 'READY', 'no-images': 'READY', good: 'READY' });
  },
);
