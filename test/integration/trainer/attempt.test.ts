import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { leaseTimingFor } from '../../../services/core/lease.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { typescriptLoader } from '../../../services/platform/lifecycle/node-program.ts';
import type { Coordinator, TaskEnd } from '../../../services/trainer/lease/coordinator-port.ts';
import { OutboxClosedError } from '../../../services/trainer/lease/metric-outbox.ts';
import type { AttemptMetrics } from '../../../services/trainer/lease/metric-stream.ts';
import { Attempt } from '../../../services/trainer/slots/attempt.ts';
import { WorkerProcess } from '../../../services/trainer/slots/worker-process.ts';
import { taskOf } from './task-of.ts';

const log = createLogger('test', 'silent');
const workers: WorkerProcess[] = [];

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.kill()));
});

/** A real worker process and a coordinator that only records what it receives. */
class Bench {
  readonly ends: TaskEnd[] = [];
  nowMs = 0;
  acknowledged: () => Promise<void> = () => Promise.resolve();
  registerCheckpoint: () => Promise<unknown> = () => Promise.resolve();
  completeTask: (end: TaskEnd) => Promise<void> = (end) => Promise.resolve(void this.ends.push(end));

  async start(script: string, stopDeadlineMs = 300): Promise<{ attempt: Attempt; worker: WorkerProcess }> {
    const worker = new WorkerProcess({
      script: fileURLToPath(new URL('./scripted-worker.ts', import.meta.url)),
      execArgv: typescriptLoader(),
      env: process.env,
      log,
    });
    workers.push(worker);
    await worker.ready();
    const metrics: AttemptMetrics = {
      report: () => undefined,
      reportRung: () => undefined,
      acknowledged: () => this.acknowledged(),
      close: () => undefined,
    };
    const coordinator = {
      registerCheckpoint: () => this.registerCheckpoint(),
      completeTask: (_lease: unknown, end: TaskEnd) => this.completeTask(end),
    } as unknown as Coordinator;
    const attempt = new Attempt({
      task: taskOf('t1', { script, epochs: 3 }),
      worker,
      coordinator,
      metricStream: { open: () => metrics },
      timing: () => leaseTimingFor(30_000),
      register: () => Promise.resolve(),
      log,
      now: () => this.nowMs,
      stopDeadlineMs,
    });
    attempt.start();
    return { attempt, worker };
  }
}

describe('an attempt', { timeout: 20_000 }, () => {
  it('is killed when its worker is stuck, and reports what the worker was doing', async () => {
    const bench = new Bench();
    // The worker's last action before it hangs.
    const registered = new Promise<void>((resolve) => {
      bench.registerCheckpoint = () => {
        resolve();
        return Promise.resolve();
      };
    });
    const { attempt, worker } = await bench.start('hang');
    await registered;
    bench.nowMs = 10 * 60_000;
    await attempt.ended;
    expect(bench.ends).toMatchObject([
      { kind: 'error', error: { errorClass: 'INFRASTRUCTURE', code: 'WORKER_STUCK' } },
    ]);
    const [end] = bench.ends;
    expect(end?.kind === 'error' ? end.error.message : '').toMatch(/step 1 of 3 \(epoch 1; process state/);
    expect((await worker.exited).signal).toBe('SIGKILL');
  });

  it.each([
    ['STOP, when its worker does not react before the deadline', ['STOP']],
    ['KILL, at once', ['KILL']],
    ['KILL, at once, though it is stopping', ['STOP', 'KILL']],
  ] as const)('kills its worker and completes with STOPPED outcomes after %s', async (_what, commands) => {
    const bench = new Bench();
    const registered = new Promise<void>((resolve) => {
      bench.registerCheckpoint = () => {
        resolve();
        return Promise.resolve();
      };
    });
    const { attempt, worker } = await bench.start('hang', commands.at(-1) === 'KILL' ? 60_000 : 300);
    await registered;
    for (const command of commands) attempt.obey({ taskId: 't1', leaseEpoch: 1, command, stoppedRunIds: [] });
    await attempt.ended;
    expect(bench.ends).toMatchObject([
      { kind: 'result', result: { stage: 'TRAIN', outcomes: [{ runId: 'r1', kind: 'STOPPED', epochCount: 1 }] } },
    ]);
    expect((await worker.exited).signal).toBe('SIGKILL');
  });

  it('fails, and its worker is killed, when a checkpoint is refused', async () => {
    const bench = new Bench();
    bench.registerCheckpoint = () => Promise.reject(new TypeError('no such run'));
    const { attempt, worker } = await bench.start('hang');
    await attempt.ended;
    expect(bench.ends).toMatchObject([
      { error: { errorClass: 'COUNTED', code: 'REPORT_REFUSED', message: 'no such run' } },
    ]);
    expect(worker.isUsable).toBe(false);
  });

  it('fails permanently when it computed an epoch twice with different results', async () => {
    const bench = new Bench();
    bench.acknowledged = () =>
      Promise.reject(new OutboxClosedError({ taskId: 't1', leaseEpoch: 1 }, 'METRIC_CONFLICT'));
    const { attempt } = await bench.start('train');
    await attempt.ended;
    expect(bench.ends).toMatchObject([{ error: { errorClass: 'PERMANENT', code: 'METRIC_CONFLICT' } }]);
  });

  it('reports an error when its result is refused', async () => {
    const bench = new Bench();
    bench.completeTask = (end) => {
      bench.ends.push(end);
      return end.kind === 'result' ? Promise.reject(new TypeError('too large')) : Promise.resolve();
    };
    const { attempt } = await bench.start('train');
    await attempt.ended;
    expect(bench.ends).toMatchObject([
      { kind: 'result' },
      { kind: 'error', error: { errorClass: 'PERMANENT', code: 'RESULT_REFUSED', message: 'too large' } },
    ]);
  });
});
