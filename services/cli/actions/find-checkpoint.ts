import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readCheckpointCard, requireUndamaged, writeCheckpointCard } from '../client/checkpoint-card.ts';
import type { CheckpointCard } from '../client/checkpoint-card.ts';
import { downloadCheckpointFile } from '../client/download-checkpoint.ts';
import { resolveCheckpoint } from '../client/handles.ts';
import { MissingError, UsageError } from '../terminal/cli-errors.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { say } from '../terminal/output.ts';
import { withClient } from './with-client.ts';

export interface FoundCheckpoint {
  readonly file: string;
  readonly card: CheckpointCard;
}

export interface CheckpointChoice {
  /** File or handle of the checkpoint. */
  readonly named: string;
  /** Weight file of the base; undefined: the weights that the run was trained with. */
  readonly weights: string | undefined;
  /** Folder for a downloaded checkpoint. */
  readonly folder: string;
}

/**
 * Finds a checkpoint by file or handle. A file is used with the card beside it, without a coordinator. A handle's is downloaded.
 *
 * @throws UsageError for a file that is not a checkpoint, and an ambiguous handle; MissingError for an unknown one; CliError for a file
 * that was damaged after its download.
 */
export async function findCheckpoint(
  context: CliContext,
  options: GlobalOptions,
  { named, weights, folder }: CheckpointChoice,
): Promise<FoundCheckpoint> {
  const { file, card } = await fileWithCard(context, options, named, folder);
  if (weights === undefined) return { file, card };
  const parameters = { ...card.parameters, weights: resolve(context.cwd, weights) };
  return { file, card: { ...card, parameters } };
}

async function fileWithCard(
  context: CliContext,
  options: GlobalOptions,
  named: string,
  folder: string,
): Promise<FoundCheckpoint> {
  const given = resolve(context.cwd, named);
  // A sweep may have the name of a folder here; a folder is no checkpoint.
  const isFile = statSync(given, { throwIfNoEntry: false })?.isDirectory() === false;
  if (isFile) return { file: given, card: await cardOf(context, options, given) };
  return withClient(context, options, async (client) => {
    const file = join(folder, 'checkpoint.safetensors');
    const note = (text: string): void => say(context, text);
    const checkpointId = await resolveCheckpoint(client, named);
    const saved = await downloadCheckpointFile(client, checkpointId, file, { signal: context.signal, note });
    return { file, card: await writeCheckpointCard(client, saved, file) };
  });
}

/** Returns the card beside a file. For a file copied without its card, asks the coordinator by the run id in the file. */
async function cardOf(context: CliContext, options: GlobalOptions, file: string): Promise<CheckpointCard> {
  const card = await readCheckpointCard(file);
  if (card !== null) {
    await requireUndamaged(file, card);
    return card;
  }
  const runId = await runIdIn(file);
  if (runId === null) throw notACheckpoint(file);
  return withClient(context, options, async (client) => {
    const saved = (await client.listCheckpoints({ runId })).at(-1);
    if (saved === undefined)
      throw new MissingError(`The coordinator has no checkpoint of run ${runId}, which ${file} belongs to.`);
    return writeCheckpointCard(client, saved, file);
  });
}

function notACheckpoint(file: string): UsageError {
  const isExported = /\.(keras|h5|hdf5)$/i.test(file);
  const hint = isExported ? ' It is an exported model: load it with Keras, or name the sweep or run it is from.' : '';
  return new UsageError(`${file} is not a checkpoint of Graft: it names no run.${hint}`);
}

/** Maximum size of the header of a checkpoint file, which has the names and shapes of its tensors. */
const MAX_HEADER_BYTES = 100_000_000;

/** Reads the run id from the header of a safetensors file: 8 bytes of length, then JSON; null if there is none. */
async function runIdIn(path: string): Promise<string | null> {
  await using file = await open(path);
  const begin = Buffer.alloc(8);
  const { bytesRead } = await file.read(begin, 0, 8, 0);
  const length = bytesRead < 8 ? 0n : begin.readBigUInt64LE(0);
  if (length === 0n || length > MAX_HEADER_BYTES) return null;
  const header = Buffer.alloc(Number(length));
  await file.read(header, 0, header.length, 8);
  try {
    const { __metadata__: metadata } = JSON.parse(header.toString('utf8')) as { __metadata__?: { state?: string } };
    const { runId } = JSON.parse(metadata?.state ?? '{}') as { runId?: unknown };
    return typeof runId === 'string' ? runId : null;
  } catch {
    return null;
  }
}
