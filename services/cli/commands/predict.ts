import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { readCheckpointCard, writeCheckpointCard } from '../client/checkpoint-card.ts';
import type { CheckpointCard } from '../client/checkpoint-card.ts';
import { downloadCheckpointFile } from '../client/download-checkpoint.ts';
import { CliError, MissingError } from '../cli-errors.ts';
import type { CliContext, GlobalOptions } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { formatPercent } from '../format.ts';
import { say, writeResult } from '../output.ts';
import { renderTable } from '../table.ts';
import { runTool } from '../tool/run-tool.ts';
import { globalOptions, withClient } from './client-command.ts';

interface Prediction {
  readonly image: string;
  readonly className: string | null;
  readonly probabilities: readonly number[];
  readonly problem: string | null;
}

/** `graft predict --checkpoint FILE_OR_ID IMAGE…`. */
export function addPredictCommand(program: Command, context: CliContext): void {
  program
    .command('predict <image...>')
    .description('classify images with a checkpoint')
    .requiredOption(
      '--checkpoint <file-or-id>',
      'a file saved by `graft checkpoint download`, or the id of a checkpoint',
    )
    .action(async (images: string[], own: { checkpoint: string }, command: Command) => {
      const options = globalOptions(command);
      const folder = await mkdtemp(join(tmpdir(), 'graft-predict-'));
      try {
        const { file, card } = await findCheckpoint(context, options, own.checkpoint, folder);
        await predict(context, options, file, card, images);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
}

interface FoundCheckpoint {
  readonly file: string;
  readonly card: CheckpointCard;
}

async function findCheckpoint(
  context: CliContext,
  options: GlobalOptions,
  named: string,
  folder: string,
): Promise<FoundCheckpoint> {
  const given = resolve(context.cwd, named);
  if (existsSync(given)) return { file: given, card: await cardOf(context, options, given) };
  return withClient(context, options, async (client) => {
    const file = join(folder, 'checkpoint.safetensors');
    const note = (text: string): void => say(context, text);
    const saved = await downloadCheckpointFile(client, named, file, { signal: context.signal, note });
    return { file, card: await writeCheckpointCard(client, saved, file) };
  });
}

/** A file that was copied without its card still names its run, which the coordinator knows. */
async function cardOf(context: CliContext, options: GlobalOptions, file: string): Promise<CheckpointCard> {
  const card = await readCheckpointCard(file);
  if (card !== null) return card;
  const runId = await runIdIn(file);
  if (runId === null) throw new MissingError(`${file} is no checkpoint of Graft: it names no run.`);
  return withClient(context, options, async (client) => {
    const saved = (await client.listCheckpoints({ runId })).at(-1);
    if (saved === undefined)
      throw new MissingError(`The coordinator has no checkpoint of run ${runId}, which ${file} is of.`);
    return writeCheckpointCard(client, saved, file);
  });
}

/** The run's id from the header of a safetensors file: 8 bytes of length, then JSON. */
async function runIdIn(file: string): Promise<string | null> {
  const bytes = await readFile(file);
  const length = bytes.length < 8 ? 0 : Number(bytes.readBigUInt64LE(0));
  try {
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as { __metadata__?: { state?: string } };
    const { runId } = JSON.parse(header.__metadata__?.state ?? '{}') as { runId?: unknown };
    return typeof runId === 'string' ? runId : null;
  } catch {
    return null;
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
