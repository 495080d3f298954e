import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { nodeProgram } from '../../platform/lifecycle/node-program.ts';

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
  const { script, execArgv } = nodeProgram(module);
  const imports =
    options.endWithParent === true
      ? ['--import', pathToFileURL(nodeProgram('cli/cluster/end-with-parent').script).href]
      : [];
  return [process.execPath, ...execArgv, ...imports, script];
}
