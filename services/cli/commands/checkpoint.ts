import { Option } from 'commander';
import type { Command } from 'commander';
import type { ExportFlags } from '../actions/export-checkpoint.ts';
import type { CollectFlags } from '../actions/manage-checkpoints.ts';
import type { ListFlags } from '../terminal/list.ts';
import { addListOptions } from './list-options.ts';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './global-options.ts';
import { CHECKPOINT_HANDLE, SWEEP_HANDLE } from './handles.ts';

const WEIGHTS = ['--weights <file>', "weight file of the base (default: the run's, as the trainers had it)"] as const;

const EXPORT_HELP = `
Formats:
  keras     .keras file, for keras.models.load_model (Keras 3)
  keras-h5  legacy .h5 file of a whole model, for keras.models.load_model
  tfjs      folder with model.json, for tf.loadLayersModel of TensorFlow.js

The model takes RGB images of the run's size with values 0..255 (it includes preprocessing) and returns probabilities:
for two classes one number, that of the second class; else one per class. A checkpoint from \`graft checkpoint download\`
needs no coordinator. The weights of the base must be on this machine (--weights names the file), or are downloaded from
where Keras publishes them.`;

/** `graft checkpoint …` and `graft predict`. */
export function addCheckpointCommands(program: Command, context: CliContext): void {
  const checkpoint = program.command('checkpoint').description('list, download, export and retain trained weights');
  addListOptions(checkpoint.command('list'))
    .argument('[sweep]', SWEEP_HANDLE)
    .description('list the checkpoints of a sweep (default: latest), or of one run')
    .option('--run <run>', 'list the checkpoints of this run only; beside a sweep: its number or `best`')
    .action(async (sweep: string | undefined, flags: ListFlags & { readonly run?: string }, command: Command) => {
      const { listCheckpoints } = await import('../actions/manage-checkpoints.ts');
      await listCheckpoints(context, globalOptions(command), sweep, flags);
    });
  checkpoint
    .command('download')
    .argument('<checkpoint>', CHECKPOINT_HANDLE)
    .description('download a checkpoint to a file; resumes an interrupted download')
    .requiredOption('-o, --out <file>', 'file to write')
    .action(async (id: string, flags: { readonly out: string }, command: Command) => {
      const { downloadCheckpoint } = await import('../actions/manage-checkpoints.ts');
      await downloadCheckpoint(context, globalOptions(command), id, flags.out);
    });
  for (const [name, pinned, description] of [
    ['pin', true, 'exempt a checkpoint from retention'],
    ['unpin', false, 'return a pinned checkpoint to retention'],
  ] as const) {
    checkpoint
      .command(name)
      .argument('<checkpoint>', CHECKPOINT_HANDLE)
      .description(description)
      .action(async (id: string, _flags: unknown, command: Command) => {
        const { pinCheckpoint } = await import('../actions/manage-checkpoints.ts');
        await pinCheckpoint(context, globalOptions(command), id, pinned);
      });
  }
  checkpoint
    .command('gc')
    .description('remove unneeded checkpoints now; the coordinator does the same periodically')
    .option('--dry-run', 'print what would be removed, and remove nothing')
    .option('--sweep <sweep>', 'sweep to collect (default: all sweeps)')
    .option(
      '--keep <number>',
      "number of best checkpoints to keep of an ended sweep (default: the coordinator's setting)",
    )
    .action(async (flags: CollectFlags, command: Command) => {
      const { collectCheckpoints } = await import('../actions/manage-checkpoints.ts');
      await collectCheckpoints(context, globalOptions(command), flags);
    });
  checkpoint
    .command('export')
    .argument('<checkpoint>', `file from \`graft checkpoint download\`, or ${CHECKPOINT_HANDLE}`)
    .description('write the trained model for Keras or TensorFlow.js')
    .addOption(
      new Option('--format <format>', 'format of the model')
        .choices(['keras', 'keras-h5', 'tfjs'])
        .makeOptionMandatory(),
    )
    .requiredOption('-o, --out <path>', 'file to write, or a folder (then the file is called model)')
    .option('--force', 'replace an existing model')
    .option(...WEIGHTS)
    .addHelpText('after', EXPORT_HELP)
    .action(async (named: string, flags: ExportFlags, command: Command) => {
      const { exportCheckpoint } = await import('../actions/export-checkpoint.ts');
      await exportCheckpoint(context, globalOptions(command), named, flags);
    });
  program
    .command('predict <image...>')
    .description('classify images with a checkpoint')
    .requiredOption('--checkpoint <checkpoint>', `file from \`graft checkpoint download\`, or ${CHECKPOINT_HANDLE}`)
    .option(...WEIGHTS)
    .action(
      async (images: string[], flags: { readonly checkpoint: string; readonly weights?: string }, command: Command) => {
        const { predictImages } = await import('../actions/predict-images.ts');
        await predictImages(context, globalOptions(command), images, flags);
      },
    );
}
