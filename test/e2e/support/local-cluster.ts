import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../services/platform/net/free-port.ts';
import { temporaryFolder } from '../../support/run-script.ts';

export const REPOSITORY = new URL('../../..', import.meta.url).pathname;
export const LAUNCHER = join(REPOSITORY, 'services/cli/graft.js');

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A whole cluster (`graft up`) with a separate state folder, as a user would start it. */
export class LocalCluster implements AsyncDisposable {
  readonly stateDir: string;
  readonly address: string;
  readonly databaseUrl: string;
  /** Returns what `graft up` has printed so far. */
  readonly output: () => string;
  readonly #process: ChildProcess;

  private constructor(
    stateDir: string,
    process: ChildProcess,
    address: string,
    databaseUrl: string,
    output: () => string,
  ) {
    this.stateDir = stateDir;
    this.#process = process;
    this.address = address;
    this.databaseUrl = databaseUrl;
    this.output = output;
  }

  static async start(
    options: {
      readonly trainers?: number;
      readonly stateDir?: string;
      readonly env?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<LocalCluster> {
    const stateDir = options.stateDir ?? temporaryFolder('graft-e2e-');
    // A reserved port: while a killed coordinator is down, the cluster of another test must not take it.
    const flags = ['--port', String(await freePort()), '--trainers', String(options.trainers ?? 1)];
    const child = spawn(process.execPath, [LAUNCHER, 'up', ...flags], {
      env: { ...process.env, ...options.env, GRAFT_STATE_DIR: stateDir, DATABASE_URL: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const deadline = Date.now() + 90_000;
    for (;;) {
      const record = readRecord(stateDir);
      if (record?.address && record.databaseUrl && record.owner.pid === child.pid) {
        const cluster = new LocalCluster(stateDir, child, record.address, record.databaseUrl, () => output);
        if ((await cluster.cli(['sweep', 'list'])).code === 0) return cluster;
      }
      if (child.exitCode !== null || Date.now() > deadline) {
        child.kill('SIGKILL');
        throw new Error(`graft up did not come up (exit code ${String(child.exitCode)}):\n${output}`);
      }
      await sleep(100);
    }
  }

  /** Runs `graft ARGS` against this cluster. */
  cli(args: readonly string[]): Promise<CliResult> {
    return runCli(args, { GRAFT_COORDINATOR: this.address, GRAFT_STATE_DIR: this.stateDir });
  }

  async cliJson(args: readonly string[]): Promise<unknown> {
    const { code, stdout, stderr } = await this.cli([...args, '--output', 'json']);
    if (code !== 0) throw new Error(`graft ${args.join(' ')}: exit code ${code}\n${stdout}\n${stderr}`);
    return JSON.parse(stdout);
  }

  /** Returns the process IDs of this cluster whose command line contains `part`, oldest first. */
  pids(part: string): number[] {
    const processes = processTable();
    const mine = new Set([this.#process.pid ?? -1]);
    for (let size = 0; size !== mine.size;) {
      size = mine.size;
      for (const { pid, parentPid } of processes) if (mine.has(parentPid)) mine.add(pid);
    }
    return processes.filter(({ pid, command }) => mine.has(pid) && command.includes(part)).map(({ pid }) => pid);
  }

  /** Returns all living processes of this cluster, including the launcher. */
  allPids(): number[] {
    return this.pids('');
  }

  /** Sends Ctrl-C and waits for the end. */
  async interrupt(): Promise<number | null> {
    if (this.#process.exitCode !== null) return this.#process.exitCode;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGINT');
    const [code] = (await exited) as [number | null];
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.interrupt();
    rmSync(this.stateDir, { recursive: true, force: true });
  }
}

/** Runs `graft ARGS`. @returns exit code and output. */
export function runCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [LAUNCHER, ...args],
      { env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024, timeout: 280_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

/** Polls until `probe` returns a value. */
export async function eventually<T>(what: string, timeoutMs: number, probe: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s for ${what}`);
    await sleep(100);
  }
}

export function isAlive(pid: number): boolean {
  return processTable().some((entry) => entry.pid === pid);
}

interface ClusterRecordView {
  readonly owner: { readonly pid: number };
  readonly address: string | null;
  readonly databaseUrl: string | null;
}

function readRecord(stateDir: string): ClusterRecordView | null {
  try {
    return JSON.parse(readFileSync(join(stateDir, 'up.json'), 'utf8')) as ClusterRecordView;
  } catch {
    return null;
  }
}

interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  readonly command: string;
}

/** Reads the processes from /proc, without zombies. */
function processTable(): ProcessEntry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name): ProcessEntry[] => {
      try {
        const status = readFileSync(`/proc/${name}/stat`, 'utf8');
        const [state, parent] = status.slice(status.lastIndexOf(')') + 2).split(' ');
        if (state === 'Z' || parent === undefined) return [];
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return [{ pid: Number(name), parentPid: Number(parent), command }];
      } catch {
        return [];
      }
    })
    .sort((a, b) => a.pid - b.pid);
}
