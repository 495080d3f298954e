import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ArtifactDamagedError } from '../../core/errors.ts';
import { isUnavailable } from '../../platform/rpc/errors.ts';
import { CliError } from '../terminal/cli-errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { CheckpointRecord } from '../../core/records/checkpoint.ts';
import type { GraftClient } from './client-port.ts';

const RETRY_MS = 1_000;
const MAX_RETRIES = 30;

export interface CheckpointDownloadOptions {
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
}

/**
 * Downloads a checkpoint to `<file>.<id>.part`, and renames it when size and digest are right. A later call resumes from the part.
 *
 * @throws CliError if the bytes differ from the registered ones; ArtifactDamagedError if the stored file is damaged;
 * NotFoundError for an unknown id.
 */
export async function downloadCheckpointFile(
  client: GraftClient,
  checkpointId: string,
  file: string,
  { signal, note }: CheckpointDownloadOptions,
): Promise<CheckpointRecord> {
  await mkdir(dirname(file), { recursive: true });
  const part = `${file}.${checkpointId.replaceAll(/[^\w.-]/g, '_')}.part`;
  let checkpoint: CheckpointRecord | null = null;
  for (let retries = 0; ;) {
    const offset = await sizeOf(part);
    try {
      checkpoint = (await appendChunks(client, checkpointId, part, offset, signal)) ?? checkpoint;
      break;
    } catch (error) {
      signal.throwIfAborted();
      // The part is useless: the next call starts from the beginning, and fails likewise while the file is damaged.
      if (error instanceof ArtifactDamagedError) await rm(part, { force: true });
      if (!isUnavailable(error) || retries >= MAX_RETRIES) throw error;
      // Only attempts without progress count.
      retries = (await sizeOf(part)) > offset ? 0 : retries + 1;
      if (retries <= 1) note('the connection was lost; resuming as soon as the coordinator answers …');
      await sleep(RETRY_MS, undefined, { signal });
    }
  }
  if (checkpoint === null) throw new CliError(`The coordinator sent nothing for checkpoint ${checkpointId}.`);
  await check(part, checkpoint);
  await rename(part, file);
  return checkpoint;
}

async function appendChunks(
  client: GraftClient,
  checkpointId: string,
  part: string,
  offset: number,
  signal: AbortSignal,
): Promise<CheckpointRecord | null> {
  let checkpoint: CheckpointRecord | null = null;
  let handle: FileHandle | null = null;
  try {
    for await (const chunk of client.downloadCheckpoint(checkpointId, offset, signal)) {
      checkpoint ??= chunk.checkpoint;
      handle ??= await open(part, offset === 0 ? 'w' : 'r+');
      await handle.write(chunk.data, 0, chunk.data.length, chunk.offset);
    }
    await handle?.sync();
  } finally {
    await handle?.close();
  }
  return checkpoint;
}

async function check(part: string, checkpoint: CheckpointRecord): Promise<void> {
  const size = await sizeOf(part);
  const sha256 = await digestOf(part);
  if (size === checkpoint.sizeBytes && sha256 === checkpoint.sha256) return;
  await rm(part, { force: true });
  throw new CliError(
    `Checkpoint ${checkpoint.checkpointId} came with ${size} bytes and sha256 ${sha256}, but ${checkpoint.sizeBytes} bytes ` +
      `and ${checkpoint.sha256} are registered. The received bytes are deleted; download it again.`,
    EXIT.unavailable,
  );
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
