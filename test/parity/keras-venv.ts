import { fileURLToPath } from 'node:url';
import type { TestContext } from 'vitest';
import { pythonVenv, runCommand } from '../support/python-venv.ts';
import type { PythonVenv } from '../support/python-venv.ts';

/** Packages that the parity tests compare with. */
const PACKAGES = ['keras==3.15.1', 'tensorflow-cpu==2.21.0', 'pillow==12.0.0', 'numpy<3'];

/** Benchmarks train for as long as requested. */
const SCRIPT_TIMEOUT_MS = 3 * 3_600_000;

export type KerasVenv = PythonVenv;

/**
 * Returns a Python environment with Keras, created on first use (about half a minute and 1.2 GB); a reason if that
 * fails.
 */
export async function kerasVenv(): Promise<KerasVenv> {
  return pythonVenv({ name: 'keras-venv', packages: PACKAGES, skipVariable: 'GRAFT_SKIP_KERAS' });
}

/** Beginning of the reason of a comparison that was skipped for lack of Keras. */
export const NO_KERAS = 'Keras is not installed';

/** Skips a test without Keras, with the reason. */
export function skipWithoutKeras(
  context: TestContext,
  venv: KerasVenv,
): asserts venv is Extract<KerasVenv, { python: string }> {
  if ('reason' in venv) context.skip(`${NO_KERAS}: ${venv.reason}`);
}

/**
 * Runs a Python script of `test/parity` and returns its standard output.
 *
 * @throws {Error} with the end of its error output when it fails.
 */
export async function runPython(python: string, script: string, args: readonly string[]): Promise<string> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3', CUDA_VISIBLE_DEVICES: '', KERAS_BACKEND: 'tensorflow' };
  return runCommand(python, [path, ...args], env, SCRIPT_TIMEOUT_MS);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await kerasVenv());
