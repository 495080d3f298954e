import { spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { resolvePaths } from '../../services/platform/paths.ts';

const INSTALL_TIMEOUT_MS = 8 * 60_000;
/** Age at which a lock counts as left by a killed process. */
const STALE_LOCK_MS = 10 * 60_000;

export type PythonVenv =
  | { readonly python: string }
  /** Reason why this machine has none. */
  | { readonly reason: string };

export interface PythonVenvOptions {
  /** Folder below the cache folder, such as `keras-venv`. */
  readonly name: string;
  /** Pinned packages for pip. */
  readonly packages: readonly string[];
  /** Environment variable that skips dependent tests if it is 1. */
  readonly skipVariable: string;
}

/**
 * Returns a Python environment in `<cacheDir>/<name>`, created on first use and recreated when `packages` change. Never throws: on a
 * machine without Python or network it returns a reason, and the tests are skipped.
 */
export async function pythonVenv({ name, packages, skipVariable }: PythonVenvOptions): Promise<PythonVenv> {
  if (process.env[skipVariable] === '1') return { reason: `${skipVariable} is 1` };
  const { cacheDir } = resolvePaths(process.env);
  await mkdir(cacheDir, { recursive: true });
  const folder = join(cacheDir, name);
  const release = await lock(`${folder}.lock`);
  try {
    const python = join(folder, 'bin', 'python');
    const stamp = join(folder, 'packages.json');
    const wanted = JSON.stringify(packages);
    if ((await readFile(stamp, 'utf8').catch(() => '')) === wanted) return { python };
    await rm(folder, { recursive: true, force: true });
    await runCommand('python3', ['-m', 'venv', folder]);
    await runCommand(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages]);
    await writeFile(stamp, wanted);
    return { python };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  } finally {
    await release();
  }
}

/**
 * Runs a command to its end and returns its standard output.
 *
 * @throws {Error} with the end of its error output.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  timeoutMs: number = INSTALL_TIMEOUT_MS,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
    const output: string[] = [];
    const errors: string[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output.join(''));
      else
        reject(
          new Error(`${command} ${args.slice(0, 4).join(' ')} ended with ${code}: ${errors.join('').slice(-1500)}`),
        );
    });
  });
}

async function lock(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await (await open(path, 'wx')).close();
      return () => rm(path, { force: true });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      const age =
        Date.now() -
        (await stat(path).then(
          (found) => found.mtimeMs,
          () => Date.now(),
        ));
      if (age > STALE_LOCK_MS) await rm(path, { force: true });
      else await delay(500);
    }
  }
}
