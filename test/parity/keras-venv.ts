import { spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { resolvePaths } from '../../services/platform/paths.ts';

/** What the parity tests compare with. */
const PACKAGES = ['keras==3.15.1', 'tensorflow-cpu==2.21.0', 'pillow==12.0.0', 'numpy<3'];
const INSTALL_TIMEOUT_MS = 8 * 60_000;
/** A lock this old was left by a process that was killed. */
const STALE_LOCK_MS = 10 * 60_000;

export type KerasVenv =
  | { readonly python: string }
  /** Why there is none on this machine. */
  | { readonly reason: string };

/**
 * A Python environment with Keras in `<cacheDir>/keras-venv`, made on first use (about half a minute and 1.2 GB). Never throws:
 * a machine without Python or network gives a reason, and the tests skip.
 */
export async function kerasVenv(): Promise<KerasVenv> {
  if (process.env['GRAFT_SKIP_KERAS'] === '1') return { reason: 'GRAFT_SKIP_KERAS is 1' };
  const { cacheDir } = resolvePaths(process.env);
  await mkdir(cacheDir, { recursive: true });
  const folder = join(cacheDir, 'keras-venv');
  const release = await lock(`${folder}.lock`);
  try {
    const python = join(folder, 'bin', 'python');
    const stamp = join(folder, 'packages.json');
    const wanted = JSON.stringify(PACKAGES);
    if ((await readFile(stamp, 'utf8').catch(() => '')) === wanted) return { python };
    await rm(folder, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', folder]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES]);
    await writeFile(stamp, wanted);
    return { python };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  } finally {
    await release();
  }
}

/**
 * Runs a Python script of `test/parity` and returns what it printed on standard output.
 *
 * @throws Error with the end of its error output.
 */
export async function runPython(python: string, script: string, args: readonly string[]): Promise<string> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3', CUDA_VISIBLE_DEVICES: '', KERAS_BACKEND: 'tensorflow' };
  return run(python, [path, ...args], env);
}

async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: INSTALL_TIMEOUT_MS });
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

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await kerasVenv());
