import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { say } from '../terminal/output.ts';
import { GRAFT } from '../terminal/program-name.ts';

/** Prints the commands that people often type next, below a result that they see on a terminal. */
export function hint(context: CliContext, { output }: GlobalOptions, ...commands: readonly string[]): void {
  if (output === 'json' || context.stdout.isTTY !== true || context.stderr.isTTY !== true) return;
  say(context, `\nNext:  ${commands.map((command) => `${GRAFT} ${command}`).join('\n       ')}`);
}
