import { basename } from 'node:path';

/**
 * Returns the npm to call: under `npm run` the npm that runs this process, even if another one is first on the path.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {readonly [string, ...string[]]} program and first arguments
 */
export function npmCommand(env) {
  const script = env['npm_execpath'] ?? '';
  return basename(script) === 'npm-cli.js' ? [process.execPath, script] : ['npm'];
}
