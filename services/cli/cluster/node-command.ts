import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { nodeProgram } from '../../platform/lifecycle/node-program.ts';

export interface NodeCommandOptions {
  /** Ends the child when this process ends in any way (`end-with-parent.ts`). */
  readonly endWithParent?: boolean;
}

/**
 * Returns the program and arguments that run a module of Graft in a separate Node process.
 *
 * @param module path below `services` without extension, for example `coordinator/main`.
 */
export function nodeCommand(module: string, options: NodeCommandOptions = {}): readonly [string, ...string[]] {
  const { script, execArgv } = nodeProgram(module);
  const imports =
    options.endWithParent === true
      ? ['--import', pathToFileURL(nodeProgram('cli/cluster/end-with-parent').script).href]
      : [];
  return [process.execPath, ...execArgv, ...imports, script];
}
