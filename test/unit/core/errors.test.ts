import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  ERROR_REASONS,
  GraftError,
  IllegalStateError,
  InvalidRequestError,
  MetricConflictError,
  SequenceGapError,
} from '../../../services/core/errors.ts';

describe('GraftError', () => {
  test('has the reasons of error.proto', () => {
    const proto = readFileSync(new URL('../../../proto/graft/v1/error.proto', import.meta.url), 'utf8');
    const names = [...proto.matchAll(/ERROR_REASON_(\w+) = /g)].map(([, name]) => name);
    expect(names.filter((name) => name !== 'UNSPECIFIED')).toEqual(ERROR_REASONS);
  });

  test('gives a subclass its name, reason and metadata', () => {
    const error = new SequenceGapError(4, 7);
    expect(error).toBeInstanceOf(GraftError);
    expect(error.name).toBe('SequenceGapError');
    expect(error.metadata).toEqual({ expected_sequence: '4', received_sequence: '7' });
    expect(new MetricConflictError('r1', 'val_loss', 3, 0.5, NaN).metadata).toMatchObject({ received: 'NaN' });
  });

  test('names the received value and the allowed ones in messages', () => {
    expect(new IllegalStateError('sweep s1', 'FAILED', 'pause', ['ACTIVE']).message).toBe(
      "Can't pause sweep s1: its state is FAILED, and that needs ACTIVE.",
    );
    const error = new InvalidRequestError([
      { field: 'seed', description: 'must be whole.' },
      { field: 'dataset.path', description: 'is missing.' },
    ]);
    expect(error.message).toBe('The request has 2 mistakes:\n  seed: must be whole.\n  dataset.path: is missing.');
  });
});
