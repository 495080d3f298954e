import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  readCheckpointCard,
  requireUndamaged,
  writeCheckpointCard,
} from '../../../services/cli/client/checkpoint-card.ts';
import { ArtifactDamagedError } from '../../../services/core/errors.ts';
import { downloadCheckpointFile } from '../../../services/cli/client/download-checkpoint.ts';
import type { CheckpointRecord } from '../../../services/core/records/checkpoint.ts';
import type { CheckpointChunk, GraftClient } from '../../../services/cli/client/client-port.ts';
import { RpcError } from '../../../services/platform/rpc/errors.ts';
import { damageFile } from '../../support/damage-file.ts';
import { sampleReport, sampleRun, sampleSweep } from './sample-sweep.ts';

const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 251));
const CHUNK = 65_536;

const checkpoint: CheckpointRecord = {
  checkpointId: 'c1',
  runId: 's1-r003',
  stage: 'HEAD',
  epoch: 3,
  kind: 'BEST',
  uri: 'checkpoints/c1',
  sha256: createHash('sha256').update(bytes).digest('hex'),
  sizeBytes: bytes.length,
  value: 0.1,
  createTime: new Date(0),
  pinned: false,
};

let folder: string;
let file: string;
let offsets: number[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'graft-download-'));
  file = join(folder, 'deep', 'best.safetensors');
  offsets = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Sends chunks; call number `cutAt` fails after its first chunk. */
function client(cutAt: number, content = bytes): GraftClient {
  return {
    async *downloadCheckpoint(_id: string, offset: number): AsyncGenerator<CheckpointChunk> {
      offsets.push(offset);
      const call = offsets.length;
      for (let at = offset; at < content.length; at += CHUNK) {
        yield await Promise.resolve({
          checkpoint: at === offset ? checkpoint : null,
          offset: at,
          data: content.subarray(at, at + CHUNK),
        });
        if (call === cutAt) throw new RpcError('UNAVAILABLE', 'cut');
      }
    },
    getRun: () => Promise.resolve({ run: sampleRun(3), attempts: [] }),
    getSweep: () => Promise.resolve(sampleSweep()),
    getDataset: () => Promise.resolve(sampleReport().dataset),
  } as unknown as GraftClient;
}

const options = { signal: new AbortController().signal, note: (): void => undefined };

describe('downloading a checkpoint', () => {
  it('resumes at the byte where the connection was cut', async () => {
    expect(await downloadCheckpointFile(client(1), 'c1', file, options)).toEqual(checkpoint);
    expect(offsets).toEqual([0, CHUNK]);
    expect(readFileSync(file)).toEqual(bytes);
    expect(readdirSync(join(folder, 'deep'))).toEqual(['best.safetensors']);
  });

  it('resumes in a later call, after an interruption', async () => {
    const interrupt = new AbortController();
    const note = (): void => interrupt.abort(new Error('received SIGINT'));
    await expect(downloadCheckpointFile(client(1), 'c1', file, { signal: interrupt.signal, note })).rejects.toThrow();
    expect(existsSync(file)).toBe(false);
    await downloadCheckpointFile(client(0), 'c1', file, options);
    expect(offsets).toEqual([0, CHUNK]);
    expect(readFileSync(file)).toEqual(bytes);
  });

  it('refuses bytes that differ from the registered ones, and keeps none of them', async () => {
    const other = Buffer.from(bytes);
    other[100_000] = 0xff;
    await expect(downloadCheckpointFile(client(0, other), 'c1', file, options)).rejects.toMatchObject({
      exitCode: 5,
      message: expect.stringContaining(checkpoint.sha256) as string,
    });
    expect(readdirSync(join(folder, 'deep'))).toEqual([]);
  });

  it('keeps nothing of a checkpoint that is damaged in the store', async () => {
    const damaged = new ArtifactDamagedError('checkpoints/c1', "of checkpoint 'c1' is damaged");
    const failing = {
      async *downloadCheckpoint(): AsyncGenerator<CheckpointChunk> {
        yield await Promise.resolve({ checkpoint, offset: 0, data: bytes.subarray(0, CHUNK) });
        throw damaged;
      },
    } as unknown as GraftClient;
    await expect(downloadCheckpointFile(failing, 'c1', file, options)).rejects.toBe(damaged);
    expect(readdirSync(join(folder, 'deep'))).toEqual([]);
  });
});

describe('the card beside a checkpoint', () => {
  it('has the classes and the parameters, without a coordinator', async () => {
    await downloadCheckpointFile(client(0), 'c1', file, options);
    expect(await readCheckpointCard(file)).toBeNull();
    const written = await writeCheckpointCard(client(0), checkpoint, file);
    expect(await readCheckpointCard(file)).toEqual(written);
    expect(written).toMatchObject({ runId: 's1-r003', classNames: ['cat', 'dog'], parameters: { 'head.units': 128 } });
  });

  it.each(['truncate', 'flip'] as const)('reveals damage of the file after its download (%s)', async (damage) => {
    await downloadCheckpointFile(client(0), 'c1', file, options);
    const card = await writeCheckpointCard(client(0), checkpoint, file);
    await requireUndamaged(file, card);
    damageFile(file, damage);
    const refused = expect(requireUndamaged(file, card)).rejects;
    await refused.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(
        /is damaged: it was saved as checkpoint c1 .* checkpoint download c1 -o \S+$/s,
      ) as string,
    });
  });

  it('does not apply to a file that is not the registered one', async () => {
    await downloadCheckpointFile(client(0), 'c1', file, options);
    const card = await writeCheckpointCard(client(0), { ...checkpoint, sha256: '0'.repeat(64) }, file);
    expect(card.sha256).toBeNull();
    await requireUndamaged(file, card);
  });
});
