import { fileURLToPath } from 'node:url';
import type { TestContext } from 'vitest';
import { pythonVenv, runCommand } from '../support/python-venv.ts';
import type { PythonVenv } from '../support/python-venv.ts';

/** What the parity tests compare with. */
const PACKAGES = ['keras==3.15.1', 'tensorflow-cpu==2.21.0', 'pillow==12.0.0', 'numpy<3'];

/** Benchmarks train for as long as they are told to. */
const SCRIPT_TIMEOUT_MS = 3 * 3_600_000;

export type KerasVenv = PythonVenv;

/** A Python environment with Keras, made on first use (about half a minute and 1.2 GB); a reason where there can be none. */
export async function kerasVenv(): Promise<KerasVenv> {
  return pythonVenv({ name: 'keras-venv', packages: PACKAGES, skipVariable: 'GRAFT_SKIP_KERAS' });
}

/** How the reason of a comparison that was left out for lack of Keras begins. */
export const NO_KERAS = 'Keras is not installed';

/** Skips a test where there is no Keras, with the reason. */
export function skipWithoutKeras(
  context: TestContext,
  venv: KerasVenv,
): asserts venv is Extract<KerasVenv, { python: string }> {
  if ('reason' in venv) context.skip(`${NO_KERAS}: ${venv.reason}`);
}

/**
 * Runs a Python script of `test/parity` and returns what it printed on standard output.
 *
 * @throws Error with the end of its error output.
 */
export async function runPython(python: string, script: string, args: readonly string[]): Promise<string> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3', CUDA_VISIBLE_DEVICES: '', KERAS_BACKEND: 'tensorflow' };
  return runCommand(python, [path, ...args], env, SCRIPT_TIMEOUT_MS);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await kerasVenv());
