import { createRequire } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { WorkerOptions } from 'node:worker_threads';

const SERVICES = fileURLToPath(new URL('../..', import.meta.url));
/** A build runs as it is, sources through tsx. */
const IS_BUILT = import.meta.url.endsWith('.js');

/** A module that runs in a Node of its own. */
export interface NodeProgram {
  readonly script: string;
  /** Node's own arguments. */
  readonly execArgv: readonly string[];
}

/**
 * Returns how to run a module. From sources it is the compiled one if GRAFT_COMPILED names the folder of a build of the same sources
 * (`npm test` sets it), because tsx takes three times as long to start.
 *
 * @param module below `services`, without ending, for example `coordinator/main`.
 */
export function nodeProgram(module: string): NodeProgram {
  const { GRAFT_COMPILED: compiled } = process.env;
  if (IS_BUILT) return { script: join(SERVICES, `${module}.js`), execArgv: [] };
  if (compiled !== undefined) return { script: join(compiled, 'services', `${module}.js`), execArgv: [] };
  return { script: join(SERVICES, `${module}.ts`), execArgv: typescriptLoader() };
}

/**
 * Starts a module in a thread. Node's arguments do not reach a thread's own module, so TypeScript is registered before it is
 * imported.
 *
 * @param module as in `nodeProgram`
 */
export function startThread(module: string, options: Omit<WorkerOptions, 'eval' | 'execArgv'>): Worker {
  const { script } = nodeProgram(module);
  if (script.endsWith('.js')) return new Worker(script, options);
  // The variant for `require` can't register where it is imported.
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

/** Node's arguments to run TypeScript; resolved here because `--import` looks from the current folder. */
export function typescriptLoader(): readonly string[] {
  return ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href];
}
