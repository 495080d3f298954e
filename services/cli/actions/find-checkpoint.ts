import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readCheckpointCard, requireUndamaged, writeCheckpointCard } from '../client/checkpoint-card.ts';
import type { CheckpointCard } from '../client/checkpoint-card.ts';
import { downloadCheckpointFile } from '../client/download-checkpoint.ts';
import { resolveCheckpoint } from '../client/handles.ts';
import { MissingError } from '../terminal/cli-errors.ts';
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
 * @throws MissingError for a file that is not a checkpoint, and an unknown handle; UsageError for an ambiguous one; CliError for a file
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
  if (existsSync(given)) return { file: given, card: await cardOf(context, options, given) };
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
  if (runId === null) throw new MissingError(`${file} is not a checkpoint of Graft: it names no run.`);
  return withClient(context, options, async (client) => {
    const saved = (await client.listCheckpoints({ runId })).at(-1);
    if (saved === undefined)
      throw new MissingError(`The coordinator has no checkpoint of run ${runId}, which ${file} belongs to.`);
    return writeCheckpointCard(client, saved, file);
  });
}

/** Reads the run id from the header of a safetensors file: 8 bytes of length, then JSON; null if there is none. */
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
