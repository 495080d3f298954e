import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../services/core/digest.ts';
import { previewSweep } from '../../../services/core/planner/preview-sweep.ts';
import { sampleRuns } from '../../../services/core/samplers/sample-runs.ts';
import { samplingNotes } from '../../../services/core/samplers/sampling-notes.ts';
import { overLimit } from '../../../services/core/search-space/model-limits.ts';
import type { Constraint } from '../../../services/core/sweep/constraint.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { validateSweepSpec } from '../../../services/core/validation/validate-spec.ts';
import { parseSweepFile } from '../../../services/cli/sweep-file/parse-sweep-file.ts';
import { writeSweepFile } from '../../../services/cli/sweep-file/write-sweep-file.ts';
import { sweepSpecFromProto, sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { clusterOf } from './support/plan-inputs.ts';
import { PLAIN_SPEC, range, values, when } from './support/specs.ts';

const bytes = (atMost: number): Constraint => ({ name: 'model_bytes', atMost });
const BACKBONES = values('backbone', 'vgg16', 'mobilenet', 'efficientnet_lite0', 'resnet50');
const UNITS = range('head.units', 0, 512, { step: 1 });

function specOf(changes: Partial<SweepSpec>): SweepSpec {
  return { ...PLAIN_SPEC, base: { weights: 'random' }, ...changes };
}

function mistakes(changes: Partial<SweepSpec>): Record<string, string> {
  const found = validateSweepSpec(specOf(changes));
  return Object.fromEntries(found.map(({ field, description }) => [field, description]));
}

describe('constraints in a sweep file', () => {
  const folders = { folder: '/sweeps', home: '/home/me' };
  const read = (text: string) => parseSweepFile(`dataset: { path: /data/pets }\n${text}`, folders);

  it.each([
    ['{ model_bytes: { at_most: 20MB } }', [bytes(20_000_000)]],
    ['{ model_bytes: 20 MiB }', [bytes(20 * 2 ** 20)]],
    ['{ model_bytes: 20971520 }', [bytes(20_971_520)]],
    [
      '{ flops: 600M, parameters: { at_most: 4.5M } }',
      [
        { name: 'parameters', atMost: 4_500_000 },
        { name: 'flops', atMost: 600_000_000 },
      ],
    ],
  ])('reads %s', (text, constraints) => {
    const { spec, violations } = read(`constraints: ${text}`);
    expect(violations).toEqual([]);
    expect(spec.constraints).toEqual(constraints);
    expect(sweepSpecFromProto(sweepSpecToProto(spec)).spec).toEqual(spec);
    expect(parseSweepFile(writeSweepFile(spec), folders).spec).toEqual(spec);
  });

  it('reports every mistake at once, with the nearest name', () => {
    const { violations } = read(`constraints:
  model_byte: 20MB
  model_bytes: { at_most: 20 megabytes }
  parameters: { atmost: 4M }
  flops: -3
  latency_seconds: 0.02
`);
    expect(Object.fromEntries(violations.map(({ field, description }) => [field, description]))).toEqual({
      'constraints.model_byte': "there is no such key. Did you mean 'model_bytes'? (line 3)",
      'constraints.latency_seconds': 'there is no such key. Known keys: model_bytes, parameters, flops. (line 7)',
      'constraints.model_bytes.at_most': "must be a number or a size such as 20MB; received '20 megabytes'. (line 4)",
      'constraints.parameters.atmost': "there is no such key. Did you mean 'at_most'? (line 5)",
      'constraints.parameters.at_most': 'must be a number or an amount such as 4M; it is missing. (line 5)',
      'constraints.flops.at_most': 'must be an integer above 0, for example 4M; received -3. (line 6)',
    });
  });

  it('leaves specs without constraints as they were, and their digests', () => {
    const { spec } = read('');
    expect(Object.hasOwn(spec, 'constraints')).toBe(false);
    const received = sweepSpecFromProto(sweepSpecToProto(spec)).spec;
    expect(digestOf(received as never)).toBe(digestOf(spec as never));
    expect(Object.hasOwn(received, 'constraints')).toBe(false);
  });
});

describe('validation of constraints', () => {
  it('reports unknown and doubled bounds of any client', () => {
    const unknown = { name: 'latency', atMost: 1 } as unknown as Constraint;
    const found = mistakes({ constraints: [unknown, bytes(2.5), bytes(20_000_000)] });
    expect(found).toEqual({
      'constraints[0].name': "must be one of model_bytes, parameters, flops; received 'latency'.",
      'constraints.model_bytes.at_most': 'must be an integer above 0, for example 20MB; received 2.5.',
      'constraints[2].name': 'is bounded twice: model_bytes. Keep one of the bounds.',
    });
    expect(mistakes({ constraints: [] })['constraints']).toContain('sets no bound');
  });

  it('refuses a sweep of which nothing is left, with the smallest model and its size', () => {
    const spec = { parameters: [BACKBONES, UNITS], strategy: 'random', maxRuns: 8 };
    expect(mistakes({ ...spec, constraints: [bytes(10_000_000)] })).toEqual({
      'constraints.model_bytes.at_most':
        'leaves no run: the smallest model of the search space has 12,919,556 (backbone mobilenet, head.units 0); received ' +
        '10,000,000. Raise the bound, or add a smaller backbone, cut or head.',
    });
    // A listed variant is enough.
    const variants = [{ backbone: 'mobilenet_0.25', 'head.units': 0 }];
    expect(mistakes({ ...spec, variants, constraints: [bytes(10_000_000)] })).toEqual({});
    expect(mistakes({ ...spec, constraints: [bytes(13_000_000)] })).toEqual({});
  });

  it('refuses bounds that no model meets together', () => {
    // The fewest operations have small images, and pooling has the fewest bytes: not both at once.
    const parameters = [values('image_size', 96, 224), when(values('head.pooling', 'flatten'), 'image_size', 96)];
    const base = { backbone: 'vgg16', weights: 'random', 'head.units': 512 };
    const constraints: Constraint[] = [bytes(65_000_000), { name: 'flops', atMost: 10_000_000_000 }];
    expect(mistakes({ base, parameters, constraints: [constraints[0]!] })).toEqual({});
    expect(mistakes({ base, parameters, constraints: [constraints[1]!] })).toEqual({});
    const [message] = Object.values(mistakes({ base, parameters, constraints }));
    expect(message).toMatch(/leave no run: no model of the search space is within model_bytes and flops at once/);
  });
});

describe('runs under constraints', () => {
  it.each(['random', 'sobol'])(
    'are never drawn over a bound by strategy %s, and all are drawn that were asked for',
    (strategy) => {
      const constraints = [bytes(15_000_000)];
      const spec = specOf({ parameters: [BACKBONES, UNITS], strategy, maxRuns: 40, constraints });
      const { runs, missingCount } = sampleRuns(spec);
      expect(missingCount).toBe(0);
      expect(runs).toHaveLength(40);
      const problemOf = overLimit(constraints, 2);
      expect(runs.map(({ parameters }) => problemOf(parameters)).filter((problem) => problem !== null)).toEqual([]);
      expect(new Set(runs.map(({ parameters }) => parameters['backbone']))).toEqual(
        new Set(['mobilenet', 'efficientnet_lite0']),
      );
      // Without the bound, most have a large base.
      const free = sampleRuns(specOf({ parameters: [BACKBONES, UNITS], strategy, maxRuns: 40 })).runs;
      expect(free.filter(({ parameters }) => problemOf(parameters) !== null).length).toBeGreaterThan(15);
    },
  );

  it('exhaust a finite space, and say that it is the constraints which leave no more', () => {
    const spec = specOf({
      parameters: [BACKBONES, values('head.units', 0, 16, 512)],
      strategy: 'sobol',
      maxRuns: 20,
      constraints: [bytes(14_000_000)],
    });
    const sampled = sampleRuns(spec);
    expect(sampled.runs.map(({ parameters }) => [parameters['backbone'], parameters['head.units']]).sort()).toEqual([
      ['efficientnet_lite0', 0],
      ['efficientnet_lite0', 16],
      ['mobilenet', 0],
      ['mobilenet', 16],
    ]);
    expect(sampled.missingCount).toBe(16);
    expect(samplingNotes(spec, sampled).join('\n')).toContain(
      'the search space has 4 different runs within the constraints',
    );
  });

  it('have no baseline where the defaults are over a bound', () => {
    const base = { weights: 'random', backbone: 'vgg16' };
    const spec = specOf({
      base,
      parameters: [BACKBONES],
      strategy: 'random',
      maxRuns: 2,
      constraints: [bytes(15_000_000)],
    });
    const sampled = sampleRuns(spec);
    expect(sampled.runs[0]?.parameters['backbone']).not.toBe('vgg16');
    expect(samplingNotes(spec, sampled).join('\n')).toContain("There is no baseline: the defaults can't be trained");
  });

  it('of a grid stay and are infeasible, with their numbers, and the plan leaves them out', () => {
    const spec = specOf({ parameters: [values('backbone', 'vgg16', 'mobilenet')], constraints: [bytes(15_000_000)] });
    const { runs, notes, tasks } = previewSweep(spec, clusterOf(1), null);
    expect(runs).toHaveLength(2);
    expect(notes.join('\n')).toContain(
      '1 run is INFEASIBLE, and left out of the plan: its model is over the constraints: model_bytes is 59,385,140 and may be at most 15,000,000.',
    );
    expect(tasks.find(({ stage }) => stage === 'HEAD')?.runIndexes).toEqual([1]);
  });
});
