import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { nodeProgram } from './node-program.ts';

/** Registers tsx in the thread, which `--import` does for the main thread only, and then loads the module. */
const TYPESCRIPT_THREAD = `
  const { workerData } = require('node:worker_threads');
  const loaded = import(workerData.loader).then(({ register }) => register());
  loaded.then(() => import(workerData.script));
`;

/**
 * Starts a module in a thread. Its `workerData.request` is the request.
 *
 * @param module below `services`, without ending, for example `trainer/backbones/hdf5-thread`.
 */
export function startThread(module: string, request: unknown): Worker {
  const { script, execArgv } = nodeProgram(module);
  if (execArgv.length === 0) return new Worker(script, { workerData: { request } });
  // The build for `require`, beside which is the one that registers itself for `import`.
  const api = createRequire(import.meta.url)
    .resolve('tsx/esm/api')
    .replace(/\.cjs$/, '.mjs');
  const loader = pathToFileURL(api).href;
  const workerData = { request, loader, script: pathToFileURL(script).href };
  return new Worker(TYPESCRIPT_THREAD, { eval: true, workerData, execArgv: [] });
}
