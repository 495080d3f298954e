import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { CheckpointCard } from '../client/checkpoint-card.ts';
import { CliError } from '../terminal/cli-errors.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { formatPercent } from '../terminal/format.ts';
import { writeResult } from '../terminal/output.ts';
import { renderTable } from '../terminal/table.ts';
import { runTool } from '../tool/run-tool.ts';
import { findCheckpoint } from './find-checkpoint.ts';

interface Prediction {
  readonly image: string;
  readonly className: string | null;
  readonly probabilities: readonly number[];
  readonly problem: string | null;
}

/** `graft predict`. */
export async function predictImages(
  context: CliContext,
  options: GlobalOptions,
  images: readonly string[],
  flags: { readonly checkpoint: string; readonly weights?: string },
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-predict-'));
  try {
    const choice = { named: flags.checkpoint, weights: flags.weights, folder };
    const { file, card } = await findCheckpoint(context, options, choice);
    await predict(context, options, file, card, images);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function predict(
  context: CliContext,
  options: GlobalOptions,
  checkpoint: string,
  card: CheckpointCard,
  images: readonly string[],
): Promise<void> {
  const predictions: Prediction[] = [];
  const request = {
    type: 'predict',
    checkpoint,
    parameters: card.parameters,
    classNames: card.classNames,
    images: images.map((image) => resolve(context.cwd, image)),
    cacheDir: context.paths.cacheDir,
  };
  await runTool(request, context.env, context.signal, ({ type, ...event }) => {
    if (type === 'prediction') predictions.push(event as unknown as Prediction);
  });
  const named = predictions.map((prediction, index) => ({ ...prediction, image: images[index] ?? prediction.image }));
  writeResult(context, options, { classNames: card.classNames, predictions: named }, () => describe(card, named));
  const unread = named.filter(({ problem }) => problem !== null).length;
  if (unread > 0) throw new CliError(`${unread} of ${named.length} images could not be read.`, EXIT.failure);
}

function describe(card: CheckpointCard, predictions: readonly Prediction[]): string {
  return renderTable(
    [{ title: 'image' }, { title: 'class' }, ...card.classNames.map((title) => ({ title, align: 'right' as const }))],
    predictions.map(({ image, className, probabilities, problem }) => [
      image,
      className ?? `(${problem ?? ''})`,
      ...probabilities.map(formatPercent),
    ]),
  );
}
