import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { applyMigrations } from '../../services/platform/db/apply-migrations.ts';
import { startEmbeddedPostgres } from '../../services/platform/db/embedded-postgres.ts';
import type { EmbeddedPostgres } from '../../services/platform/db/embedded-postgres.ts';
import { eventually } from '../e2e/support/local-cluster.ts';
import { specOf, startHarness } from '../integration/coordinator/harness.ts';
import type { Harness } from '../integration/coordinator/harness.ts';
import { ChaosCluster } from './chaos-cluster.ts';
import { ChaosSweeps } from './chaos-sweeps.ts';
import { checkRecord, describeFindings } from './checker.ts';
import { sendSignal } from './process-tree.ts';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'graft-database-away-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface LogLine {
  readonly level: number;
  readonly msg: string;
}

function readLog(cluster: ChaosCluster, name: string): readonly LogLine[] {
  const lines = readFileSync(join(cluster.logDir, `${name}.log`), 'utf8').split('\n');
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine);
}

describe('an outage of PostgreSQL', () => {
  it('of 45 s during training loses nothing, and is logged once', { timeout: 400_000 }, async () => {
    const folder = temporaryFolder();
    // The outage lasts three leases. Trainers compute for 12.5 s without an answer, then save and wait.
    await using cluster = await ChaosCluster.start({
      folder,
      trainerCount: 2,
      coordinatorCount: 2,
      leaseMs: 15_000,
      orphanMs: 15_000,
      say: () => undefined,
    });
    const size = { cached: 40, augmented: 150, fineTune: 8 };
    using sweeps = await ChaosSweeps.prepare(folder, size, cluster.coordinatorAddresses);
    const referenceSweepId = await sweeps.submit();
    expect(await sweeps.ended(referenceSweepId, 120_000)).toBe('SUCCEEDED');

    const pool = new pg.Pool({ connectionString: cluster.databaseUrl, max: 1 });
    pool.on('error', () => undefined);
    cleanups.push(() => pool.end());
    const sweepId = await sweeps.submit();
    await eventually('training to be under way', 90_000, async () => {
      const { rows } = await pool.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM epoch_metrics m JOIN runs r USING (run_id)
          WHERE r.sweep_id = $1 AND EXISTS (SELECT 1 FROM tasks t WHERE t.sweep_id = $1 AND t.state = 'RUNNING')`,
        [sweepId],
      );
      return (rows[0]?.count ?? 0) > 0 ? rows[0]?.count : undefined;
    });
    const left = new Date();
    await cluster.withoutPostgres(45_000);
    expect(await sweeps.ended(sweepId, 180_000)).toBe('SUCCEEDED');

    const findings = await eventually('the files of abandoned attempts to be removed', 90_000, async () => {
      const { databaseUrl, artifactsDir } = cluster;
      const options = { databaseUrl, artifactsDir, referenceSweepId, sweepIds: [sweepId], fileGraceMs: 20_000 };
      const found = await checkRecord(options);
      return found.every(({ violations }) => violations.length === 0) ? found : undefined;
    }).catch((error: unknown) => expect.unreachable(String(error)));
    expect(describeFindings(findings)).not.toContain('VIOLATED');
    const { rows: attempts } = await pool.query<{ state: string; error_class: string | null }>(
      `SELECT a.state, a.error_class FROM attempts a JOIN tasks USING (task_id)
        WHERE sweep_id = $1 AND a.create_time < $2 AND (a.end_time IS NULL OR a.end_time > $2)`,
      [sweepId, left],
    );
    // Attempts of that time were handed back, lost their leases, or reported their end later; none is counted as a failure.
    expect(attempts.length).toBeGreaterThan(0);
    for (const { state, error_class: errorClass } of attempts) {
      expect(errorClass).toBe(state === 'SUCCEEDED' ? null : 'INFRASTRUCTURE');
    }

    for (const name of ['coordinator-0', 'coordinator-1']) {
      const lines = readLog(cluster, name);
      expect(lines.filter(({ level }) => level >= 50)).toEqual([]);
      expect(lines.filter(({ msg }) => msg.startsWith('the database is unavailable'))).toHaveLength(1);
      expect(lines.filter(({ msg }) => msg === 'the database is available again')).toHaveLength(1);
    }
  });

  it('by a crash during metric ingestion keeps everything that was acknowledged', { timeout: 120_000 }, async () => {
    const dataDir = join(temporaryFolder(), 'postgres');
    const start = (): Promise<EmbeddedPostgres> => startEmbeddedPostgres({ dataDir, log: () => undefined });
    let server = await start();
    cleanups.push(() => server.stop());
    await applyMigrations(server.url);
    const harness = await startHarness({ databaseUrl: server.url });
    cleanups.push(async () => harness[Symbol.asyncDispose]());
    const reporter = await report(harness);
    for (let crash = 0; crash < 2; crash += 1) {
      await reporter.untilAcknowledged(reporter.acknowledged() + 40);
      // Immediate shutdown: only committed data survives.
      sendSignal(server.pid, 'SIGQUIT');
      await sleep(2_000);
      server = await start();
    }
    await reporter.untilAcknowledged(reporter.acknowledged() + 40);
    const acknowledged = await reporter.stop();
    const [attempt] = await harness.query<{ last: number }>(
      `SELECT last_sequence::int AS last FROM attempts WHERE task_id = $1`,
      [reporter.taskId],
    );
    expect(attempt?.last).toBeGreaterThanOrEqual(acknowledged);
    const [stored] = await harness.query<{ epochs: number; rows: number }>(
      `SELECT count(DISTINCT epoch)::int AS epochs, count(*)::int AS rows FROM epoch_metrics
        WHERE task_id = $1 AND epoch <= $2 AND name = 'loss'`,
      [reporter.taskId, acknowledged],
    );
    expect(stored).toEqual({ epochs: acknowledged, rows: 2 * acknowledged });
  });
});

interface Reporter {
  readonly taskId: string;
  readonly acknowledged: () => number;
  readonly untilAcknowledged: (sequence: number) => Promise<void>;
  /** Returns the number of the last acknowledged batch. */
  readonly stop: () => Promise<number>;
}

/** Sends epochs one after the other, resending each until it is acknowledged, as a trainer does. */
async function report(harness: Harness): Promise<Reporter> {
  const trainer = await harness.trainer('t1');
  await harness.submit(specOf({ base: { ...specOf().base, epochs: 10_000 } }));
  await trainer.work(await trainer.mustLease('INDEX'));
  await trainer.work(await trainer.mustLease('FEATURES'));
  const task = await trainer.mustLease('HEAD');
  let acknowledged = 0;
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const sequence = acknowledged + 1;
      const answers = await trainer.report([trainer.batch(task, sequence, sequence)]).catch(() => []);
      const [answer] = answers;
      if (answer === undefined) await sleep(50);
      else if (answer.errorReason === '') acknowledged = Number(answer.sequence);
      else throw new Error(`batch ${sequence} refused: ${answer.errorReason}`);
    }
  };
  const running = run();
  return {
    taskId: task.taskId,
    acknowledged: () => acknowledged,
    untilAcknowledged: (sequence) =>
      expect.poll(() => acknowledged, { timeout: 60_000, interval: 20 }).toBeGreaterThanOrEqual(sequence),
    stop: async () => {
      stopping.abort();
      await running;
      return acknowledged;
    },
  };
}
