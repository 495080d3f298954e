import type { Command } from 'commander';
import type { GlobalOptions } from '../context/cli-context.ts';

/** Formats of all commands, and those that only `graft predict` has in addition. */
const OUTPUTS = ['table', 'json'] as const;
export const PREDICTION_OUTPUTS = ['table', 'json', 'jsonl', 'csv'] as const;

/**
 * Returns the options that every command takes, as given to the command that is running.
 *
 * @param formats formats of the command; any but `json` count as `table`.
 */
export function globalOptions(command: Command, formats: readonly string[] = OUTPUTS): GlobalOptions {
  const options = command.optsWithGlobals<Omit<GlobalOptions, 'command' | 'output'>>();
  const output = outputFormat(command, formats) === 'json' ? 'json' : 'table';
  return { ...options, output, command: nameOf(command) };
}

/** Returns the format given by `--output`; undefined: none was given. Ends the command with exit code 2 if it has not that format. */
export function outputFormat<T extends string>(command: Command, known: readonly T[]): T | undefined {
  const { output } = command.optsWithGlobals<{ readonly output?: string }>();
  if (output === undefined) return undefined;
  const found = known.find((format) => format === output);
  if (found !== undefined) return found;
  return command.error(
    `error: option '--output ${output}' is for graft predict only. Allowed here: ${known.join(', ')}.`,
  );
}

function nameOf(command: Command): string {
  const { parent } = command;
  // The outermost one is the program.
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name();
}
