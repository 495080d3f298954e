import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../e2e/support/local-cluster.ts';
import { ChaosCluster } from './chaos-cluster.ts';
import { ChaosSweeps } from './chaos-sweeps.ts';
import { sendSignal } from './process-tree.ts';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startCluster(size: { readonly trainerCount: number; readonly leaseMs: number }) {
  const folder = mkdtempSync(join(tmpdir(), 'graft-failover-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const cluster = await ChaosCluster.start({
    folder,
    coordinatorCount: 2,
    orphanMs: 600_000,
    say: () => undefined,
    ...size,
  });
  cleanups.push(() => cluster[Symbol.asyncDispose]());
  const pool = new pg.Pool({ connectionString: cluster.databaseUrl, max: 2 });
  cleanups.push(() => pool.end());
  return { folder, cluster, pool };
}

/** Returns the coordinator that holds the lease of the loops. */
async function leaderOf(pool: pg.Pool): Promise<string | undefined> {
  const row = await firstRow<{ holder: string }>(pool, 'SELECT holder FROM leader_leases WHERE expire_time > now()');
  return row?.holder;
}

function readLog(cluster: ChaosCluster, index: number): string {
  try {
    return readFileSync(join(cluster.logDir, `coordinator-${index}.log`), 'utf8');
  } catch {
    return '';
  }
}

async function firstRow<R extends pg.QueryResultRow>(pool: pg.Pool, text: string, values: readonly unknown[] = []) {
  return (await pool.query<R>(text, [...values])).rows[0];
}

describe('two coordinators', { timeout: 180_000 }, () => {
  it('lose no lease when one hangs: a trainer and a client use the other', async () => {
    const { folder, cluster, pool } = await startCluster({ trainerCount: 1, leaseMs: 9_000 });
    const size = { cached: 40, augmented: 20, fineTune: 6 };
    using sweeps = await ChaosSweeps.prepare(folder, size, cluster.coordinatorAddresses);
    const sweepId = await sweeps.submit();
    await eventually('training to begin', 60_000, () =>
      firstRow(
        pool,
        `SELECT 1 FROM attempts a JOIN tasks t USING (task_id) WHERE t.stage = 'HEAD' AND a.last_sequence > 0`,
      ),
    );
    // Both use the first coordinator, which keeps their connections open but no longer answers.
    const pid = await cluster.livePid({ part: 'coordinator', index: 0 });
    sendSignal(pid, 'SIGSTOP');
    cleanups.push(() => void sendSignal(pid, 'SIGCONT'));
    expect(await sweeps.ended(sweepId, 120_000)).toBe('SUCCEEDED');
    expect(await pool.query('SELECT DISTINCT state FROM attempts')).toMatchObject({ rows: [{ state: 'SUCCEEDED' }] });
    expect(await pool.query('SELECT max(lease_epoch) AS leases FROM tasks')).toMatchObject({ rows: [{ leases: 1 }] });
  });

  it.each([
    ['is killed', 'SIGKILL'],
    ['hangs', 'SIGSTOP'],
  ] as const)('resume the loops within 10 s when the leader %s', async (how, signal) => {
    // The production interval: a poll every 5 s.
    const { cluster, pool } = await startCluster({ trainerCount: 0, leaseMs: 30_000 });
    // Both must run, so that the other one can take over.
    const index = await eventually('two coordinators, one with the loops', 60_000, () => {
      const logs = [0, 1].map((each) => readLog(cluster, each));
      const isUp = logs.every((log) => log.includes('coordinator started'));
      const leading = logs.findIndex((log) => log.includes('this coordinator runs the loops'));
      return Promise.resolve(isUp && leading >= 0 ? leading : undefined);
    });
    const leader = await leaderOf(pool);
    const pid = await cluster.livePid({ part: 'coordinator', index });
    const began = performance.now();
    sendSignal(pid, signal);
    cleanups.push(() => void sendSignal(pid, 'SIGCONT'));
    await eventually('another leader', 30_000, async () => {
      const next = await leaderOf(pool);
      return next === undefined || next === leader ? undefined : next;
    });
    const seconds = (performance.now() - began) / 1_000;
    process.stdout.write(`the loops' coordinator ${how}: they run again after ${seconds.toFixed(1)} s\n`);
    expect(seconds).toBeLessThan(10);
  });
});
