import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A script of this folder that runs as a process of its own. */
export interface Program {
  readonly script: string;
  /** Node's own arguments. */
  readonly execArgv: readonly string[];
}

/** @param name of the script, relative to this folder, without ending: `.ts` through tsx in a checkout, `.js` in a build. */
export function programOf(name: string): Program {
  const isBuilt = import.meta.url.endsWith('.js');
  const script = fileURLToPath(new URL(`./${name}${isBuilt ? '.js' : '.ts'}`, import.meta.url));
  return { script, execArgv: isBuilt ? [] : typescriptLoader() };
}

/** Node's arguments to run TypeScript; resolved here because `--import` looks from the current folder. */
export function typescriptLoader(): readonly string[] {
  return ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href];
}
