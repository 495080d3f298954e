import { Option } from 'commander';
import type { Command } from 'commander';
import type { ExportFlags } from '../actions/export-checkpoint.ts';
import type { CollectFlags } from '../actions/manage-checkpoints.ts';
import type { ListFlags } from '../terminal/list.ts';
import { addListOptions } from './list-options.ts';
import type { PredictFlags } from '../actions/predict-images.ts';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions, outputFormat, PREDICTION_OUTPUTS } from './global-options.ts';
import { CHECKPOINT_HANDLE, SWEEP_HANDLE } from './handles.ts';

const EXPORT_FORMATS = ['keras', 'keras-h5', 'tfjs'] as const;

const WEIGHTS = ['--weights <file>', "weight file of the base (default: the run's, as the trainers had it)"] as const;

const EXPORT_HELP = `
  graft checkpoint export latest -o model.keras

Formats:
  keras     .keras file, for keras.models.load_model (Keras 3)
  keras-h5  legacy .h5 file of a whole model, for keras.models.load_model
  tfjs      folder with model.json, for tf.loadLayersModel of TensorFlow.js

The model takes RGB images of the run's size with values 0..255 (it includes preprocessing) and returns probabilities:
for two classes one number, that of the second class; else one per class. A checkpoint from \`graft checkpoint download\`
needs no coordinator. The weights of the base must be on this machine (--weights names the file), or are downloaded from
where Keras publishes them.`;

const PREDICT_HELP = `
A folder stands for all images in it and in its folders. Quote a pattern to keep the shell from expanding it: there is no limit to
the number of images then. Files are decoded on all cores.

Formats (--output): table; csv, one column p_<class> for each class; jsonl, one JSON object a line; json, one object. Predictions
have the order of the images. An image that can't be read is in the result with the reason, and the exit code is 4.

  graft predict latest photos/
  graft predict latest "photos/**/*.jpg" -o predictions.csv
  graft predict latest/3 - --output jsonl < paths.txt`;

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
    .requiredOption('-o, --out <path>', 'file to write, or a folder (then the file is called model)')
    .addOption(
      new Option('--format <format>', 'format of the model (default: that of the ending of --out, else keras)').choices(
        EXPORT_FORMATS,
      ),
    )
    .option('--force', 'replace an existing model')
    .option(...WEIGHTS)
    .addHelpText('after', EXPORT_HELP)
    .action(async (named: string, flags: ExportFlags, command: Command) => {
      const { exportCheckpoint } = await import('../actions/export-checkpoint.ts');
      await exportCheckpoint(context, globalOptions(command), named, flags);
    });
  program
    .command('predict')
    .argument('<checkpoint>', `file from \`graft checkpoint download\`, or ${CHECKPOINT_HANDLE}`)
    .argument('[image...]', 'image files, folders, patterns such as "photos/*.jpg", or - for a list on standard input')
    .description('classify images with a trained model')
    .option('-o, --out <file>', 'file to write (default: standard output); .csv, .json and .jsonl choose the format')
    .option(...WEIGHTS)
    .addOption(new Option('--checkpoint <checkpoint>', 'the same as the first argument').hideHelp())
    .addHelpText('after', PREDICT_HELP)
    .action(async (first: string, rest: string[], flags: PredictFlags & LegacyFlags, command: Command) => {
      const { predictImages } = await import('../actions/predict-images.ts');
      const { checkpoint: model = first } = flags;
      const images = flags.checkpoint === undefined ? rest : [first, ...rest];
      if (images.length === 0) command.error("error: missing required argument 'image'", { exitCode: 2 });
      const output = outputFormat(command, PREDICTION_OUTPUTS);
      await predictImages(context, globalOptions(command, PREDICTION_OUTPUTS), { model, images, output }, flags);
    });
}

interface LegacyFlags {
  /** The model, before it was an argument. */
  readonly checkpoint?: string;
}
