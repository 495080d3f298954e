import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/**
 * Preloaded into every process of a cluster (NODE_OPTIONS=--import). Sums the duration of calls to native modules, all
 * of which are synchronous, and writes the sums to a file per process in GRAFT_BENCH_CLOCK. A sampling profiler can't
 * measure this: V8 counts time in Node-API functions as idle.
 */

/** Milliseconds inside TensorFlow's binding and inside the native heads. */
export interface EngineTimes {
  tensorflow: number;
  heads: number;
}

const MODULES = [
  ['tfjs_binding.node', 'tensorflow'],
  ['graft_heads.node', 'heads'],
] as const;
const WRITE_INTERVAL_MS = 500;

const times: EngineTimes = { tensorflow: 0, heads: 0 };
let writtenAt = 0;

function write(): void {
  writtenAt = performance.now();
  writeFileSync(join(process.env['GRAFT_BENCH_CLOCK'] ?? '.', `${process.pid}.json`), JSON.stringify(times));
}

function timed(functions: object, part: keyof EngineTimes): object {
  const wrapped: Record<string, unknown> = {};
  // The binding's properties are not enumerable.
  for (const name of Object.getOwnPropertyNames(functions)) {
    const value: unknown = Reflect.get(functions, name);
    wrapped[name] = value;
    if (typeof value !== 'function') continue;
    const call = value as (...args: readonly unknown[]) => unknown;
    wrapped[name] = (...args: readonly unknown[]): unknown => {
      const begin = performance.now();
      try {
        return call.apply(functions, args as unknown[]);
      } finally {
        const end = performance.now();
        times[part] += end - begin;
        if (end - writtenAt > WRITE_INTERVAL_MS) write();
      }
    };
  }
  return wrapped;
}

const load = process.dlopen.bind(process);
process.dlopen = (module, filename, flags): void => {
  if (flags === undefined) load(module, filename);
  else load(module, filename, flags);
  const part = MODULES.find(([name]) => filename.endsWith(name))?.[1];
  if (part === undefined) return;
  const loaded = module as { exports: object };
  loaded.exports = timed(loaded.exports, part);
  process.on('exit', write);
};
