import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { ReleaseReason } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { typescriptLoader } from '../../../services/platform/lifecycle/node-program.ts';
import { ScriptedCoordinator } from './scripted-coordinator.ts';
import { taskOf } from './task-of.ts';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface TrainerProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
  /** Resolves with the first match in the output. */
  readonly says: (pattern: RegExp) => Promise<RegExpMatchArray>;
}

function startProcess(script: string, args: readonly string[], env: Readonly<Record<string, string>>): TrainerProcess {
  const stateDir = mkdtempSync(join(tmpdir(), 'graft-trainer-'));
  cleanups.push(() => rmSync(stateDir, { recursive: true, force: true }));
  const child = spawn(process.execPath, [...typescriptLoader(), script, ...args], {
    env: { ...process.env, GRAFT_STATE_DIR: stateDir, GRAFT_CACHE_DIR: stateDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  cleanups.push(() => void child.kill('SIGKILL'));
  let output = '';
  let onOutput: () => void = () => undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
      onOutput();
    });
  }
  const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, output })),
  );
  const says = (pattern: RegExp): Promise<RegExpMatchArray> =>
    new Promise((resolve) => {
      onOutput = (): void => {
        const match = output.match(pattern);
        if (match !== null) resolve(match);
      };
      onOutput();
    });
  return { child, ended, says };
}

const script = fileURLToPath(new URL('./scripted-trainer.ts', import.meta.url));
const main = fileURLToPath(new URL('../../../services/trainer/main.ts', import.meta.url));

async function startTrainer(): Promise<TrainerProcess & { coordinator: ScriptedCoordinator; workerPid: number }> {
  const coordinator = new ScriptedCoordinator();
  const port = await coordinator.start();
  cleanups.push(() => coordinator.stop());
  const trainer = startProcess(script, [], { GRAFT_COORDINATOR: `127.0.0.1:${port}`, GRAFT_SLOTS: '1' });
  const [, pid] = await trainer.says(/"worker_pid":(\d+)/);
  return { ...trainer, coordinator, workerPid: Number(pid) };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function untilDead(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('the trainer as a process', { timeout: 30_000 }, () => {
  it('drains on SIGTERM, hands its task back, and ends with exit code 0 and no worker left', async () => {
    const { child, ended, coordinator, workerPid } = await startTrainer();
    coordinator.give(taskOf('t1', { script: 'train', epochs: 1_000, step_ms: 20 }));
    await coordinator.until('epoch', 2);
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
    expect(coordinator.of('released')[0]?.request.reason).toBe(ReleaseReason.DRAINING);
    expect(isAlive(workerPid)).toBe(false);
  });

  it('ends at once with exit code 130 on a second signal, and its worker with it', async () => {
    const { child, ended, says, coordinator, workerPid } = await startTrainer();
    coordinator.give(taskOf('t1', { script: 'hang', epochs: 2 }));
    await coordinator.until('epoch');
    child.kill('SIGINT');
    await says(/draining/);
    child.kill('SIGINT');
    expect((await ended).code).toBe(130);
    await untilDead(workerPid);
  });

  it('leaves no worker behind when it is killed itself', async () => {
    const { child, ended, coordinator, workerPid } = await startTrainer();
    coordinator.give(taskOf('t1', { script: 'train', epochs: 1_000, step_ms: 20 }));
    await coordinator.until('epoch');
    child.kill('SIGKILL');
    await ended;
    await untilDead(workerPid);
  });

  it('prints its usage with --help and reports every mistake of its configuration', async () => {
    const help = await startProcess(main, ['--help'], {}).ended;
    expect(help.code).toBe(0);
    expect(help.output).toContain('GRAFT_COORDINATOR');
    const wrong = { GRAFT_COORDINATOR: 'nowhere', GRAFT_SLOTS: 'two', GRAFT_TRAINER_NAME: 'x' };
    const refused = await startProcess(main, [], wrong).ended;
    expect(refused.code).toBe(78);
    for (const part of [
      'GRAFT_COORDINATOR',
      "'nowhere'",
      'GRAFT_SLOTS',
      '"two"',
      'GRAFT_TRAINER_NAME: no such setting',
    ]) {
      expect(refused.output).toContain(part);
    }
  });
});
