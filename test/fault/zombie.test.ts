import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LeaseLostError } from '../../services/core/errors.ts';
import type { LeasedTask } from '../../services/core/task.ts';
import { TaskCommand } from '../../proto/gen/graft/v1/trainer_service.ts';
import { eventually, isAlive } from '../e2e/support/local-cluster.ts';
import { specOf, startHarness } from '../integration/coordinator/harness.ts';
import type { Harness } from '../integration/coordinator/harness.ts';
import { outcomeOf } from '../integration/coordinator/simulated-trainer.ts';
import type { SimulatedTrainer } from '../integration/coordinator/simulated-trainer.ts';
import { ChaosCluster } from './chaos-cluster.ts';
import { ChaosSweeps } from './chaos-sweeps.ts';
import { sendSignal } from './process-tree.ts';

type Write = (zombie: SimulatedTrainer, task: LeasedTask) => Promise<void>;

/** All writes of a trainer about a task; each must be refused. */
const WRITES: Readonly<Record<string, Write>> = {
  heartbeat: async (zombie, task) => {
    // A heartbeat reports several tasks, so one is refused by its command.
    const [directive] = await zombie.heartbeat([task]);
    expect(directive).toMatchObject({ leaseEpoch: task.leaseEpoch, command: TaskCommand.ABANDON });
  },
  metrics: async (zombie, task) => {
    expect(await zombie.report([zombie.batch(task, 1, 1)])).toMatchObject([{ errorReason: 'LEASE_LOST' }]);
  },
  checkpoint: async (zombie, task) => {
    const runId = task.runs[0]?.runId ?? '';
    await expect(zombie.checkpoint(task, runId, 1, 'LAST')).rejects.toThrow(LeaseLostError);
  },
  completion: async (zombie, task) => {
    const outcomes = task.runs.map((run) => outcomeOf(run.runId, 3));
    await expect(zombie.complete(task, { stage: 'TRAIN', outcomes })).rejects.toThrow(LeaseLostError);
  },
  'completion with an error': async (zombie, task) => {
    await expect(zombie.fail(task, {})).rejects.toThrow(LeaseLostError);
  },
  release: async (zombie, task) => {
    await expect(zombie.release(task, 1)).rejects.toThrow(LeaseLostError);
  },
};

describe.each(['no other trainer has the task', 'another trainer has the task'])('a zombie, when %s', (moment) => {
  let harness: Harness;
  let zombie: SimulatedTrainer;
  let task: LeasedTask;

  beforeEach(async () => {
    harness = await startHarness({ reaperMs: 50 });
    zombie = await harness.trainer('zombie');
    await harness.submit(specOf());
    await zombie.work(await zombie.mustLease('INDEX'));
    await zombie.work(await zombie.mustLease('FEATURES'));
    task = await zombie.mustLease('HEAD');
    await harness.query(`UPDATE tasks SET lease_expire_time = now() - interval '1 s' WHERE task_id = $1`, [
      task.taskId,
    ]);
    await expect
      .poll(() => harness.query('SELECT state FROM attempts WHERE task_id = $1', [task.taskId]), { timeout: 20_000 })
      .toEqual([{ state: 'EXPIRED' }]);
    if (moment !== 'another trainer has the task') return;
    const next = await (await harness.trainer('heir')).mustLease('HEAD');
    expect(next).toMatchObject({ taskId: task.taskId, leaseEpoch: task.leaseEpoch + 1 });
  });
  afterEach(() => harness[Symbol.asyncDispose]());

  it.each(Object.keys(WRITES))('can not write its %s, and nothing changes', async (kind) => {
    const before = await record();
    await WRITES[kind]?.(zombie, task);
    expect(await record()).toEqual(before);
  });

  /** Returns all rows that a write about a task may change. */
  async function record(): Promise<unknown> {
    const tables = ['sweeps', 'runs', 'tasks', 'attempts', 'epoch_metrics', 'checkpoints', 'events'];
    const rows = tables.map((table) => harness.query(`SELECT * FROM ${table} ORDER BY ${table}::text`));
    return Promise.all(rows);
  }
});

describe('a real trainer, stopped past its lease and continued', () => {
  const LEASE_MS = 3_000;
  let folder: string;
  let cluster: ChaosCluster;
  let sweeps: ChaosSweeps;
  let pool: pg.Pool;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'graft-zombie-'));
    cluster = await ChaosCluster.start({
      folder,
      trainerCount: 2,
      coordinatorCount: 1,
      leaseMs: LEASE_MS,
      orphanMs: 600_000,
      say: () => undefined,
    });
    const size = { cached: 300, augmented: 30, fineTune: 12 };
    sweeps = await ChaosSweeps.prepare(folder, size, cluster.coordinatorAddresses);
    pool = new pg.Pool({ connectionString: cluster.databaseUrl, max: 2 });
  });
  afterAll(async () => {
    sweeps[Symbol.dispose]();
    await pool.end();
    await cluster[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  interface Lease {
    readonly task_id: string;
    readonly lease_epoch: number;
    readonly trainer_id: string;
  }

  async function firstRow<R extends pg.QueryResultRow>(text: string, values: readonly unknown[]) {
    return (await pool.query<R>(text, [...values])).rows[0];
  }

  interface StoppedTrainer {
    readonly sweepId: string;
    readonly lost: Lease;
    readonly index: number;
    readonly supervisor: number;
    readonly worker: number;
    readonly stopped: readonly number[];
  }

  /** Stops a trainer during a training task. A trainer that has just ended its task continues; another one is chosen. */
  async function stopTrainer(parts: readonly ('supervisor' | 'worker')[]): Promise<StoppedTrainer> {
    for (;;) {
      const sweepId = await sweeps.submit();
      const lost = await eventually('a training task with a checkpoint', 60_000, () =>
        firstRow<Lease>(
          `SELECT t.task_id, t.lease_epoch, t.trainer_id FROM tasks t
            WHERE t.sweep_id = $1 AND t.state = 'RUNNING' AND t.stage = 'HEAD'
              AND EXISTS (SELECT 1 FROM checkpoints c WHERE c.task_id = t.task_id)`,
          [sweepId],
        ),
      );
      const index = Number(lost.trainer_id.at(-1));
      const supervisor = await cluster.livePid({ part: 'supervisor', index });
      const worker = await cluster.livePid({ part: 'worker', index });
      const stopped = parts.map((part) => (part === 'worker' ? worker : supervisor));
      for (const pid of stopped) sendSignal(pid, 'SIGSTOP');
      // Earlier messages of the trainer arrive meanwhile.
      await sleep(300);
      const live = await firstRow(`SELECT 1 FROM tasks WHERE task_id = $1 AND lease_epoch = $2 AND state = 'RUNNING'`, [
        lost.task_id,
        lost.lease_epoch,
      ]);
      if (live !== undefined) return { sweepId, lost, index, supervisor, worker, stopped };
      for (const pid of stopped) sendSignal(pid, 'SIGCONT');
      expect(await sweeps.ended(sweepId, 120_000)).toBe('SUCCEEDED');
    }
  }

  it.each([
    ['with its worker', ['supervisor', 'worker']],
    ['while its worker continues', ['supervisor']],
  ] as const)('%s, writes nothing more, drops the task and continues', { timeout: 180_000 }, async (_how, parts) => {
    const { sweepId, lost, index, supervisor, worker, stopped } = await stopTrainer(parts);
    const heir = await eventually('another trainer to have trained on it', 60_000, () =>
      firstRow<Lease & { readonly create_time: Date }>(
        `SELECT a.* FROM attempts a
          WHERE a.task_id = $1 AND a.lease_epoch > $2 AND a.last_sequence > 0 ORDER BY a.lease_epoch LIMIT 1`,
        [lost.task_id, lost.lease_epoch],
      ),
    ).finally(() => {
      for (const pid of stopped) sendSignal(pid, 'SIGCONT');
    });
    expect(heir.trainer_id).not.toBe(lost.trainer_id);

    const log = join(cluster.logDir, `trainer-${index}.log`);
    const abandoned = `"task_id":"${lost.task_id}","lease_epoch":${lost.lease_epoch},`;
    await eventually('the zombie to drop its task', 30_000, () =>
      Promise.resolve(
        readFileSync(log, 'utf8')
          .split('\n')
          .find((line) => line.includes(abandoned) && line.includes('attempt abandoned')),
      ),
    );
    await eventually('its worker to end', 10_000, () => Promise.resolve(isAlive(worker) ? undefined : true));
    expect(await cluster.livePid({ part: 'supervisor', index })).toBe(supervisor);

    expect(await sweeps.ended(sweepId, 120_000)).toBe('SUCCEEDED');
    const late = await firstRow<{ readonly metrics: string; readonly checkpoints: string }>(
      `SELECT (SELECT count(*) FROM epoch_metrics WHERE task_id = $1 AND lease_epoch = $2 AND create_time > $3) AS metrics,
              (SELECT count(*) FROM checkpoints WHERE task_id = $1 AND lease_epoch = $2 AND create_time > $3) AS checkpoints`,
      [lost.task_id, lost.lease_epoch, heir.create_time],
    );
    expect(late).toEqual({ metrics: '0', checkpoints: '0' });
    const next = await sweeps.submit();
    expect(await sweeps.ended(next, 120_000)).toBe('SUCCEEDED');
    const worked = await firstRow(
      `SELECT 1 FROM attempts JOIN tasks USING (task_id)
        WHERE sweep_id = $1 AND attempts.trainer_id = $2 AND attempts.state = 'SUCCEEDED'`,
      [next, lost.trainer_id],
    );
    expect(worked, 'the former zombie works again').toBeDefined();
  });
});
