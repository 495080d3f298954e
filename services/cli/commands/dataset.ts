import type { Command } from 'commander';
import type { CheckDatasetFlags } from '../actions/check-dataset.ts';
import type { FetchDatasetFlags } from '../actions/fetch-dataset.ts';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './global-options.ts';

/** `graft dataset …`. */
export function addDatasetCommands(program: Command, context: CliContext): void {
  const dataset = program.command('dataset').description('check a folder of images, or fetch a public one');
  dataset
    .command('check <dir>')
    .description('index a folder as a sweep would, and list every problem')
    .option('--split <train,validation,test>', 'fractions to split <dir>/<class>/<image> by, for example 0.7,0.15,0.15')
    .option('--split-seed <number>', 'seed of the split', '0')
    .option('--allow-duplicates', 'allow the same image in two splits')
    .option('--skip-bad-files', "skip files that can't be decoded")
    .option('--strict', 'report near-duplicates across splits as errors instead of notes')
    .action(async (folder: string, flags: CheckDatasetFlags, command: Command) => {
      const { checkDataset } = await import('../actions/check-dataset.ts');
      await checkDataset(context, globalOptions(command), folder, flags);
    });
  dataset
    .command('fetch <name>')
    .description('download a public data set: cats-vs-dogs (825 MB; 2000 training, 1000 validation, 2000 test images)')
    .option('-o, --out <dir>', 'folder to write (default: data/cats-vs-dogs in the cache folder)')
    .option('--keep-archive', 'keep the archive after unpacking')
    .action(async (name: string, flags: FetchDatasetFlags, command: Command) => {
      const { fetchDataset } = await import('../actions/fetch-dataset.ts');
      await fetchDataset(context, globalOptions(command), name, flags);
    });
}
