import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../../services/platform/net/free-port.ts';

const READY_MS = 90_000;
const OUTPUT_LENGTH = 4000;

/** A real MLflow server with its database (SQLite) and artifacts in a folder; may be killed and started again. */
export class MlflowServerProcess implements AsyncDisposable {
  readonly url: string;
  readonly #python: string;
  readonly #folder: string;
  readonly #port: number;
  #child: ChildProcess | null = null;
  #output = '';

  private constructor(python: string, folder: string, port: number) {
    this.#python = python;
    this.#folder = folder;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** @param folder must exist; the caller removes it. */
  static async create(python: string, folder: string): Promise<MlflowServerProcess> {
    return new MlflowServerProcess(python, folder, await freePort());
  }

  /** Resolves when the server answers. */
  async start(): Promise<void> {
    const args = ['-m', 'mlflow', 'server', '--host', '127.0.0.1', '--port', String(this.#port), '--workers', '1'];
    args.push('--backend-store-uri', `sqlite:///${join(this.#folder, 'mlflow.db')}`);
    args.push('--artifacts-destination', join(this.#folder, 'artifacts'));
    // A group of its own, because the server has worker processes that outlive its death.
    const child = spawn(this.#python, args, {
      cwd: this.#folder,
      detached: true,
      env: { ...process.env, PYTHONUNBUFFERED: '1', MLFLOW_DISABLE_TELEMETRY: 'true', DO_NOT_TRACK: 'true' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const note = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_LENGTH);
    };
    child.stdout.on('data', note);
    child.stderr.on('data', note);
    this.#child = child;
    const endMs = Date.now() + READY_MS;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || Date.now() > endMs) throw new Error(`MLflow did not start:\n${this.#output}`);
      await delay(100);
    }
  }

  /** SIGKILL, to all of its processes. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child?.pid === undefined) return;
    const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve();
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #answers(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/health`)).ok;
    } catch {
      return false;
    }
  }
}
