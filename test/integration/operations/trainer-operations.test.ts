import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../../../services/platform/net/free-port.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { readTrainerConfig } from '../../../services/trainer/config.ts';
import { typescriptLoader } from '../../../services/platform/lifecycle/node-program.ts';
import { runTrainer } from '../../../services/trainer/trainer.ts';
import { scrape } from '../../support/scrape.ts';
import { ScriptedCoordinator } from '../trainer/scripted-coordinator.ts';
import { taskOf } from '../trainer/task-of.ts';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startTrainer(coordinator: ScriptedCoordinator): Promise<{ port: number; end: () => Promise<void> }> {
  const address = `127.0.0.1:${await coordinator.start()}`;
  cleanups.push(() => coordinator.stop());
  const stateDir = mkdtempSync(join(tmpdir(), 'graft-trainer-'));
  cleanups.push(() => rmSync(stateDir, { recursive: true, force: true }));
  const port = await freePort();
  const config = readTrainerConfig({
    GRAFT_COORDINATOR: address,
    GRAFT_STATE_DIR: stateDir,
    GRAFT_CACHE_DIR: stateDir,
    GRAFT_SLOTS: '1',
    GRAFT_TRAINER_METRICS_LISTEN: `127.0.0.1:${port}`,
    CUDA_VISIBLE_DEVICES: '',
  });
  const script = fileURLToPath(new URL('../trainer/scripted-worker.ts', import.meta.url));
  const workerProgram = { script, execArgv: typescriptLoader() };
  const controller = new AbortController();
  const log = createLogger('trainer-test', 'silent');
  const running = runTrainer({ config, log, workerProgram }, controller.signal);
  const end = async (): Promise<void> => {
    controller.abort(new Error('the test ends'));
    await running;
  };
  cleanups.push(end);
  await coordinator.until('registered');
  return { port, end };
}

async function readiness(port: number): Promise<readonly [number, string]> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  return [response.status, await response.text()];
}

describe("the trainer's operations port", () => {
  it('counts epochs, images, checkpoints, heartbeats and the ends of attempts', async () => {
    const coordinator = new ScriptedCoordinator();
    const { port } = await startTrainer(coordinator);
    coordinator.give(taskOf('t1', { script: 'train', epochs: 4, images_per_second: 200 }, ['r1', 'r2']));
    await coordinator.until('completed');
    coordinator.give(taskOf('t2', { script: 'crash', epochs: 1 }));
    await coordinator.until('completed', 2);
    // The trainer may not have received the answer to the second completion; its next call follows it.
    await coordinator.until('asked', coordinator.of('asked').length + 1);
    const now = await scrape(port);
    const stage = 'HEAD';
    expect(now.value('graft_trainer_slots')).toBe(1);
    expect(now.value('graft_trainer_epochs_total', { stage })).toBe(9);
    expect(now.value('graft_trainer_images_total', { stage })).toBe(4 * 2 * 0.5 * 200);
    expect(now.value('graft_trainer_checkpoints_total', { kind: 'LAST' })).toBeGreaterThanOrEqual(8);
    expect(now.value('graft_trainer_heartbeats_total', { result: 'answered' })).toBeGreaterThan(0);
    expect(now.value('graft_trainer_attempts_ended_total', { stage, outcome: 'succeeded', error_class: '' })).toBe(1);
    expect(now.value('graft_trainer_attempts_ended_total', { stage, outcome: 'failed', error_class: 'COUNTED' })).toBe(
      1,
    );
    expect(now.value('graft_trainer_metric_ingest_seconds_count')).toBeGreaterThan(0);
    expect(now.value('graft_trainer_worker_memory_bytes')).toBeGreaterThan(10e6);
    expect(now.value('graft_trainer_memory_limit_bytes')).toBeGreaterThan(100e6);
    // There is no speed while nothing is trained.
    expect(now.value('graft_trainer_images_per_second', { slot: '0', stage })).toBeUndefined();
  });

  it('shows the speed of the slot while it trains', async () => {
    const coordinator = new ScriptedCoordinator();
    const { port } = await startTrainer(coordinator);
    coordinator.give(taskOf('t1', { script: 'train', epochs: 1_000, step_ms: 20, images_per_second: 321 }));
    await coordinator.until('epoch', 2);
    expect((await scrape(port)).value('graft_trainer_images_per_second', { slot: '0', stage: 'HEAD' })).toBe(321);
    expect((await scrape(port)).value('graft_trainer_slots_busy')).toBe(1);
  });

  it('is ready while a coordinator answers within the silence limit', async () => {
    // A lease of 0.6 s has a silence limit of 0.5 s.
    const coordinator = new ScriptedCoordinator({ leaseMs: 600, heartbeatMs: 50 });
    const { port } = await startTrainer(coordinator);
    await coordinator.until('heartbeat');
    expect(await readiness(port)).toEqual([200, 'ready\n']);
    await coordinator.stop();
    await expect
      .poll(() => readiness(port), { timeout: 10_000 })
      .toEqual([503, expect.stringContaining('no coordinator has answered for')]);
  });
});
