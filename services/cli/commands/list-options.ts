import type { Command } from 'commander';
import { positiveInteger } from './parse-arguments.ts';

/** Adds the options of commands that print a list: `--top`, `--columns` and `--sort`. */
export function addListOptions(command: Command): Command {
  return command
    .option('--top <number>', 'print only the first rows', positiveInteger)
    .option(
      '--columns <names>',
      'columns of the table, separated by commas; also parameters that all runs share',
      names,
    )
    .option('--sort <names>', 'columns to sort by, separated by commas; a - before a name reverses the order', names);
}

function names(text: string): readonly string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
