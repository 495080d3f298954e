import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { hashFile } from '../../platform/files/hash-file.ts';
import type { CheckpointRecord } from '../../core/records/checkpoint.ts';
import type { GraftClient } from './client-port.ts';
import { toJson } from '../terminal/output.ts';
import { CliError } from '../terminal/cli-errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { quoted } from '../terminal/quoted.ts';

const card = z.object({
  checkpoint_id: z.string(),
  run_id: z.string(),
  sweep_id: z.string(),
  class_names: z.array(z.string()).min(2),
  parameters: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  sha256: z.string().nullish(),
});

/** Metadata beside a checkpoint file (`<file>.json`) that makes it usable without the coordinator. */
export interface CheckpointCard {
  readonly checkpointId: string;
  readonly runId: string;
  readonly sweepId: string;
  /** Class names in label order. */
  readonly classNames: readonly string[];
  /** All parameters of the run. */
  readonly parameters: Readonly<Record<string, number | string | boolean>>;
  /** Digest of the file if it was the registered one when the card was written; null: unknown. */
  readonly sha256: string | null;
}

/** Writes the run and its classes, as the coordinator has them, beside the checkpoint's file. */
export async function writeCheckpointCard(
  client: GraftClient,
  checkpoint: CheckpointRecord,
  file: string,
): Promise<CheckpointCard> {
  const { run } = await client.getRun(checkpoint.runId);
  const { datasetId } = await client.getSweep(run.sweepId);
  if (datasetId === null)
    throw new CliError(`Sweep ${run.sweepId} has no indexed data set, so the classes are unknown.`, EXIT.conflict);
  const { classNames } = await client.getDataset(datasetId, run.sweepId);
  const { checkpointId, runId } = checkpoint;
  const sha256 = (await hashFile(file, 'sha256')) === checkpoint.sha256 ? checkpoint.sha256 : null;
  const made = { checkpointId, runId, sweepId: run.sweepId, classNames, parameters: run.parameters, sha256 };
  await writeFile(cardPath(file), `${toJson(made)}\n`);
  return made;
}

/**
 * Reads the card beside a checkpoint's file; null if there is none.
 *
 * @throws CliError for a damaged card.
 */
export async function readCheckpointCard(file: string): Promise<CheckpointCard | null> {
  const text = await readFile(cardPath(file), 'utf8').catch(() => null);
  if (text === null) return null;
  const parsed = card.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new CliError(
      `${cardPath(file)} is damaged (${parsed.error.issues[0]?.message ?? ''}). Delete it, and the next download writes it.`,
      EXIT.usage,
    );
  }
  const { checkpoint_id, run_id, sweep_id, class_names, parameters, sha256 = null } = parsed.data;
  return { checkpointId: checkpoint_id, runId: run_id, sweepId: sweep_id, classNames: class_names, parameters, sha256 };
}

/** @throws CliError if the file's bytes differ from those that were saved with its card. */
export async function requireUndamaged(file: string, { checkpointId, sha256 }: CheckpointCard): Promise<void> {
  if (sha256 === null) return;
  const actual = await hashFile(file, 'sha256');
  if (actual === sha256) return;
  throw new CliError(
    `${file} is damaged: it was saved as checkpoint ${checkpointId} with sha256 ${sha256}, and is ${actual} now. Download it ` +
      `again: ${GRAFT} checkpoint download ${checkpointId} -o ${quoted(file)}`,
    EXIT.usage,
  );
}

function cardPath(file: string): string {
  return `${file}.json`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
