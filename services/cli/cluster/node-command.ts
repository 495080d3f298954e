import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** Sources run through tsx, a build as it is. */
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

export interface NodeCommandOptions {
  /** A child that ends when we end in whatever way (`end-with-parent.ts`). */
  readonly endWithParent?: boolean;
}

/**
 * Program and arguments that run one of Graft's modules in a Node of its own.
 *
 * @param module below `services`, without extension, for example `coordinator/main`.
 */
export function nodeCommand(module: string, options: NodeCommandOptions = {}): readonly [string, ...string[]] {
  const imports = EXTENSION === '.ts' ? ['--import', import.meta.resolve('tsx')] : [];
  if (options.endWithParent === true)
    imports.push('--import', new URL(`end-with-parent${EXTENSION}`, import.meta.url).href);
  return [process.execPath, ...imports, fileURLToPath(new URL(`../../${module}${EXTENSION}`, import.meta.url))];
}
