import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { findImages } from '../dataset/find-images.ts';
import { predictionFormat } from '../describe/prediction-format.ts';
import type { Prediction, PredictionOutput } from '../describe/prediction-format.ts';
import { CliError } from '../terminal/cli-errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { formatDuration } from '../terminal/format.ts';
import { say } from '../terminal/output.ts';
import { fileSink, streamSink } from '../terminal/result-sink.ts';
import { STANDARD_STREAM } from '../terminal/standard-stream.ts';
import { StatusLine } from '../terminal/status-line.ts';
import { runTool } from '../tool/run-tool.ts';
import { countOf } from '../../core/text/count-of.ts';
import { findCheckpoint } from './find-checkpoint.ts';
import type { FoundCheckpoint } from './find-checkpoint.ts';

/** Flags of `graft predict`. */
export interface PredictFlags {
  readonly out?: string;
  readonly weights?: string;
}

/** The model and the images of `graft predict`. */
export interface PredictRequest {
  /** File or handle of the checkpoint. */
  readonly model: string;
  /** Files, folders and patterns. */
  readonly images: readonly string[];
  /** Format of the result; undefined: that of the output file's ending, else a table. */
  readonly output: PredictionOutput | undefined;
}

/**
 * `graft predict`.
 *
 * @throws CliError with `EXIT.incomplete` after the result if some images could not be read.
 */
export async function predictImages(
  context: CliContext,
  options: GlobalOptions,
  { model, images, output }: PredictRequest,
  flags: PredictFlags,
): Promise<void> {
  const { paths, leftOut, folderLinks } = await findImages(images, context.cwd, context.stdin);
  if (leftOut > 0) say(context, `Left out ${countOf(leftOut, 'file')} without the ending of an image.`);
  if (folderLinks.length > 0) say(context, describeFolderLinks(folderLinks));
  const folder = await mkdtemp(join(tmpdir(), 'graft-predict-'));
  const toStream = flags.out === undefined || flags.out === STANDARD_STREAM;
  const sink = toStream ? streamSink(context.stdout) : await fileSink(resolve(context.cwd, flags.out), '--out');
  try {
    const found = await findCheckpoint(context, options, { named: model, weights: flags.weights, folder });
    const format = predictionFormat(output ?? outputOf(flags.out), {
      classNames: found.card.classNames,
      paths,
      columns: toStream && context.stdout.isTTY === true ? context.stdout.columns || null : null,
    });
    // The head waits for the first prediction, which a model that can't be loaded does not reach.
    let head = format.head;
    const problems = await predict(context, found, paths, (prediction) => {
      sink.write(head + format.row(prediction));
      head = '';
    });
    sink.write(format.foot);
    sink.finish();
    report(context, flags.out, paths.length, problems);
  } finally {
    sink.discard();
    await rm(folder, { recursive: true, force: true });
  }
}

function describeFolderLinks([first = '', ...others]: readonly string[]): string {
  if (others.length === 0) return `Not entered: ${first}, a link to a folder. To classify its images, name it too.`;
  return `Not entered: ${first} and ${others.length} more, links to folders. To classify their images, name them too.`;
}

const OUTPUT_OF_ENDING: Readonly<Record<string, PredictionOutput>> = {
  '.csv': 'csv',
  '.json': 'json',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
};

function outputOf(out: string | undefined): PredictionOutput {
  return OUTPUT_OF_ENDING[extname(out ?? '').toLowerCase()] ?? 'table';
}

interface Problems {
  count: number;
  /** The first image that could not be read, with the reason. */
  first: string;
}

async function predict(
  context: CliContext,
  { file, card }: FoundCheckpoint,
  paths: readonly string[],
  onPrediction: (prediction: Prediction) => void,
): Promise<Problems> {
  const request = {
    type: 'predict',
    checkpoint: file,
    parameters: card.parameters,
    classNames: card.classNames,
    images: paths.map((path) => resolve(context.cwd, path)),
    cacheDir: context.paths.cacheDir,
  };
  const problems: Problems = { count: 0, first: '' };
  const status = new StatusLine(context.stderr, context.env);
  const progress = new Progress();
  let index = 0;
  status.show('loading the model …');
  try {
    await runTool(request, context.env, context.signal, ({ type, ...event }) => {
      if (type === 'prediction') {
        const prediction = { ...(event as unknown as Prediction), image: paths[index++] ?? '' };
        if (prediction.problem !== null && ++problems.count === 1) {
          problems.first = `${prediction.image}: ${prediction.problem}`;
        }
        status.clear();
        onPrediction(prediction);
      }
      if (type === 'progress') status.show(progress.describe(event as unknown as ToolProgress));
    });
  } finally {
    status.clear();
  }
  return problems;
}

interface ToolProgress {
  readonly done: number;
  readonly total: number;
  readonly detail: string;
}

/** Describes progress with the rate and the remaining time since the first batch, which loading the model precedes. */
class Progress {
  #first: { readonly done: number; readonly time: number } | null = null;

  describe({ done, total, detail }: ToolProgress): string {
    const text = `${detail}: ${done} of ${total}`;
    if (detail !== 'images') return text;
    const now = performance.now();
    if (this.#first === null) {
      this.#first = { done, time: now };
      return text;
    }
    const rate = (done - this.#first.done) / Math.max(1e-3, (now - this.#first.time) / 1_000);
    return `${text}, ${rate.toFixed(0)} a second, ${formatDuration(((total - done) / rate) * 1_000)} left`;
  }
}

function report(context: CliContext, out: string | undefined, count: number, { count: unread, first }: Problems): void {
  if (out !== undefined && out !== STANDARD_STREAM) say(context, `${out}: predictions of ${countOf(count, 'image')}.`);
  if (unread === 0) return;
  const example = `${unread === 1 ? ':' : ', for example'} ${first}`;
  throw new CliError(
    `${unread} of ${countOf(count, 'image')} could not be read${example}${first.endsWith('.') ? '' : '.'}`,
    EXIT.incomplete,
  );
}
