import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSafetensors } from '../../../../services/trainer/checkpoints/safetensors.ts';
import {
  CheckpointError,
  checkOwner,
  encodeTrainingCheckpoint,
  readTrainingCheckpoint,
} from '../../../../services/trainer/checkpoints/training-checkpoint.ts';
import type { CheckpointOwner, TrainingState } from '../../../../services/trainer/checkpoints/training-checkpoint.ts';

const TRAINED = [{ name: 'head/output/bias', shape: [1], values: Float32Array.of(0.1) }];
const SLOTS = [{ name: 'velocity/head/output/bias', shape: [1], values: Float32Array.of(0.2) }];

const STATE: TrainingState = {
  runId: 's1-r001',
  stage: 'HEAD',
  kind: 'LAST',
  epoch: 3,
  stepInEpoch: 2,
  step: 17,
  trainedTensors: [{ name: 'head/output/bias', shape: [1] }],
  baseDigest: 'abc',
  randomKeys: { seed: 1, dataSeed: 2, augmentationSeed: null },
  optimizer: { name: 'rmsprop', iterations: 17 },
  schedule: { baseRate: 0.001, best: null, wait: 0 },
  earlyStopping: { best: 0.1 + 0.2, wait: 1, stopped: false },
  best: { epoch: 2, value: 0.25, checkpoint: null },
  lastValue: 0.3,
  sums: { imageCount: 16, lossSum: 1 / 3, correctCount: 9 },
};

const OWNER: CheckpointOwner = {
  runId: 's1-r001',
  baseDigest: 'abc',
  trainedTensors: [{ name: 'head/output/bias', shape: [1] }],
  randomKeys: { seed: 1, dataSeed: 2, augmentationSeed: null },
};

describe('training checkpoint', () => {
  let folder: string;
  const write = (parts: readonly Uint8Array[]): string => {
    const path = join(folder, 'file.safetensors');
    writeFileSync(path, Buffer.concat(parts));
    return path;
  };

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'graft-checkpoint-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('keeps state and tensors to the last bit', async () => {
    const path = write(encodeTrainingCheckpoint(STATE, TRAINED, SLOTS));
    const { state, trained, optimizerSlots } = await readTrainingCheckpoint(path);
    expect(state).toEqual(STATE);
    expect([...trained.values()]).toEqual(TRAINED);
    expect([...optimizerSlots.values()]).toEqual(SLOTS);
  });

  it('predicts with the averages that the slots contain, and resumes from the weights', async () => {
    const average = { name: 'average/head/output/bias', shape: [1], values: Float32Array.of(0.3) };
    const path = write(encodeTrainingCheckpoint(STATE, TRAINED, [...SLOTS, average]));
    const { trained, predicting } = await readTrainingCheckpoint(path);
    expect([...predicting.values()]).toEqual([{ ...average, name: 'head/output/bias' }]);
    expect([...trained.values()]).toEqual(TRAINED);
    const plain = await readTrainingCheckpoint(write(encodeTrainingCheckpoint(STATE, TRAINED, SLOTS)));
    expect([...plain.predicting.values()]).toEqual(TRAINED);
  });

  it('refuses other safetensors files, invalid state, and a list that does not match the tensors', async () => {
    const other = write(encodeSafetensors(TRAINED, {}));
    await expect(readTrainingCheckpoint(other)).rejects.toThrow(/format: it is undefined/);
    const format = 'graft-training-checkpoint/1';
    const broken = write(encodeSafetensors([], { format, state: JSON.stringify({ ...STATE, epoch: -1 }) }));
    await expect(readTrainingCheckpoint(broken)).rejects.toThrow(/state\.epoch/);
    const lacking = write(encodeTrainingCheckpoint(STATE, [], SLOTS));
    await expect(readTrainingCheckpoint(lacking)).rejects.toThrow(
      /trainedTensors: it lists head\/output\/bias\[1\], but has/,
    );
  });

  it('belongs to one run on one base with the same trained tensors and random streams', () => {
    expect(() => checkOwner('p', STATE, OWNER)).not.toThrow();
    const wrong: [Partial<CheckpointOwner>, RegExp][] = [
      [{ runId: 's1-r002' }, /runId: it belongs to run s1-r001, but run s1-r002/],
      [{ baseDigest: 'def' }, /baseDigest: .* abc, but this trainer's have def/],
      [
        { trainedTensors: [{ name: 'head/output/bias', shape: [2] }] },
        /trainedTensors: it has .*\[1\], but the run trains .*\[2\]/,
      ],
      [{ trainedTensors: [] }, /trainedTensors/],
      [
        { randomKeys: { seed: 9, dataSeed: 2, augmentationSeed: null } },
        /randomKeys\.seed: it was trained with 1, but the run has 9/,
      ],
      [{ randomKeys: { seed: 1, dataSeed: 2, augmentationSeed: 0 } }, /randomKeys\.augmentationSeed/],
    ];
    for (const [difference, message] of wrong) {
      expect(() => checkOwner('p', STATE, { ...OWNER, ...difference })).toThrow(CheckpointError);
      expect(() => checkOwner('p', STATE, { ...OWNER, ...difference })).toThrow(message);
    }
  });
});
