import { expect, test } from 'vitest';
import { backboneDefinition } from '../../../../services/core/network/backbones.ts';
import { DownloadError } from '../../../../services/platform/http/download.ts';
import { WeightFileMissingError, WeightsUnavailableError } from '../../../../services/trainer/backbones/weight-file.ts';
import { CheckpointError } from '../../../../services/trainer/checkpoints/training-checkpoint.ts';
import { describeFailure } from '../../../../services/trainer/tool/describe-failure.ts';

const download = new DownloadError({ url: 'http://weights.test/w.h5', path: '/cache/w.h5' }, 'HTTP 503', 503);

test.each([
  ['missing', new WeightFileMissingError('vgg16', '/w.h5')],
  ['missing', unavailable('efficientnet_lite0')],
  ['unavailable', unavailable('vgg16', download)],
  ['invalid', new CheckpointError('/c.safetensors', 'epoch', 'it is negative.')],
  ['unavailable', Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })],
])('%s: %s', (kind, error) => {
  const failure = describeFailure(error);
  expect(failure.kind).toBe(kind);
  expect(failure.message).not.toContain('    at ');
});

test('an unknown error is internal, and keeps its stack', () => {
  const { kind, message } = describeFailure(new Error('unforeseen'));
  expect(kind).toBe('internal');
  expect(message).toContain('    at ');
});

function unavailable(backbone: string, cause?: unknown): WeightsUnavailableError {
  const definition = backboneDefinition(backbone);
  return new WeightsUnavailableError(definition, 'there is no file', 'Copy it there', { cause });
}
