import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import { CliError, UsageError } from '../terminal/cli-errors.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { formatBytes } from '../terminal/format.ts';
import { writeResult } from '../terminal/output.ts';
import { StatusLine } from '../terminal/status-line.ts';
import { runTool } from '../tool/run-tool.ts';
import { globalOptions } from './client-command.ts';
import { findCheckpoint, weightsOption } from './find-checkpoint.ts';
import type { CheckpointChoice } from './find-checkpoint.ts';

interface ExportOptions {
  readonly format: string;
  readonly out: string;
  readonly force?: true;
  readonly weights?: string;
}

interface ExportedFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** Formats that are one file, and the end of its name. */
const FILE_ENDINGS: Readonly<Record<string, string>> = { keras: '.keras', 'keras-h5': '.h5' };

const HELP = `
Formats:
  keras     .keras file, for keras.models.load_model (Keras 3)
  keras-h5  legacy .h5 file of a whole model, for keras.models.load_model
  tfjs      folder with model.json, for tf.loadLayersModel of TensorFlow.js

The model takes RGB images of the run's size with values 0..255 (preprocessing is inside) and gives probabilities: one number,
that of the second class, for two classes; else one per class. A checkpoint from \`graft checkpoint download\` needs no
coordinator; the weights of the base must be on this machine (--weights says where), or are downloaded where Keras
publishes them.`;

/** `graft checkpoint export FILE_OR_ID`. */
export function addCheckpointExport(checkpoint: Command, context: CliContext): void {
  checkpoint
    .command('export <file-or-id>')
    .description('write the trained model for Keras or TensorFlow.js')
    .addOption(
      new Option('--format <format>', 'what to write').choices(['keras', 'keras-h5', 'tfjs']).makeOptionMandatory(),
    )
    .requiredOption('-o, --out <path>', 'file, or folder (then the file is called model)')
    .option('--force', 'replace what is there')
    .addOption(weightsOption())
    .addHelpText('after', HELP)
    .action(async (named: string, own: ExportOptions, command: Command) => {
      const target = exportTarget(resolve(context.cwd, own.out), own);
      const folder = await mkdtemp(join(tmpdir(), 'graft-export-'));
      try {
        await exportTo(context, globalOptions(command), {
          named,
          weights: own.weights,
          folder,
          format: own.format,
          target,
        });
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
}

/** Where the model is written. @throws UsageError when something is there or the name doesn't fit the format. */
function exportTarget(out: string, { format, force }: ExportOptions): string {
  const ending = FILE_ENDINGS[format];
  const isFolder = existsSync(out) && statSync(out).isDirectory();
  if (ending === undefined) {
    if (existsSync(out) && !isFolder) throw new UsageError(`--out: ${out} is a file; format ${format} needs a folder.`);
    refuseExisting(join(out, 'model.json'), force);
    return out;
  }
  const given = isFolder ? '' : extname(out);
  if (given !== '' && given !== ending) {
    throw new UsageError(`--out: ${out} ends in ${given}; a file of format ${format} ends in ${ending}.`);
  }
  const target = given === '' ? join(out, `model${ending}`) : out;
  refuseExisting(target, force);
  return target;
}

function refuseExisting(path: string, force: true | undefined): void {
  if (force === true || !existsSync(path)) return;
  throw new UsageError(`--out: ${path} exists already. Name another place, or add --force to replace it.`);
}

interface Export extends CheckpointChoice {
  readonly format: string;
  readonly target: string;
}

async function exportTo(
  context: CliContext,
  options: GlobalOptions,
  { format, target, ...choice }: Export,
): Promise<void> {
  const { file, card } = await findCheckpoint(context, options, choice);
  const { parameters, classNames } = card;
  const { cacheDir } = context.paths;
  const request = { type: 'export', checkpoint: file, parameters, classNames, format, target, cacheDir };
  const status = new StatusLine(context.stderr);
  let files: readonly ExportedFile[] = [];
  try {
    await runTool(request, context.env, context.signal, (event) => {
      if (event.type === 'progress') {
        status.show(`${String(event['detail'])}: ${String(event['done'])} of ${String(event['total'])}`);
      }
      if (event.type === 'exported') files = event['files'] as readonly ExportedFile[];
    });
  } finally {
    status.clear();
  }
  if (files.length === 0) throw new CliError(`Nothing was written to ${target}.`);
  writeResult(context, options, { format, classNames, files }, () =>
    files.map(({ path, sizeBytes }) => `${path}: ${formatBytes(sizeBytes)}`).join('\n'),
  );
}
