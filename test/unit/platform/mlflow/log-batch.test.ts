import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cleanKey, cutText, MLFLOW_LIMITS } from '../../../../services/platform/mlflow/limits.ts';
import { encodeMetric, packBatches } from '../../../../services/platform/mlflow/log-batch.ts';
import type { MlflowMetric, MlflowPair } from '../../../../services/platform/mlflow/log-batch.ts';

const metric: fc.Arbitrary<MlflowMetric> = fc.record({
  key: fc.constantFrom('head/loss', 'head/val_loss', 'fine_tune/loss'),
  value: fc.double(),
  timestamp: fc.integer({ min: 0, max: 2 ** 41 }),
  step: fc.integer({ min: 0, max: 1000 }),
});
const pair: fc.Arbitrary<MlflowPair> = fc.record({
  key: fc.string({ maxLength: 250 }),
  value: fc.string({ maxLength: 6000, unit: 'grapheme' }),
});

test('batches respect the limits and the order of keys, and contain everything once', () => {
  const many = { maxLength: 400 };
  fc.assert(
    fc.property(
      fc.array(metric, { maxLength: 3000 }),
      fc.array(pair, many),
      fc.array(pair, many),
      (metrics, params, tags) => {
        const batches = packBatches('r', { metrics, params, tags });
        for (const batch of batches) {
          expect(batch.run_id).toBe('r');
          expect(batch.metrics.length).toBeLessThanOrEqual(1000);
          expect(batch.params.length).toBeLessThanOrEqual(100);
          expect(batch.tags.length).toBeLessThanOrEqual(100);
          const count = batch.metrics.length + batch.params.length + batch.tags.length;
          expect(count).toBeGreaterThan(0);
          expect(count).toBeLessThanOrEqual(1000);
          expect(Buffer.byteLength(JSON.stringify(batch))).toBeLessThan(1_000_000);
        }
        for (const list of ['metrics', 'params', 'tags'] as const) {
          const sent = batches.flatMap((batch): readonly { readonly key?: unknown }[] => batch[list]);
          expect(sent).toHaveLength({ metrics, params, tags }[list].length);
          const keys = sent.map(({ key }) => String(key));
          expect(keys).toEqual(keys.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
        }
      },
    ),
    { numRuns: 30 },
  );
});

test('no data yields no batch', () => {
  expect(packBatches('r', { metrics: [] })).toEqual([]);
});

test('a full batch holds 1000 metrics', () => {
  const metrics = Array.from({ length: 1001 }, (_, step) => ({ key: 'loss', value: 1, timestamp: 5, step }));
  expect(packBatches('r', { metrics }).map((batch) => batch.metrics.length)).toEqual([1000, 1]);
});

test.each([
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, 'Infinity'],
  [Number.NEGATIVE_INFINITY, '-Infinity'],
  [0.1, 0.1],
  [5e-324, 5e-324],
])('%d travels as %j', (value, expected) => {
  expect(encodeMetric({ key: 'a', value, timestamp: 1, step: 2 })).toEqual({
    key: 'a',
    value: expected,
    timestamp: 1,
    step: 2,
  });
});

test.each(['val_loss', 'head/val_loss', 'optimizer.learning_rate', 'a b-c'])('%s is an unchanged key', (name) => {
  expect(cleanKey(name)).toBe(name);
});

test('other names become keys that MLflow accepts, and different names different keys', () => {
  // From `validate_param_and_metric_name` and `path_not_unique` of mlflow/utils/validation.py.
  const isTaken = (key: string): boolean =>
    /^[/A-Za-z0-9_.\- ]+$/.test(key) &&
    !key.startsWith('/') &&
    !key.split('/').some((part) => part === '' || part === '.' || part === '..') &&
    key.length <= MLFLOW_LIMITS.keyLength;
  const name = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 400 }),
    fc.string({ unit: fc.constantFrom('a', '.', '/', ' ', '%', 'é'), minLength: 1, maxLength: 12 }),
  );
  fc.assert(
    fc.property(name, name, (a, b) => {
      expect(isTaken(cleanKey(a)), JSON.stringify([a, cleanKey(a)])).toBe(true);
      if (a !== b) expect(cleanKey(a)).not.toBe(cleanKey(b));
    }),
    { numRuns: 500 },
  );
});

test('strings are truncated with a mark, never within a character', () => {
  expect(cutText('abcdef', 6)).toBe('abcdef');
  expect(cutText('abcdefg', 6)).toBe('abcde…');
  expect(cutText('abcd😀fg', 6)).toBe('abcd…');
});
