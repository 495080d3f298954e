import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ArtifactMissingError, InvalidRequestError } from '../../../services/core/errors.ts';
import type { LeasedTask } from '../../../services/core/task.ts';
import { checkpointToProto } from '../../../services/platform/rpc/convert/checkpoint.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
let head: LeasedTask;
let runId: string;

beforeAll(async () => {
  harness = await startHarness();
  trainer = await harness.trainer('t1');
  await harness.submit(specOf());
  await trainer.work(await trainer.mustLease('INDEX'));
  await trainer.work(await trainer.mustLease('FEATURES'));
  head = await trainer.mustLease('HEAD');
  runId = head.runs[0]?.runId ?? '';
});
afterAll(() => harness[Symbol.asyncDispose]());

async function stored(): Promise<[string, number][]> {
  const { checkpoints } = await harness.sweeps.listCheckpoints({ sweepId: '', runId, pageSize: 0, pageToken: '' });
  return checkpoints.map(({ kind, epoch }) => [kind === 1 ? 'BEST' : 'LAST', epoch]);
}

describe('RegisterCheckpoint', () => {
  it('is idempotent by URI and refuses different content for the same URI', async () => {
    const first = await trainer.checkpoint(head, runId, 1, 'BEST');
    const again = await trainer.checkpoint(head, runId, 1, 'BEST');
    expect(again).toEqual(first);
    const other = {
      ...trainer.proof(head),
      checkpoint: checkpointToProto({ ...first, sha256: 'x' }),
    };
    await expect(harness.trainers.registerCheckpoint(other)).rejects.toThrow(InvalidRequestError);
  });

  it('refuses a file that is missing or incomplete in the store', async () => {
    const first = await trainer.checkpoint(head, runId, 1, 'BEST');
    const register = (changes: object) =>
      harness.trainers.registerCheckpoint({
        ...trainer.proof(head),
        checkpoint: checkpointToProto({ ...first, ...changes }),
      });
    await expect(register({ uri: 'checkpoints/nothing' })).rejects.toThrow(ArtifactMissingError);
    await expect(register({ sizeBytes: 3 })).rejects.toThrow(/instead of 3/);
    await expect(register({ uri: '../outside' })).rejects.toThrow(InvalidRequestError);
  });

  it('keeps the latest LAST, the latest BEST and the BEST to which a resumed attempt would return', async () => {
    await trainer.checkpoint(head, runId, 1, 'LAST');
    await trainer.checkpoint(head, runId, 2, 'BEST');
    expect(await stored()).toEqual([
      ['BEST', 1],
      ['LAST', 1],
      ['BEST', 2],
    ]);
    await trainer.checkpoint(head, runId, 2, 'LAST');
    expect(await stored()).toEqual([
      ['BEST', 2],
      ['LAST', 2],
    ]);
  });

  it('removes the files of checkpoints that are no longer needed and keeps their rows', async () => {
    await expect
      .poll(() => harness.query(`SELECT count(*)::int AS count FROM checkpoints WHERE state = 'DELETED'`), {
        timeout: 10_000,
      })
      .toEqual([{ count: 2 }]);
    const gone = await harness.query<{ uri: string }>(`SELECT uri FROM checkpoints WHERE state = 'DELETED'`);
    for (const { uri } of gone) expect(await harness.artifacts.stat(uri)).toBeNull();
  });
});

describe('DownloadCheckpoint', () => {
  it('streams the file in chunks of 64 KiB, from an offset as well', async () => {
    const { checkpoints } = await harness.sweeps.listCheckpoints({ sweepId: '', runId, pageSize: 0, pageToken: '' });
    const checkpoint = checkpoints[0];
    if (!checkpoint) throw new Error('no checkpoint');
    const size = Number(checkpoint.sizeBytes);
    expect(size).toBeGreaterThan(3 * 65_536);
    for (const offset of [0, 100_000, size]) {
      const parts: Uint8Array[] = [];
      let next = offset;
      for await (const chunk of harness.sweeps.downloadCheckpoint({
        checkpointId: checkpoint.checkpointId,
        offset: BigInt(offset),
      })) {
        expect(Number(chunk.offset)).toBe(next);
        expect(chunk.data.length).toBeLessThanOrEqual(65_536);
        expect(chunk.checkpoint === undefined).toBe(parts.length > 0);
        parts.push(chunk.data);
        next += chunk.data.length;
      }
      expect(next).toBe(size);
      if (offset === 0) expect(createHash('sha256').update(Buffer.concat(parts)).digest('hex')).toBe(checkpoint.sha256);
    }
    const tooFar = harness.sweeps.downloadCheckpoint({
      checkpointId: checkpoint.checkpointId,
      offset: BigInt(size + 1),
    });
    await expect(tooFar[Symbol.asyncIterator]().next()).rejects.toThrow(/offset/);
  });
});
