import type { Command } from 'commander';
import type { GlobalOptions } from '../context/cli-context.ts';

/** Returns the options that every command takes, as given to the command that is running. */
export function globalOptions(command: Command): GlobalOptions {
  return { ...command.optsWithGlobals<Omit<GlobalOptions, 'command'>>(), command: nameOf(command) };
}

function nameOf(command: Command): string {
  const { parent } = command;
  // The outermost one is the program.
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name();
}
