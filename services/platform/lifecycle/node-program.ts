import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Sources run through tsx, a build as it is. */
const IS_BUILT = import.meta.url.endsWith('.js');

/** A module that runs in a Node of its own. */
export interface NodeProgram {
  readonly script: string;
  /** Node's own arguments. */
  readonly execArgv: readonly string[];
}

/** @param module below `services`, without ending, for example `coordinator/main`. */
export function nodeProgram(module: string): NodeProgram {
  const script = fileURLToPath(new URL(`../../${module}${IS_BUILT ? '.js' : '.ts'}`, import.meta.url));
  return { script, execArgv: IS_BUILT ? [] : typescriptLoader() };
}

/** Node's arguments to run TypeScript; resolved here because `--import` looks from the current folder. */
export function typescriptLoader(): readonly string[] {
  return ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href];
}
