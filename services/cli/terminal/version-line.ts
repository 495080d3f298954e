import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { readVersion } from '../../platform/config/read-version.ts';

/** Returns version, commit if it is known, and Node, for `graft --version`. */
export function versionLine(env: Readonly<Record<string, string | undefined>>): string {
  const commit = env['GRAFT_COMMIT'] ?? checkedOutCommit();
  const of = commit === null || commit === '' ? '' : `commit ${commit}, `;
  return `graft ${readVersion()} (${of}Node ${process.versions.node}, ${process.platform} ${process.arch})`;
}

/** Returns the commit of the checkout that this file is in, with `+` if files differ from it; null outside a checkout. */
function checkedOutCommit(): string | null {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, '.git'))) {
    if (folder === dirname(folder)) return null;
    folder = dirname(folder);
  }
  try {
    const git = (...args: readonly string[]): string =>
      execFileSync('git', ['-C', folder, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const isChanged = git('status', '--porcelain', '--untracked-files=no') !== '';
    return `${git('rev-parse', '--short=10', 'HEAD')}${isChanged ? '+' : ''}`;
  } catch {
    // git is not installed, or the folder belongs to another account.
    return null;
  }
}
