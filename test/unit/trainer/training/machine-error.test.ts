import { describe, expect, test } from 'vitest';
import { isMachineFault } from '../../../../services/core/machine-fault.ts';
import { ArtifactUnreachableError } from '../../../../services/platform/artifacts/artifact-store.ts';
import { backboneDefinition } from '../../../../services/core/network/backbones.ts';
import { WeightFileMissingError, WeightsUnavailableError } from '../../../../services/trainer/backbones/weight-file.ts';
import { ImageCacheError } from '../../../../services/trainer/data/image-cache-error.ts';
import { errorOfExit } from '../../../../services/trainer/slots/worker-exit.ts';
import { taskErrorOf } from '../../../../services/trainer/training/task-error.ts';

const PLACES = { store: '/mnt/store', cache: '/var/cache/graft', data: '/data/cats' };

function kernel(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: it says, open '${path}'`), { code, path });
}

describe('taskErrorOf', () => {
  test.each([
    ['STORE_UNREACHABLE', kernel('EIO', '/mnt/store/features/a.safetensors')],
    ['STORE_UNREACHABLE', kernel('ESTALE', '/mnt/store/datasets/b.jsonl')],
    ['STORE_UNREACHABLE', new ArtifactUnreachableError('a', 's3://b/c', new Error('ECONNREFUSED'), 'Fix it.')],
    ['DATA_UNREADABLE', kernel('EACCES', '/data/cats/train/a/1.png')],
    ['DATA_UNREADABLE', new Error('decoding broke', { cause: kernel('ENOTCONN', '/data/cats/train') })],
    ['DISK_UNUSABLE', kernel('EROFS', '/var/cache/graft/images/x.part')],
    // A sibling of the folder.
    ['DISK_UNUSABLE', kernel('EACCES', '/data/cats-and-dogs/1.png')],
    ['DISK_FULL', kernel('ENOSPC', '/var/cache/graft/images/x.part')],
    ['DISK_FULL', kernel('EDQUOT', '/mnt/store/x')],
    ['DISK_FULL', new ImageCacheError('/c', 'need 9 MB', { fault: 'SPACE' })],
    ['DATA_MISSING', new ImageCacheError('/data/cats/1.png', 'gone', { fault: 'MISSING' })],
    ['DATA_CHANGED', new ImageCacheError('/data/cats/1.png', 'other bytes', { fault: 'CHANGED' })],
    ['WEIGHTS_MISSING', new WeightFileMissingError('vgg16', '/w/vgg.h5')],
    ['DEVICE_LOST', new Error('Internal: failed call to cuCtxSynchronize: CUDA_ERROR_ECC_UNCORRECTABLE')],
    ['DEVICE_LOST', new Error('NVRM: GPU at PCI:0000:01:00: GPU has fallen off the bus.')],
  ])('reports %s as a machine fault', (code, error) => {
    const taskError = taskErrorOf(error, PLACES);
    expect(taskError.code).toBe(code);
    expect(isMachineFault(taskError)).toBe(true);
    expect(['INFRASTRUCTURE', 'PERMANENT']).toContain(taskError.errorClass);
    if (code.startsWith('DATA') || code === 'WEIGHTS_MISSING')
      expect(taskError.message).toContain('under the same path');
  });

  test.each([
    [true, 'WEIGHTS_UNAVAILABLE'],
    [false, 'WEIGHTS_MISSING'],
  ])('reports a download that fails (for now: %s) as %s', (isTemporary, code) => {
    const error = new WeightsUnavailableError(backboneDefinition('vgg16'), 'no answer', 'Fix it', { isTemporary });
    const taskError = taskErrorOf(error, PLACES);
    expect(taskError).toMatchObject({ code, errorClass: 'INFRASTRUCTURE' });
    expect(isMachineFault(taskError)).toBe(true);
  });

  test.each([
    ['ENOENT', kernel('ENOENT', '/mnt/store/x'), 'COUNTED'],
    ['a bug', new TypeError('x is not a function'), 'COUNTED'],
    ['a damaged cache', new ImageCacheError('/c', 'is damaged'), 'COUNTED'],
    ['memory', new Error('OOM when allocating tensor'), 'MEMORY'],
    ['CUDA memory', new Error('CUDA_ERROR_OUT_OF_MEMORY: out of memory'), 'MEMORY'],
  ])('reports no machine fault for %s', (_what, error, errorClass) => {
    const taskError = taskErrorOf(error, PLACES);
    expect(taskError.errorClass).toBe(errorClass);
    expect(isMachineFault(taskError)).toBe(false);
  });
});

test.each([
  ['DEVICE_LOST', 'F tensorflow/… CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected'],
  ['DISK_FULL', 'Error: ENOSPC: no space left on device, write'],
  ['WORKER_CRASHED', 'Segmentation fault'],
])('a worker whose last output is that of %s gets this code', (code, lastOutput) => {
  const exit = {
    code: 134,
    signal: null,
    peakMemoryBytes: 0,
    memoryLimitBytes: 0,
    outOfMemoryKills: 0,
  };
  expect(errorOfExit({ ...exit, lastOutput }, 'epoch 1').code).toBe(code);
});
