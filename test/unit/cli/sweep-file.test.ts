import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { PARAMETER_NAMES } from '../../../services/core/search-space/parameter-definitions.ts';
import { buildSweepSchema } from '../../../services/cli/sweep-file/build-schema.ts';
import { parseSweepFile } from '../../../services/cli/sweep-file/parse-sweep-file.ts';
import { toYamlPath } from '../../../services/cli/sweep-file/yaml-path.ts';

const folders = { folder: '/sweeps', home: '/home/me' };
const cli = new URL('../../../services/cli', import.meta.url).pathname;

const SMALLEST = `
dataset: { path: /data/pets }
parameters:
  head.units: { values: [64, 256] }
`;

/** Fields in the order of the file. */
function fieldsOf(text: string): readonly string[] {
  return parseSweepFile(text, folders).violations.map(({ field }) => field);
}

describe('a sweep file', () => {
  it('has defaults for everything but the data set', () => {
    const { spec, violations } = parseSweepFile(SMALLEST, folders);
    expect(violations).toEqual([]);
    expect(spec).toEqual({
      displayName: '',
      dataset: { path: '/data/pets', splitFractions: null, allowDuplicates: false, skipBadFiles: false },
      base: {},
      parameters: [{ name: 'head.units', domain: { kind: 'values', values: [64, 256] }, conditions: [] }],
      strategy: 'grid',
      variants: [],
      maxRuns: null,
      seed: 0,
      objective: { metric: 'val_loss', goal: 'minimize' },
      testPolicy: 'winner',
    });
  });

  it('reads every kind of dimension, nested or dotted', () => {
    const { spec, violations } = parseSweepFile(
      `
dataset: { path: pets }
base: { head: { activation: relu }, optimizer.name: adam }
parameters:
  method: [cached, augmented]
  augmentation.zoom: { min: 0, max: 0.5, step: 0.1, when: { method: augmented } }
  optimizer:
    learning_rate: { min: 1e-4, max: 1e-2, scale: log, grid_points: 3 }
variants: [{ head: { units: 8 } }]
objective: { metric: val_accuracy }
`,
      folders,
    );
    expect(violations).toEqual([]);
    expect(spec.base).toEqual({ 'head.activation': 'relu', 'optimizer.name': 'adam' });
    expect(spec.variants).toEqual([{ 'head.units': 8 }]);
    expect(spec.objective).toEqual({ metric: 'val_accuracy', goal: 'maximize' });
    expect(spec.parameters).toEqual([
      { name: 'method', domain: { kind: 'values', values: ['cached', 'augmented'] }, conditions: [] },
      {
        name: 'augmentation.zoom',
        domain: { kind: 'range', min: 0, max: 0.5, scale: 'linear', gridPoints: null, step: 0.1 },
        conditions: [{ name: 'method', values: ['augmented'] }],
      },
      {
        name: 'optimizer.learning_rate',
        domain: { kind: 'range', min: 1e-4, max: 1e-2, scale: 'log', gridPoints: 3, step: null },
        conditions: [],
      },
    ]);
  });

  it.each([
    ['pets', '/sweeps/pets'],
    ['../pets', '/pets'],
    ['/data/pets', '/data/pets'],
    ['~/pets', '/home/me/pets'],
  ])('makes the path %s absolute', (path, absolute) => {
    expect(parseSweepFile(`dataset: { path: ${path} }`, folders).spec.dataset.path).toBe(absolute);
  });

  it('takes class weights by name, as a mapping, wherever a value may be', () => {
    const { spec, violations } = parseSweepFile(
      `
dataset: { path: /data/pets }
base: { class_weights: { cat: 1, n01.dog: 3.5 } }
parameters:
  loss.name: [cross_entropy, focal]
  loss.gamma: { values: [0, 2], when: { loss.name: focal } }
  head.units: { values: [64, 256], when: { class_weights: [{ cat: 1, n01.dog: 3.5 }] } }
objective: { metric: val_macro_f1 }
`,
      folders,
    );
    expect(violations).toEqual([]);
    const weights = '{"cat":1,"n01.dog":3.5}';
    expect(spec.base).toEqual({ class_weights: weights });
    expect(spec.parameters[2]?.conditions).toEqual([{ name: 'class_weights', values: [weights] }]);
    expect(spec.objective).toEqual({ metric: 'val_macro_f1', goal: 'maximize' });
  });

  it('varies class weights, and names a wrong weight and a misspelt objective', () => {
    const text = `
dataset: { path: /data/pets }
parameters:
  class_weights: [none, balanced, { cat: 1, dog: -3 }]
objective: { metric: val_macrof1 }
`;
    expect(parseSweepFile(text, folders).violations).toEqual([
      expect.objectContaining({
        field: 'parameters.class_weights.values[2]',
        description: expect.stringContaining("as the weight of 'dog'; received -3.") as string,
      }),
      expect.objectContaining({
        field: 'objective.metric',
        description: expect.stringContaining("Did you mean 'val_macro_f1'?") as string,
      }),
    ]);
  });

  it('has the strategy list if only variants are given', () => {
    const { spec } = parseSweepFile('dataset: { path: /x }\nvariants: [{ head.units: 8 }]', folders);
    expect(spec.strategy).toBe('list');
  });

  it('is refused with all eight mistakes by path, with the line', () => {
    const { violations } = parseSweepFile(
      `display_nam: x
dataset: { path: img, split_fractions: { train: 0.9, validation: 0.3, test: 0.1 } }
base: { head: { unit: 3 }, head.dropout: 1.5 }
parameters:
  optimizer.learning_rate: { min: 1e-2, max: 1e-4, scale: logg, grid_points: 3 }
  head.units: { vales: [1, 2] }
strategy: gird
objective: { metric: accuracy }
`,
      folders,
    );
    const expected: readonly (readonly [string, RegExp])[] = [
      ['display_nam', /Did you mean 'display_name'\? \(line 1\)$/],
      ['dataset.split_fractions', /must sum to 1/],
      ['base.head.unit', /Did you mean 'head.units'\?/],
      ['base.head.dropout', /received 1.5/],
      ['parameters.optimizer.learning_rate.scale', /received 'logg'/],
      ['parameters.optimizer.learning_rate.min', /above max/],
      ['parameters.head.units.vales', /Did you mean 'values'\?/],
      ['strategy', /Did you mean 'grid'\?/],
      ['objective.metric', /received 'accuracy'/],
    ];
    expect(violations.map(({ field }) => field)).toEqual(expected.map(([field]) => field));
    violations.forEach(({ description }, index) => expect(description).toMatch(expected[index]![1]));
  });

  it('reports no mistake that follows from an unreadable dimension', () => {
    const text = `
dataset: { path: /x }
parameters:
  head.units: { vales: [0, 8] }
  head.layers: { values: [1, 2], when: { head.units: 8 } }
`;
    expect(fieldsOf(text)).toEqual(['parameters.head.units.vales']);
  });

  it.each([
    ['a key given twice', 'seed: 1\nseed: 2\ndataset: { path: /x }\nvariants: [{}]', ['']],
    ['half a file', 'dataset: { path: [', ['']],
    ['a list', '- a\n- b', ['']],
    ['nothing', '', ['dataset.path']],
    [
      'a value of the wrong type',
      'dataset: { path: 7, skip_bad_files: maybe }',
      ['dataset.path', 'dataset.skip_bad_files'],
    ],
    ['a parameter without a value', 'dataset: { path: /x }\nbase: { head.units: }', ['base.head.units']],
    [
      'a range without an end',
      `${SMALLEST}  head.dropout: { min: 0.1 }\n`,
      ['parameters.head.dropout.max', 'parameters.head.dropout.grid_points'],
    ],
    ['values and a range', `${SMALLEST}  head.dropout: { values: [0.1], min: 0.1 }\n`, ['parameters.head.dropout']],
    [
      'a dimension twice',
      `${SMALLEST}  head: { units: { values: [1] } }\n`,
      ['parameters.head.units', 'parameters.head.units'],
    ],
    ['a random search without an end', `${SMALLEST}strategy: random\n`, ['max_runs']],
  ])('reports %s', (_name, text, fields) => {
    expect([...new Set(fieldsOf(text))]).toEqual([...new Set(fields)]);
  });
});

describe('the folder of the images', () => {
  const BAD = 'dataset: { path: /no/such/folder }\nbase: { epochs: -1 }';

  it('is replaced by --data, even if the file names none', () => {
    for (const text of [SMALLEST, 'base: { epochs: 1 }']) {
      const { spec, violations } = parseSweepFile(text, { ...folders, data: '/other' });
      expect(violations).toEqual([]);
      expect(spec.dataset.path).toBe('/other');
    }
  });

  it('is reported with the other mistakes if it must be on this machine and is not', () => {
    const { violations } = parseSweepFile(BAD, { ...folders, requiresFiles: true });
    expect(violations.map(({ field }) => field)).toEqual(['dataset.path', 'base.epochs']);
    expect(violations[0]?.description).toMatch(
      /no folder \/no\/such\/folder .* --data DIR; .* --remote-data\. \(line 1\)$/,
    );
    const data = new URL(import.meta.url).pathname;
    const [only] = parseSweepFile(SMALLEST, { ...folders, data, requiresFiles: true }).violations;
    expect(only).toMatchObject({ field: '--data', description: expect.stringContaining('only a file') as string });
  });

  it('may be one that only the trainers may read', () => {
    const folder = mkdtempSync(join(tmpdir(), 'graft-sweep-file-'));
    try {
      // Any error but "there is none", which the superuser gets as well.
      const data = join(folder, 'loop');
      symlinkSync(data, data);
      expect(parseSweepFile(SMALLEST, { ...folders, data, requiresFiles: true }).violations).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is reported with every file of weights that is missing, wherever it is given', () => {
    const given = [
      'dataset: { path: / }',
      'base: { weights: ./base.h5 }',
      'strategy: list',
      'variants:',
      '  - { backbone: vgg16, weights: imagenet }',
      '  - { backbone: vgg16, weights: /no/such.safetensors }',
      '  - { backbone: vgg16, weights: / }',
    ].join('\n');
    expect(parseSweepFile(given, folders).violations).toEqual([]);
    const { violations } = parseSweepFile(given, { ...folders, requiresFiles: true });
    expect(violations.map(({ field }) => field)).toEqual([
      'base.weights',
      'variants[1].weights',
      'variants[2].weights',
    ]);
    expect(violations[0]?.description).toMatch(
      /there is no file \/sweeps\/base\.h5 on this machine, .* add --remote-data\. \(line 2\)$/,
    );
    expect(violations[2]?.description).toContain('only a folder');
    const varied = 'dataset: { path: / }\nparameters: { weights: [random, x.h5] }';
    expect(parseSweepFile(varied, { ...folders, requiresFiles: true }).violations).toMatchObject([
      { field: 'parameters.weights.values[1]' },
    ]);
  });
});

describe('paths of the coordinator in terms of the file', () => {
  const { spec } = parseSweepFile(
    `
dataset: { path: /x }
parameters:
  method: [cached, augmented]
  augmentation.zoom: { min: 0, max: 0.5, step: 0.1, when: { method: augmented } }
`,
    folders,
  );

  it.each([
    ['parameters[1].range.min', 'parameters.augmentation.zoom.min'],
    ['parameters[1].name', 'parameters.augmentation.zoom'],
    ['parameters[0].values[1]', 'parameters.method.values[1]'],
    ['parameters[1].conditions[0].values[0]', 'parameters.augmentation.zoom.when.method[0]'],
    ['parameters[1].conditions[0].name', 'parameters.augmentation.zoom.when.method'],
    ['base["optimizer.learning_rate"]', 'base.optimizer.learning_rate'],
    ['variants[2]["head.units"]', 'variants[2].head.units'],
    ['spec.dataset.path', 'dataset.path'],
    ['parameters[9].range', 'parameters[9].range'],
  ])('%s is %s', (field, path) => {
    expect(toYamlPath(field, spec)).toBe(path);
  });
});

describe('the JSON Schema', () => {
  const printed: unknown = JSON.parse(readFileSync(join(cli, 'sweep-file/sweep.schema.json'), 'utf8'));
  const validate = new Ajv2020({ allErrors: true, strict: false }).compile(buildSweepSchema());

  it('matches its file (else run: npx graft schema > services/cli/sweep-file/sweep.schema.json)', () => {
    expect(printed).toEqual(JSON.parse(JSON.stringify(buildSweepSchema())));
  });

  it('knows every hyper-parameter', () => {
    const { $defs } = buildSweepSchema() as { $defs: Record<string, unknown> };
    expect(Object.keys($defs)).toEqual(['parameters', ...PARAMETER_NAMES]);
  });

  const examples = readdirSync(join(cli, 'examples')).filter((name) => name.endsWith('.yaml'));

  it.each(examples)('and the reader accept the example %s', (name) => {
    const text = readFileSync(join(cli, 'examples', name), 'utf8');
    expect(parseSweepFile(text, folders).violations).toEqual([]);
    expect(validate(parse(text)), JSON.stringify(validate.errors, null, 1)).toBe(true);
  });

  it('has an example of the recipe, for each method, for searches, screens, imbalance and constraints', () => {
    expect(examples).toEqual([
      'imbalanced-classes.yaml',
      'keras-recipe.yaml',
      'method-a-cached.yaml',
      'method-b-augmented.yaml',
      'method-c-fine-tune.yaml',
      'promote-fine-tunes.yaml',
      'repeat-finalists.yaml',
      'screen-backbones.yaml',
      'search-gp.yaml',
      'search-sobol.yaml',
      'small-models.yaml',
    ]);
  });

  it.each([
    ['an unknown key', { dataset: { path: '/x' }, sed: 1 }],
    ['an unknown parameter', { dataset: { path: '/x' }, base: { 'head.unit': 1 } }],
    ['a value out of bounds', { dataset: { path: '/x' }, base: { 'head.dropout': 1 } }],
    ['a range of names', { dataset: { path: '/x' }, parameters: { method: { min: 0, max: 1 } } }],
    ['no data', {}],
  ])('refuses %s', (_name, file) => {
    expect(validate(file)).toBe(false);
  });
});
