import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, readTextIfThere } from '../files.js';
import { npmCommand } from '../npm.js';
import { runProgram } from '../processes.js';
import { SetupError } from '../setup-error.js';

/** @type {import('../step.js').Step} */
export const installPackages = {
  title: 'npm packages',
  async run(context) {
    const lock = readFileSync(join(context.root, 'package-lock.json'), 'utf8');
    const modules = join(context.root, 'node_modules');
    const stamp = join(modules, '.graft-lock-sha');
    const digest = digestOf([lock]);
    if (readTextIfThere(stamp) === digest) return 'up to date';
    const installed = readTextIfThere(join(modules, '.package-lock.json'));
    if (installed !== undefined && holdsSamePackages(JSON.parse(lock), JSON.parse(installed))) {
      writeFileSync(stamp, digest);
      return 'up to date (installed by npm itself)';
    }
    context.say(existsSync(modules) ? 'package-lock.json has changed: npm ci' : 'npm ci (about 900 MB on disk)');
    await npmCi(context);
    writeFileSync(stamp, digest);
    return 'installed';
  },
};

/**
 * Returns whether node_modules matches the lock file, so that a developer's `npm install` is not undone.
 *
 * @param {{ packages?: Record<string, LockEntry> }} lock package-lock.json
 * @param {{ packages?: Record<string, LockEntry> }} installed node_modules/.package-lock.json
 * @typedef {{ version?: string, integrity?: string, optional?: boolean }} LockEntry
 */
export function holdsSamePackages(lock, installed) {
  const wanted = lock.packages ?? {};
  const present = installed.packages ?? {};
  const complete = Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const one = present[path];
    return one === undefined
      ? entry.optional === true
      : one.version === entry.version && one.integrity === entry.integrity;
  });
  return complete && Object.keys(present).every((path) => path in wanted);
}

/** @param {import('../step.js').StepContext} context */
async function npmCi(context) {
  const [program, ...first] = npmCommand(context.env);
  const args = [...first, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const result = await runProgram(program, args, { cwd: context.root, env: context.env });
  if (result.code === 0) return;
  // npm prints its explanation first, then its usage.
  const output = result.stderr.trim().split('\n').slice(0, 15).join('\n');
  throw new SetupError('npm ci failed.', remedyFor(output), { output });
}

/** @param {string} output */
function remedyFor(output) {
  if (output.includes('code EUSAGE')) {
    return 'package.json and package-lock.json do not match: run npm install --ignore-scripts, and commit the lock file.';
  }
  if (output.includes('code ENOSPC')) return 'The disk is full: free about 1 GB and run set-up again.';
  return 'Check the network, and the registry and proxy in the npm settings of this machine (npm config list).';
}
