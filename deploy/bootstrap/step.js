import { mkdirSync, statfsSync } from 'node:fs';
import { SetupError } from './setup-error.js';

/**
 * The environment of a step.
 *
 * @typedef {object} StepContext
 * @property {NodeJS.ProcessEnv} env
 * @property {string} root the checkout
 * @property {{ cacheDir: string, stateDir: string }} paths
 * @property {(text: string) => void} say prints one line of progress below the step's title
 * @property {(megabytes: number, what: string) => void} requireFreeSpace throws SetupError if the cache's disk has less free space
 */

/**
 * A step of the set-up. `run` builds what is missing, is cheap if nothing is, and returns a short summary.
 *
 * @typedef {{ title: string, run: (context: StepContext) => Promise<string> }} Step
 */

/**
 * Runs steps in order and prints the number, title and duration of each.
 *
 * @param {readonly Step[]} steps
 * @param {Omit<StepContext, 'say' | 'requireFreeSpace'>} base
 * @param {(line: string) => void} print
 * @throws the error of a step, after printing the step's title
 */
export async function runSteps(steps, base, print) {
  const context = {
    ...base,
    say: (/** @type {string} */ text) => print(`      ${text}`),
    requireFreeSpace: (/** @type {number} */ megabytes, /** @type {string} */ what) =>
      requireFreeSpace(base.paths.cacheDir, megabytes, what),
  };
  for (const [index, step] of steps.entries()) {
    const label = `[${index + 1}/${steps.length}] ${step.title}`;
    const start = performance.now();
    try {
      const summary = await step.run(context);
      print(`${label} … ${summary} in ${formatSeconds(performance.now() - start)}`);
    } catch (error) {
      print(`${label} … failed after ${formatSeconds(performance.now() - start)}`);
      throw error;
    }
  }
}

/** @param {number} milliseconds */
export function formatSeconds(milliseconds) {
  return milliseconds < 100 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/**
 * @param {string} folder
 * @param {number} megabytes
 * @param {string} what
 */
function requireFreeSpace(folder, megabytes, what) {
  mkdirSync(folder, { recursive: true });
  const { bavail, bsize } = statfsSync(folder);
  const free = Math.floor((bavail * bsize) / 1e6);
  if (free >= megabytes) return;
  throw new SetupError(
    `${what} needs ${megabytes} MB in ${folder}, but only ${free} MB are free.`,
    'Free some space, or set GRAFT_CACHE_DIR to a folder on a larger disk.',
  );
}
