import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../services/platform/telemetry/logger.ts';
import { readTrainerConfig } from '../../services/trainer/config.ts';
import { typescriptLoader } from '../../services/platform/lifecycle/node-program.ts';
import { runTrainer } from '../../services/trainer/trainer.ts';
import { specOf, startHarness } from '../integration/coordinator/harness.ts';
import type { Harness } from '../integration/coordinator/harness.ts';
import type { Death } from './dying-worker.ts';

interface AttemptRow {
  readonly state: string;
  readonly error_class: string | null;
  readonly error_code: string | null;
  readonly micro_batch_divisor: number;
}

let harness: Harness;
let taskId: string;
const cleanups: (() => Promise<void> | void)[] = [];

beforeEach(async () => {
  harness = await startHarness({
    reaperMs: 50,
    // The task under test must not be regrouped when a second trainer registers.
    env: { GRAFT_COORDINATOR_ADAPTIVE_PLAN: 'off' },
  });
  cleanups.push(async () => harness[Symbol.asyncDispose]());
  const simulated = await harness.trainer('simulated');
  await harness.submit(specOf());
  await simulated.work(await simulated.mustLease('INDEX'));
  await simulated.work(await simulated.mustLease('FEATURES'));
  const [row] = await harness.query<{ task_id: string }>(`SELECT task_id FROM tasks WHERE stage = 'HEAD'`);
  taskId = row?.task_id ?? '';
});
afterEach(async () => {
  delete process.env['GRAFT_TEST_DEATH'];
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Starts a real supervisor whose worker dies in a given way, at a real coordinator. @returns a function that sets the next way. */
function startTrainer(first: Death): (death: Death) => void {
  const folder = mkdtempSync(join(tmpdir(), 'graft-deaths-'));
  const file = join(folder, 'death');
  const choose = (death: Death): void => writeFileSync(file, death);
  choose(first);
  process.env['GRAFT_TEST_DEATH'] = file;
  const config = readTrainerConfig({
    GRAFT_COORDINATOR: harness.coordinator.address,
    GRAFT_TRAINER_ID: 'real',
    GRAFT_ARTIFACTS_DIR: harness.artifacts.root,
    GRAFT_SLOTS: '1',
    GRAFT_STATE_DIR: folder,
    GRAFT_CACHE_DIR: folder,
    GRAFT_LOG_LEVEL: 'silent',
  });
  const script = fileURLToPath(new URL('./dying-worker.ts', import.meta.url));
  const workerProgram = { script, execArgv: typescriptLoader() };
  const ending = new AbortController();
  const running = runTrainer({ config, log: createLogger('test', 'silent'), workerProgram }, ending.signal);
  cleanups.push(async () => {
    ending.abort(new Error('the test ends'));
    await running;
    rmSync(folder, { recursive: true, force: true });
  });
  return choose;
}

/** Waits for the end of the task, skipping its back-off. */
async function untilTaskIs(state: string): Promise<void> {
  const look = async (): Promise<string | undefined> => {
    await harness.query(`UPDATE tasks SET not_before_time = now() WHERE state = 'READY' AND not_before_time > now()`);
    await harness.query(`SELECT pg_notify('graft_tasks', '')`);
    const [row] = await harness.query<{ state: string }>('SELECT state FROM tasks WHERE task_id = $1', [taskId]);
    return row?.state;
  };
  await expect.poll(look, { timeout: 60_000, interval: 100 }).toBe(state);
}

async function attempts(): Promise<readonly AttemptRow[]> {
  return harness.query<AttemptRow>(
    `SELECT state, error_class, error_code, micro_batch_divisor FROM attempts WHERE task_id = $1 ORDER BY lease_epoch`,
    [taskId],
  );
}

async function runs(): Promise<readonly { readonly state: string; readonly state_reason: string }[]> {
  return harness.query('SELECT state, state_reason FROM runs ORDER BY run_index');
}

function failed(errorClass: string, errorCode: string, divisor = 1): AttemptRow {
  return { state: 'FAILED', error_class: errorClass, error_code: errorCode, micro_batch_divisor: divisor };
}

describe('a worker that dies', { timeout: 90_000 }, () => {
  it.each([
    ['SIGSEGV', 'SIGSEGV'],
    ['EXIT', 'exit code 3'],
  ] as const)('by %s has crashed: each failure is counted, and the third is final', async (death, word) => {
    startTrainer(death);
    await untilTaskIs('FAILED');
    expect(await attempts()).toEqual(Array.from({ length: 3 }, () => failed('COUNTED', 'WORKER_CRASHED')));
    for (const { state, state_reason: reason } of await runs()) {
      expect(state).toBe('FAILED');
      expect(reason).toContain('failed 3 times');
      expect(reason).toContain(word);
      expect(reason).toContain('epoch 1, step 1 of 9');
    }
  });

  it('by SIGKILL was killed from outside: not counted, but ten in a row are a crash loop', async () => {
    startTrainer('SIGKILL');
    await untilTaskIs('FAILED');
    expect(await attempts()).toEqual(Array.from({ length: 10 }, () => failed('INFRASTRUCTURE', 'WORKER_KILLED')));
    const [counters] = await harness.query('SELECT failure_count, memory_count FROM tasks WHERE task_id = $1', [
      taskId,
    ]);
    expect(counters).toEqual({ failure_count: 0, memory_count: 0 });
    const [run] = await runs();
    expect(run?.state).toBe('FAILED');
    expect(run?.state_reason).toContain('10 attempts in a row ended without a new checkpoint');
    expect(run?.state_reason).toContain('SIGKILL');
  });

  it('for lack of memory is retried in 2, 4 and 8 micro-batches; then the runs are infeasible', async () => {
    startTrainer('MEMORY');
    await untilTaskIs('FAILED');
    expect(await attempts()).toEqual([1, 2, 4, 8].map((divisor) => failed('MEMORY', 'OUT_OF_MEMORY', divisor)));
    for (const { state, state_reason: reason } of await runs()) {
      expect(state).toBe('INFEASIBLE');
      expect(reason).toContain('out of memory even with the batch in 8 parts');
    }
  });

  it('once is retried, and the failed attempt is recorded', async () => {
    const choose = startTrainer('SIGSEGV');
    await expect.poll(async () => (await attempts())[0]?.state, { timeout: 30_000 }).toBe('FAILED');
    choose('NONE');
    await untilTaskIs('SUCCEEDED');
    expect((await attempts()).at(-1)).toMatchObject({ state: 'SUCCEEDED', error_class: null });
    expect((await runs()).map(({ state }) => state)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
  });

  it('is not involved in a loss that is not finite, which fails its run at once, with the epoch; the other run continues', async () => {
    startTrainer('NAN');
    await untilTaskIs('SUCCEEDED');
    expect(await attempts()).toHaveLength(1);
    expect(await runs()).toEqual([
      { state: 'FAILED', state_reason: 'loss of epoch 2 (HEAD) is NaN.' },
      { state: 'SUCCEEDED', state_reason: '' },
    ]);
  });
});
