import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStream } from '../../../services/core/rng/stream.ts';
import { gridValues, valueAt } from '../../../services/core/samplers/domain.ts';
import { sampleRuns, variedNames } from '../../../services/core/samplers/sample-runs.ts';
import { SobolSequence } from '../../../services/core/samplers/sobol-sequence.ts';
import { canonicalParameters, parametersDigest } from '../../../services/core/search-space/canonical.ts';
import { compileRunConfig } from '../../../services/core/search-space/compile.ts';
import type { NumericDefinition, ParameterDefinition } from '../../../services/core/search-space/define-parameter.ts';
import { findDefinition, PARAMETER_DEFINITIONS } from '../../../services/core/search-space/parameter-definitions.ts';
import { valueProblem } from '../../../services/core/search-space/parameter-value.ts';
import { validateSweepSpec } from '../../../services/core/validation/validate-spec.ts';
import type { ParameterSpec, ParameterValue, SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { PLAIN_SPEC } from '../../unit/core/support/specs.ts';

function valueOf(definition: ParameterDefinition): fc.Arbitrary<ParameterValue> {
  switch (definition.type) {
    case 'bool':
      return fc.boolean();
    case 'string':
      return definition.choices === null ? fc.constantFrom('a', 'b') : fc.constantFrom(...definition.choices);
    case 'int': {
      // No epoch of the head is allowed where fine-tuning follows only, and not all of these specs have any.
      const min = definition.name === 'epochs' ? 1 : definition.min;
      return fc.integer({ min, max: Math.min(definition.max, min + 5_000) });
    }
    case 'number':
      // A warm-up must be shorter than its phase, and not all of these specs have more than one epoch.
      if (definition.name.endsWith('warmup_epochs')) return fc.double({ min: 0, max: 0.9, noNaN: true });
      return fc.double(insideOf(definition));
  }
}

function insideOf({ min, max }: NumericDefinition): { min: number; max: number; noNaN: true } {
  return { min: min + 1e-9, max: max * 0.999, noNaN: true };
}

function dimensionOf(definition: ParameterDefinition): fc.Arbitrary<ParameterSpec> {
  const list = fc.uniqueArray(valueOf(definition), { minLength: 1, maxLength: 3 });
  return list.map((values) => ({ name: definition.name, domain: { kind: 'values', values }, conditions: [] }));
}

const specs: fc.Arbitrary<SweepSpec> = fc
  .subarray([...PARAMETER_DEFINITIONS], { minLength: 1, maxLength: 4 })
  .chain((definitions) =>
    fc.record({
      parameters: fc.tuple(...definitions.map(dimensionOf)),
      strategy: fc.constantFrom('grid', 'random', 'sobol'),
      seed: fc.nat(),
      maxRuns: fc.integer({ min: 1, max: 30 }),
      base: fc.record({ method: fc.constantFrom('cached', 'augmented'), 'fine_tune.enabled': fc.boolean() }),
    }),
  )
  .map((part) => ({ ...PLAIN_SPEC, ...part }));

test('returns different, numbered runs within bounds that compile', () => {
  fc.assert(
    fc.property(specs, (spec) => {
      const { runs } = sampleRuns(spec);
      expect(runs.length).toBeGreaterThan(0);
      expect(runs.length).toBeLessThanOrEqual(spec.maxRuns ?? Infinity);
      expect(new Set(runs.map((run) => run.digest)).size).toBe(runs.length);
      runs.forEach((run, index) => {
        expect(run.index).toBe(index);
        expect(run.digest).toBe(parametersDigest(run.parameters));
        expect(canonicalParameters(run.parameters)).toEqual(run.parameters);
        compileRunConfig(run.parameters);
      });
    }),
  );
});

test('varies only the parameters that the spec varies', () => {
  fc.assert(
    fc.property(specs, (spec) => {
      const names = spec.parameters.map((parameter) => parameter.name);
      for (const name of variedNames(sampleRuns(spec).runs)) expect(names).toContain(name);
    }),
  );
});

test('samples every spec without violations, and gives every violation a path and a description', () => {
  const anyDimension = fc.record({
    name: fc.oneof(fc.constantFrom(...PARAMETER_DEFINITIONS.map((d) => d.name)), fc.string()),
    domain: fc.oneof(
      fc.record({
        kind: fc.constant('values' as const),
        values: fc.array(fc.oneof(fc.integer(), fc.double(), fc.boolean(), fc.string()), { maxLength: 3 }),
      }),
      fc.record({
        kind: fc.constant('range' as const),
        min: fc.oneof(fc.integer({ min: -2, max: 64 }), fc.double()),
        max: fc.oneof(fc.integer({ min: -2, max: 64 }), fc.double()),
        scale: fc.constantFrom('linear', 'log'),
        gridPoints: fc.option(fc.integer({ min: -1, max: 5 })),
        step: fc.option(fc.double({ min: -1, max: 64 })),
      }),
    ),
    conditions: fc.array(
      fc.record({
        name: fc.constantFrom('method', 'head.units', 'nothing'),
        values: fc.array(fc.oneof(fc.constantFrom('cached', 'augmented'), fc.integer({ min: 0, max: 256 })), {
          maxLength: 2,
        }),
      }),
      { maxLength: 1 },
    ),
  });
  const anySpec = fc.record({
    parameters: fc.array(anyDimension, { maxLength: 3 }),
    strategy: fc.constantFrom('grid', 'random', 'sobol', 'list'),
    variants: fc.array(fc.dictionary(fc.constantFrom('epochs', 'head.units', 'nothing'), fc.integer()), {
      maxLength: 2,
    }),
    maxRuns: fc.option(fc.integer({ min: -1, max: 8 })),
    seed: fc.integer(),
  });
  fc.assert(
    fc.property(anySpec, (part) => {
      const spec = { ...PLAIN_SPEC, ...part } as SweepSpec;
      const violations = validateSweepSpec(spec);
      if (violations.length === 0)
        expect(sampleRuns({ ...spec, maxRuns: spec.maxRuns ?? 8 }).runs.length).toBeGreaterThan(0);
      for (const { field, description } of violations) {
        expect(field).toMatch(/^[a-z_]+/);
        expect(description.length).toBeGreaterThan(5);
        expect(description).not.toContain('undefined');
      }
    }),
    { numRuns: 500 },
  );
});

test('returns values of a range within it, integers where required, increasing with their place', () => {
  const ranges = fc.record({
    name: fc.constantFrom('optimizer.learning_rate', 'head.units'),
    bounds: fc.tuple(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 0, max: 1_000 })),
    scale: fc.constantFrom('linear' as const, 'log' as const),
    step: fc.option(fc.integer({ min: 1, max: 7 })),
    gridPoints: fc.integer({ min: 2, max: 9 }),
    places: fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 2 }),
  });
  fc.assert(
    fc.property(ranges, ({ name, bounds: [min, width], scale, step, gridPoints, places }) => {
      const definition = findDefinition(name);
      if (definition === null) throw new Error(name);
      const range = { kind: 'range', min, max: min + width, scale, step, gridPoints: null } as const;
      const drawn = [...places].sort((a, b) => a - b).map((u) => Number(valueAt(range, definition, u)));
      const listed = gridValues({ ...range, step: null, gridPoints }, definition).map(Number);
      expect([listed[0], listed.at(-1)]).toEqual([min, min + width]);
      for (const list of [drawn, listed]) {
        list.forEach((value, index) => {
          expect(value).toBeGreaterThanOrEqual(min);
          expect(value).toBeLessThanOrEqual(min + width);
          if (definition.type === 'int') expect(valueProblem(definition, value)).toBeNull();
          expect(value).toBeGreaterThanOrEqual(list[index - 1] ?? min);
        });
      }
    }),
  );
});

test('hits each of 2^k intervals once with the first 2^k Sobol points, in every dimension and for every seed', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 0, max: 8 }), fc.integer({ min: 1, max: 64 }), (seed, k, dimensions) => {
      const sequence = new SobolSequence(dimensions, seed);
      const points = Array.from({ length: 2 ** k }, () => sequence.next());
      for (let dimension = 0; dimension < dimensions; dimension++) {
        const hit = new Set(points.map((point) => Math.floor((point[dimension] ?? 0) * 2 ** k)));
        expect(hit.size).toBe(2 ** k);
      }
    }),
    { numRuns: 60 },
  );
});

test('permutes every number once', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 0, max: 500 }), (seed, n) => {
      const order = createStream(seed, 'shuffle', 1).permutation(n);
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, index) => index));
    }),
  );
});
