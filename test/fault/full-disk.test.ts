import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../e2e/support/local-cluster.ts';
import { ChaosCluster } from './chaos-cluster.ts';
import { ChaosSweeps } from './chaos-sweeps.ts';
import { checkRecord, describeFindings } from './checker.ts';

const SIZE_MIB = 256;

/** Reason to skip; null: this process may mount file systems. */
const WHY_NOT = whyNoMounts();

function whyNoMounts(): string | null {
  const probe = mkdtempSync(join(tmpdir(), 'graft-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', probe], { stdio: 'pipe' });
    execFileSync('umount', [probe]);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}

if (WHY_NOT !== null) process.stdout.write(`full-disk.test.ts is skipped, no file system can be mounted: ${WHY_NOT}\n`);

describe.skipIf(WHY_NOT !== null)('an artifact store that takes nothing any more', { timeout: 240_000 }, () => {
  let folder: string;
  let store: string;
  let cluster: ChaosCluster;
  let sweeps: ChaosSweeps;
  let pool: pg.Pool;
  let referenceSweepId: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'graft-full-disk-'));
    store = join(folder, 'artifacts');
    mkdirSync(store);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_MIB}m`, 'tmpfs', store]);
    cluster = await ChaosCluster.start({
      folder,
      trainerCount: 2,
      coordinatorCount: 1,
      leaseMs: 6_000,
      orphanMs: 15_000,
      say: () => undefined,
    });
    // Training must outlast the moment between its first checkpoint and the harm.
    const size = { cached: 40, augmented: 150, fineTune: 8 };
    sweeps = await ChaosSweeps.prepare(folder, size, cluster.coordinatorAddresses);
    pool = new pg.Pool({ connectionString: cluster.databaseUrl, max: 1 });
    referenceSweepId = await sweeps.submit();
    expect(await sweeps.ended(referenceSweepId, 120_000)).toBe('SUCCEEDED');
  }, 180_000);
  afterAll(async () => {
    sweeps[Symbol.dispose]();
    await pool.end();
    await cluster[Symbol.asyncDispose]();
    execFileSync('umount', [store]);
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    ['is full', fillDisk, 'DISK_FULL', /The disk of the artifact store .* is full: .*Free some space there/],
    ['is read-only', makeReadOnly, 'STORE_UNWRITABLE', /The artifact store .* can't be written: EROFS/],
  ] as const)(
    'that %s pauses the sweep with the reason, and the resumed sweep ends as if undisturbed',
    async (_how, harm, code, words) => {
      const sweepId = await sweeps.submit();
      await eventually('a checkpoint of a task that is trained', 60_000, async () => {
        const { rows } = await pool.query(
          `SELECT 1 FROM checkpoints c JOIN tasks t USING (task_id) WHERE t.sweep_id = $1 AND t.state = 'RUNNING'`,
          [sweepId],
        );
        return rows.length > 0 ? true : undefined;
      });
      const repair = await harm(store);
      try {
        expect(await sweeps.ended(sweepId, 60_000)).toBe('PAUSED');
        const { stateReason } = await sweeps.client.getSweep(sweepId);
        expect(stateReason).toMatch(words);
        expect(stateReason).toContain('resume the sweep');
        // No attempt starts while it is paused, and no partial file is left.
        await eventually('all slots to be idle', 30_000, async () => {
          const { rows } = await pool.query(`SELECT 1 FROM tasks WHERE state IN ('LEASED', 'RUNNING')`);
          return rows.length === 0 ? true : undefined;
        });
        const { rows: attempts } = await pool.query<{ error_code: string; count: number }>(
          `SELECT error_code, count(*)::int AS count FROM attempts JOIN tasks USING (task_id)
          WHERE sweep_id = $1 AND error_code IS NOT NULL GROUP BY error_code`,
          [sweepId],
        );
        expect(attempts.map(({ error_code: errorCode }) => errorCode)).toEqual([code]);
        const { rows: counters } = await pool.query(
          'SELECT 1 FROM tasks WHERE sweep_id = $1 AND failure_count + infrastructure_count > 0',
          [sweepId],
        );
        expect(counters).toEqual([]);
      } finally {
        repair();
      }
      expect(readdirSync(store, { recursive: true }).filter((name) => String(name).endsWith('.tmp'))).toEqual([]);
      await sweeps.client.resumeSweep(sweepId);
      expect(await sweeps.ended(sweepId, 120_000)).toBe('SUCCEEDED');
      let findings = '';
      await eventually('the record to be that of the undisturbed sweep', 60_000, async () => {
        const { databaseUrl, artifactsDir } = cluster;
        const options = { databaseUrl, artifactsDir, referenceSweepId, sweepIds: [sweepId], fileGraceMs: 0 };
        findings = describeFindings(await checkRecord(options));
        return findings.includes('VIOLATED') ? undefined : true;
      }).catch(() => expect.unreachable(findings));
    },
  );
});

/** Fills the disk. @returns a function that frees it. */
function fillDisk(store: string): () => void {
  const filler = join(store, 'filler');
  for (let mib = SIZE_MIB; mib >= 1; mib = Math.floor(mib / 2)) {
    for (;;) {
      const piece = `${filler}-${mib}-${readdirSync(store).length}`;
      try {
        execFileSync('fallocate', ['-l', `${mib}M`, piece], { stdio: 'pipe' });
      } catch {
        rmSync(piece, { force: true });
        break;
      }
    }
  }
  // The space that fallocate left, to the last page.
  execFileSync('sh', ['-c', `cat /dev/zero > ${filler}-rest 2>/dev/null || true`]);
  return () => {
    for (const name of readdirSync(store)) if (name.startsWith('filler')) rmSync(join(store, name));
  };
}

/** Makes the disk read-only. @returns a function that makes it writable. */
async function makeReadOnly(store: string): Promise<() => void> {
  // Refused while a file is being written.
  await eventually('the file system to become read-only', 10_000, () => {
    try {
      execFileSync('mount', ['-o', 'remount,ro', store], { stdio: 'pipe' });
      return Promise.resolve(true);
    } catch {
      return Promise.resolve(undefined);
    }
  });
  return () => execFileSync('mount', ['-o', 'remount,rw', store]);
}
