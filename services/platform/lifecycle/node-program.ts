import { createRequire } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { WorkerOptions } from 'node:worker_threads';

const SERVICES = fileURLToPath(new URL('../..', import.meta.url));
/** True in a build; sources run by tsx. */
const IS_BUILT = import.meta.url.endsWith('.js');

/** A module to run in a separate Node process. */
export interface NodeProgram {
  readonly script: string;
  /** Arguments of Node. */
  readonly execArgv: readonly string[];
}

/**
 * Returns the program that runs a module. In sources, that is the compiled module if GRAFT_COMPILED names a build of the same
 * sources (`npm test` sets it), because tsx takes three times as long to start.
 *
 * @param module path below `services` without extension, for example `coordinator/main`.
 */
export function nodeProgram(module: string): NodeProgram {
  const { GRAFT_COMPILED: compiled } = process.env;
  if (IS_BUILT) return { script: join(SERVICES, `${module}.js`), execArgv: [] };
  if (compiled !== undefined) return { script: join(compiled, 'services', `${module}.js`), execArgv: [] };
  return { script: join(SERVICES, `${module}.ts`), execArgv: typescriptLoader() };
}

/**
 * Starts a module in a worker thread. Node's arguments do not apply to the thread's main module, so TypeScript is registered before
 * the module is imported.
 *
 * @param module as for `nodeProgram`.
 */
export function startThread(module: string, options: Omit<WorkerOptions, 'eval' | 'execArgv'>): Worker {
  const { script } = nodeProgram(module);
  if (script.endsWith('.js')) return new Worker(script, options);
  // The CommonJS variant of the API can't register the ESM loader.
  const tsx = pathToFileURL(
    createRequire(import.meta.url)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs'),
  ).href;
  const source = `import(${JSON.stringify(tsx)}).then(({ register }) => {
    register();
    return import(${JSON.stringify(pathToFileURL(script).href)});
  });`;
  return new Worker(source, { ...options, eval: true, execArgv: [] });
}

/** Returns Node's arguments to run TypeScript. The path is absolute, because `--import` resolves from the current folder. */
export function typescriptLoader(): readonly string[] {
  return ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href];
}
