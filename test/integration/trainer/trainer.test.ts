import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { taskEndFromProto } from '../../../services/platform/rpc/convert/task-result.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { typescriptLoader } from '../../../services/platform/lifecycle/node-program.ts';
import { runTrainer } from '../../../services/trainer/trainer.ts';
import { ReleaseReason } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { ScriptedCoordinator } from './scripted-coordinator.ts';
import type { ScriptedCoordinatorOptions } from './scripted-coordinator.ts';
import { taskOf } from './task-of.ts';

const log = createLogger('trainer-test', process.env['GRAFT_TEST_LOG'] === undefined ? 'silent' : 'debug');
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Bench {
  readonly coordinator: ScriptedCoordinator;
  readonly port: number;
  readonly stateDir: string;
  /** Starts the drain and waits for the end. */
  readonly end: () => Promise<void>;
}

async function startBench(options: ScriptedCoordinatorOptions = {}, saveMs = 5_000): Promise<Bench> {
  const coordinator = new ScriptedCoordinator(options);
  const port = await coordinator.start();
  cleanups.push(() => coordinator.stop());
  const stateDir = mkdtempSync(join(tmpdir(), 'graft-trainer-'));
  cleanups.push(() => rmSync(stateDir, { recursive: true, force: true }));
  const controller = new AbortController();
  const config = {
    coordinatorAddresses: [`127.0.0.1:${port}`],
    connection: { tls: null, token: null, isInsecureAllowed: false },
    trainerId: 'trainer-1',
    hostname: 'host',
    version: '0.0.0',
    slotCount: 1,
    gpuDevices: [],
    threadsPerSlot: 1,
    artifactsDir: join(stateDir, 'artifacts'),
    artifactCacheBytes: 1e9,
    cacheDir: stateDir,
    dataRoot: null,
    maxImagePixels: 1e8,
    stateDir,
    checkpointSeconds: 10,
    saveMs,
    metricsListen: null,
    logLevel: 'silent',
  } as const;
  const script = fileURLToPath(new URL('./scripted-worker.ts', import.meta.url));
  const workerProgram = { script, execArgv: typescriptLoader() };
  const running = runTrainer({ config, log, workerProgram }, controller.signal);
  const end = async (): Promise<void> => {
    controller.abort(new Error('the test ends'));
    await running;
  };
  cleanups.push(end);
  await coordinator.until('registered');
  return { coordinator, port, stateDir, end };
}

/** Checks that every checkpoint came after all epochs of its run up to it. */
function expectEpochsBeforeCheckpoints(coordinator: ScriptedCoordinator): void {
  const seen = new Map<string, number>();
  for (const entry of coordinator.history) {
    if (entry.kind === 'epoch') {
      expect(entry.epoch).toBe((seen.get(entry.runId) ?? 0) + 1);
      seen.set(entry.runId, entry.epoch);
    }
    if (entry.kind === 'checkpoint') expect(seen.get(entry.runId)).toBeGreaterThanOrEqual(entry.epoch);
  }
}

function endOf(coordinator: ScriptedCoordinator, index = 0) {
  return taskEndFromProto(coordinator.of('completed')[index]?.request.result);
}

describe('a trainer', { timeout: 30_000 }, () => {
  it('registers, leases, reports epochs before their checkpoints, completes, and leases again', async () => {
    const { coordinator, stateDir, end } = await startBench();
    coordinator.give(taskOf('t1', { script: 'train', epochs: 20 }, ['r1', 'r2']));
    coordinator.give(taskOf('t2', { script: 'train', epochs: 2 }, ['r3']));
    await coordinator.until('completed', 2);
    expect(coordinator.of('registered')[0]?.request.trainer).toMatchObject({
      trainerId: 'trainer-1',
      slots: [{ deviceKind: 'cpu', deviceName: 'test', threadCount: 1 }],
    });
    expect(coordinator.of('epoch')).toHaveLength(42);
    expect(coordinator.of('checkpoint')).toHaveLength(42);
    expectEpochsBeforeCheckpoints(coordinator);
    const first = coordinator.of('completed')[0]?.request;
    expect(first?.taskId).toBe('t1');
    expect(endOf(coordinator)).toMatchObject({
      kind: 'result',
      result: { stage: 'TRAIN', outcomes: [{ runId: 'r1', kind: 'SUCCEEDED', epochCount: 20 }, { runId: 'r2' }] },
    });
    const firstEnd = coordinator.history.findIndex((entry) => entry.kind === 'completed');
    const reportsOfFirst = coordinator.history.filter(
      (entry, index) => index > firstEnd && entry.kind === 'epoch' && entry.runId !== 'r3',
    );
    expect(reportsOfFirst).toEqual([]);
    await end();
    expect(readdirSync(join(stateDir, 'journals'))).toEqual([]);
  });

  it("hands back a task that it can't read, which a newer trainer may, and continues with the next", async () => {
    const { coordinator } = await startBench();
    const objective = { metric: 'val_f1' as never, goal: 'maximize' } as const;
    coordinator.give({ ...taskOf('t1', { script: 'train', epochs: 1 }, ['r1']), objective });
    coordinator.give(taskOf('t2', { script: 'train', epochs: 1 }, ['r2']));
    await coordinator.until('completed', 2);
    expect(endOf(coordinator)).toMatchObject({
      kind: 'error',
      error: {
        errorClass: 'INFRASTRUCTURE',
        code: 'TASK_UNREADABLE',
        message: expect.stringContaining("received 'val_f1'") as unknown,
      },
    });
    expect(endOf(coordinator, 1)).toMatchObject({ kind: 'result' });
  });

  it('retries with the same request ID when a lease answer was lost', async () => {
    const { coordinator } = await startBench();
    coordinator.loseLeaseAnswers = 2;
    coordinator.give(taskOf('t1', { script: 'train', epochs: 1 }));
    await coordinator.until('completed');
    const leased = coordinator.of('leased');
    expect(leased).toHaveLength(1);
    const asked = coordinator.of('asked').filter(({ request }) => request.requestId === leased[0]?.requestId);
    expect(asked.length).toBeGreaterThanOrEqual(2);
    // The next request has another ID.
    coordinator.give(taskOf('t2', { script: 'train', epochs: 1 }));
    await coordinator.until('completed', 2);
    expect(coordinator.of('leased')[1]?.requestId).not.toBe(leased[0]?.requestId);
  });

  it('resends after broken streams, without duplicates or gaps', async () => {
    const { coordinator } = await startBench();
    coordinator.breakStreams = 3;
    coordinator.give(taskOf('t1', { script: 'train', epochs: 12, step_ms: 60 }));
    await coordinator.until('completed');
    expect(coordinator.breakStreams).toBe(0);
    expect(coordinator.of('epoch').map(({ epoch }) => epoch)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expectEpochsBeforeCheckpoints(coordinator);
  });

  it('resends from the sequence number that a gap reports', async () => {
    const { coordinator } = await startBench();
    coordinator.reportGaps = 2;
    coordinator.give(taskOf('t1', { script: 'train', epochs: 8, step_ms: 60 }));
    await coordinator.until('completed');
    expect(coordinator.of('epoch').map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expectEpochsBeforeCheckpoints(coordinator);
  });

  it('continues through an outage of the coordinator without losing an epoch', async () => {
    const { coordinator, port } = await startBench();
    coordinator.give(taskOf('t1', { script: 'train', epochs: 10, step_ms: 100 }));
    await coordinator.until('epoch', 2);
    await coordinator.stop();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await coordinator.start(port);
    await coordinator.until('completed');
    expect(coordinator.of('epoch').map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expectEpochsBeforeCheckpoints(coordinator);
  });

  it('registers again when the coordinator does not know it', async () => {
    const { coordinator } = await startBench();
    coordinator.forgetTrainer = true;
    await coordinator.until('registered', 2);
    coordinator.give(taskOf('t1', { script: 'train', epochs: 1 }));
    await coordinator.until('completed');
  });

  it('drops a task whose lease is lost, writes nothing more, and continues with the next', async () => {
    const { coordinator } = await startBench();
    coordinator.give(taskOf('t1', { script: 'train', epochs: 1_000, step_ms: 20 }));
    await coordinator.until('checkpoint', 2);
    coordinator.lostTasks.add('t1');
    const before = coordinator.history.length;
    coordinator.give(taskOf('t2', { script: 'train', epochs: 1 }, ['r9']));
    await coordinator.until('completed');
    expect(coordinator.of('completed')[0]?.request.taskId).toBe('t2');
    const later = coordinator.history
      .slice(before)
      .filter((entry) => entry.kind === 'epoch' || entry.kind === 'released');
    expect(later.every((entry) => entry.kind === 'epoch' && entry.runId === 'r9')).toBe(true);
  });

  it.each([
    ['heartbeat', { script: 'hang', epochs: 2 }],
    ['metrics', { script: 'train', epochs: 1_000, step_ms: 20 }],
    ['checkpoint', { script: 'train', epochs: 1_000, step_ms: 20 }],
    ['completion', { script: 'train', epochs: 3 }],
    ['release', { script: 'train', epochs: 1_000, step_ms: 20 }],
  ] as const)(
    'ends an attempt when only its %s is refused, and continues with the next task',
    async (kind, parameters) => {
      const { coordinator } = await startBench();
      coordinator.fenced = new Set([kind]);
      coordinator.lostTasks.add('t1');
      if (kind === 'release') coordinator.commands.set('t1', 'PAUSE');
      coordinator.give(taskOf('t1', parameters));
      coordinator.give(taskOf('t2', { script: 'train', epochs: 1 }, ['r9']));
      await coordinator.until('completed');
      expect(coordinator.of('completed').map(({ request }) => request.taskId)).toEqual(['t2']);
      expect(coordinator.of('released')).toEqual([]);
      const lastOfHeir = coordinator.history.findIndex((entry) => entry.kind === 'epoch' && entry.runId === 'r9');
      const later = coordinator.history.slice(lastOfHeir).filter((entry) => 'runId' in entry && entry.runId !== 'r9');
      expect(later).toEqual([]);
    },
  );

  it('pauses on command after it has reported everything', async () => {
    const { coordinator } = await startBench();
    coordinator.give(taskOf('t1', { script: 'train', epochs: 1_000, step_ms: 20 }));
    await coordinator.until('epoch', 2);
    coordinator.commands.set('t1', 'PAUSE');
    await coordinator.until('released');
    expect(coordinator.of('released')[0]?.request.reason).toBe(ReleaseReason.PAUSED);
    expect(coordinator.of('checkpoint').length).toBe(coordinator.of('epoch').length);
    expect(coordinator.history.at(-1)?.kind).toBe('released');
  });

  it.each(['STOP', 'KILL'] as const)('ends a group on %s with the epochs so far', async (command) => {
    const { coordinator } = await startBench();
    coordinator.give(taskOf('t1', { script: 'train', epochs: 1_000, step_ms: 20 }, ['r1', 'r2']));
    await coordinator.until('epoch', 4);
    coordinator.commands.set('t1', command);
    await coordinator.until('completed');
    const epochCount = coordinator.of('epoch').filter(({ runId }) => runId === 'r1').length;
    expect(endOf(coordinator)).toMatchObject({
      kind: 'result',
      result: {
        outcomes: [
          { runId: 'r1', kind: 'STOPPED', epochCount },
          { runId: 'r2', kind: 'STOPPED' },
        ],
      },
    });
  });

  it('stops one run of a group; the other continues', async () => {
    const { coordinator } = await startBench();
    coordinator.give(taskOf('t1', { script: 'train', epochs: 30, step_ms: 20 }, ['r1', 'r2']));
    await coordinator.until('epoch', 2);
    coordinator.stoppedRuns.set('t1', ['r1']);
    await coordinator.until('completed');
    expect(endOf(coordinator)).toMatchObject({
      result: {
        outcomes: [
          { runId: 'r1', kind: 'STOPPED' },
          { runId: 'r2', kind: 'SUCCEEDED', epochCount: 30 },
        ],
      },
    });
    expect(coordinator.of('epoch').filter(({ runId }) => runId === 'r1').length).toBeLessThan(30);
  });

  it.each([
    [
      'crash',
      { errorClass: 'COUNTED', code: 'WORKER_CRASHED' },
      ['exit code 3', 'epoch 1', 'tensor of the wrong shape'],
    ],
    ['killed', { errorClass: 'INFRASTRUCTURE', code: 'WORKER_KILLED' }, ['SIGKILL']],
    ['out-of-memory', { errorClass: 'MEMORY', code: 'OUT_OF_MEMORY' }, ['SIGABRT', 'bad_alloc']],
    ['fail', { errorClass: 'NUMERIC', code: 'NUMERIC' }, ['loss is NaN']],
  ] as const)('reports a worker that ends by "%s" after its epochs, and continues', async (script, error, words) => {
    const { coordinator } = await startBench();
    coordinator.give(taskOf('t1', { script, epochs: 5 }));
    await coordinator.until('completed');
    expect(endOf(coordinator)).toMatchObject({ kind: 'error', error });
    const end = endOf(coordinator);
    for (const word of words) expect(end.kind === 'error' ? end.error.message : '').toContain(word);
    expect(coordinator.of('epoch')).toHaveLength(1);
    coordinator.give(taskOf('t2', { script: 'train', epochs: 1 }, ['r2']));
    await coordinator.until('completed', 2);
  });

  it('stops computing when the coordinator is silent, and hands the task back when it returns', async () => {
    const { coordinator, port } = await startBench({ leaseMs: 1_500, heartbeatMs: 100 });
    coordinator.give(taskOf('t1', { script: 'train', epochs: 1_000, step_ms: 20 }));
    await coordinator.until('epoch', 2);
    await coordinator.stop();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await coordinator.start(port);
    await coordinator.until('released');
    expect(coordinator.of('released')[0]?.request.reason).toBe(ReleaseReason.PREEMPTED);
    // 1.25 s of silence at 20 ms or more per epoch; without the pause there would be twice as many.
    expect(coordinator.of('epoch').length).toBeLessThan(90);
    expectEpochsBeforeCheckpoints(coordinator);
  });

  it('reports a worker that does not pause before the lease ends', async () => {
    const { coordinator, port } = await startBench({ leaseMs: 1_200, heartbeatMs: 100 });
    coordinator.give(taskOf('t1', { script: 'hang', epochs: 2 }));
    await coordinator.until('epoch');
    await coordinator.stop();
    await new Promise((resolve) => setTimeout(resolve, 1_600));
    await coordinator.start(port);
    await coordinator.until('completed');
    expect(endOf(coordinator)).toMatchObject({ error: { errorClass: 'INFRASTRUCTURE', code: 'COORDINATOR_LOST' } });
  });

  it('drains: saves, reports, hands back, and leases nothing more', async () => {
    const { coordinator, end } = await startBench();
    coordinator.give(taskOf('t1', { script: 'train', epochs: 1_000, step_ms: 20 }));
    await coordinator.until('epoch', 3);
    coordinator.give(taskOf('t2', { script: 'train', epochs: 1 }));
    await end();
    expect(coordinator.of('released')[0]?.request).toMatchObject({ taskId: 't1', reason: ReleaseReason.DRAINING });
    expect(coordinator.of('checkpoint').length).toBe(coordinator.of('epoch').length);
    expect(coordinator.of('leased').map(({ taskId }) => taskId)).toEqual(['t1']);
    expect(coordinator.of('heartbeat').some(({ request }) => request.draining)).toBe(true);
  });

  it('kills a worker that does not answer the drain in time', async () => {
    const { coordinator, end } = await startBench({}, 300);
    coordinator.give(taskOf('t1', { script: 'hang', epochs: 2 }));
    await coordinator.until('epoch');
    await end();
    expect(coordinator.of('released')[0]?.request).toMatchObject({ taskId: 't1', reason: ReleaseReason.DRAINING });
  });

  it('drains while the coordinator is unavailable', async () => {
    const { coordinator, end } = await startBench({}, 300);
    await coordinator.stop();
    await end();
  });

  it('ends while its registration is being retried', async () => {
    const { coordinator, end } = await startBench({}, 300);
    coordinator.refuseRegistrations = true;
    coordinator.forgetTrainer = true;
    await coordinator.until('refused');
    await end();
  });
});
