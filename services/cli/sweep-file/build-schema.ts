import { PARAMETER_DEFINITIONS } from '../../core/search-space/parameter-definitions.ts';
import type { NumericDefinition, ParameterDefinition } from '../../core/search-space/define-parameter.ts';
import { SPLITS } from '../../core/dataset.ts';
import { OBJECTIVE_GOALS, OBJECTIVE_METRICS } from '../../core/objective.ts';
import { STRATEGIES } from '../../core/samplers/samplers.ts';
import { SCALES, TEST_POLICIES } from '../../core/sweep/sweep-spec.ts';
import { searchProperties } from './search-schema.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * Builds the JSON Schema (2020-12) of sweep files from core's table of hyper-parameters. `sweep.schema.json` is its printed form;
 * a test compares the two.
 */
export function buildSweepSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Graft sweep file',
    description: 'Tuning job: images, common parameters, varied parameters, and the strategy that chooses variants.',
    type: 'object',
    additionalProperties: false,
    required: ['dataset'],
    properties: {
      display_name: { type: 'string', maxLength: 200, description: 'Display name.' },
      dataset: datasetSchema(),
      base: { $ref: '#/$defs/parameters', description: "Parameters of all runs; they override Graft's defaults." },
      parameters: dimensionsSchema(),
      strategy: {
        enum: [...STRATEGIES],
        description: [
          'Strategy that chooses variants. Default: grid, or list if only variants are given.',
          'grid: every combination. random, sobol: independent or evenly spread draws. list: the variants alone.',
          'gp: a Gaussian process asks for rounds of runs by the results so far; the best choice up to 200 runs.',
          'tpe: a tree-structured Parzen estimator does so, for any number of runs.',
        ].join(' '),
      },
      variants: {
        type: 'array',
        items: { $ref: '#/$defs/parameters' },
        description: "Variants of the strategy list, or variants that run before the strategy's own.",
      },
      max_runs: {
        type: 'integer',
        minimum: 1,
        description:
          'Maximum number of runs; required for random and sobol, and for gp and tpe without a budget of time.',
      },
      seed: { type: 'integer', minimum: 0, default: 0, description: 'Seed of everything without its own seed.' },
      objective: {
        type: 'object',
        additionalProperties: false,
        description: 'Metric that ranks runs, measured on the validation split.',
        properties: {
          metric: { enum: [...OBJECTIVE_METRICS], default: 'val_loss' },
          goal: { enum: [...OBJECTIVE_GOALS], description: 'Default: follows from the metric.' },
        },
      },
      test_policy: {
        enum: [...TEST_POLICIES],
        default: 'winner',
        description: 'Runs that are tested on the test split: the winner and the baseline (run 0), or every run.',
      },
      mlflow: {
        type: 'object',
        additionalProperties: false,
        description: 'Destination in MLflow, if the coordinator mirrors sweeps.',
        properties: {
          experiment: {
            type: 'string',
            maxLength: 500,
            description: "Experiment. Default: the coordinator's setting.",
          },
          register_model: {
            type: 'string',
            maxLength: 256,
            description: 'Registered model to which the best checkpoint is added as a version. Default: none.',
          },
        },
      },
      ...searchProperties(),
    },
    $defs: { parameters: parametersSchema(), ...valueDefinitions() },
  };
}

function datasetSchema(): JsonSchema {
  const part = { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 };
  return {
    type: 'object',
    additionalProperties: false,
    required: ['path'],
    properties: {
      path: {
        type: 'string',
        minLength: 1,
        description:
          'Folder of images, as `{train,validation,test}/<class>/<image>` or `<class>/<image>`; relative to this file.',
      },
      split_fractions: {
        type: 'object',
        additionalProperties: false,
        required: [...SPLITS],
        description: 'Fractions that divide each class of a folder without split folders. They sum to 1.',
        properties: { train: part, validation: part, test: part, seed: { type: 'integer', minimum: 0 } },
      },
      allow_duplicates: { type: 'boolean', default: false, description: 'Allow the same image in two splits.' },
      skip_bad_files: { type: 'boolean', default: false, description: "Skip files that can't be decoded." },
      strict: {
        type: 'boolean',
        default: false,
        description: 'Refuse near-duplicates across splits instead of reporting them.',
      },
    },
  };
}

/** Returns the schema of parameters. It lists dotted keys for completion and nested groups (`head: { units: 64 }`). */
function parametersSchema(): JsonSchema {
  return {
    type: 'object',
    additionalProperties: false,
    properties: withGroups((definition) => ({ $ref: `#/$defs/${definition.name}` })),
  };
}

function dimensionsSchema(): JsonSchema {
  return {
    type: 'object',
    additionalProperties: false,
    description: 'Varied dimensions, by hyper-parameter.',
    properties: withGroups(dimensionSchema),
  };
}

function withGroups(schemaOf: (definition: ParameterDefinition) => JsonSchema): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  const groups = new Map<string, Record<string, JsonSchema>>();
  for (const definition of PARAMETER_DEFINITIONS) {
    properties[definition.name] = schemaOf(definition);
    const dot = definition.name.indexOf('.');
    if (dot < 0) continue;
    const group = groups.get(definition.name.slice(0, dot)) ?? {};
    group[definition.name.slice(dot + 1)] = schemaOf(definition);
    groups.set(definition.name.slice(0, dot), group);
  }
  for (const [name, members] of groups) {
    properties[name] = { type: 'object', additionalProperties: false, properties: members };
  }
  return properties;
}

function dimensionSchema(definition: ParameterDefinition): JsonSchema {
  const value = { $ref: `#/$defs/${definition.name}` };
  const values = { type: 'array', minItems: 1, uniqueItems: true, items: value };
  const when = {
    type: 'object',
    description: 'Condition: the dimension exists only if these parameters have one of these values.',
  };
  const listed = { type: 'object', additionalProperties: false, required: ['values'], properties: { values, when } };
  if (definition.type !== 'int' && definition.type !== 'number') return { anyOf: [values, listed] };
  const range = {
    type: 'object',
    additionalProperties: false,
    required: ['min', 'max'],
    properties: {
      min: value,
      max: value,
      scale: { enum: [...SCALES], default: 'linear' },
      grid_points: {
        type: 'integer',
        minimum: 2,
        description: 'Number of grid points in the range, for the strategy grid.',
      },
      step: {
        type: 'number',
        exclusiveMinimum: 0,
        description: 'Distance between allowed values, starting at min; linear scale only.',
      },
      when,
    },
  };
  return { anyOf: [values, listed, range] };
}

function valueDefinitions(): JsonSchema {
  return Object.fromEntries(PARAMETER_DEFINITIONS.map((definition) => [definition.name, valueSchema(definition)]));
}

function valueSchema(definition: ParameterDefinition): JsonSchema {
  const byDefault = definition.default === null ? {} : { default: definition.default };
  const about = { description: describe(definition), ...byDefault };
  switch (definition.type) {
    case 'bool':
      return { type: 'boolean', ...about };
    case 'string':
      if (definition.allowClassWeights === true) {
        const weights = { type: 'object', minProperties: 1, additionalProperties: { type: 'number', minimum: 0 } };
        return { anyOf: [{ enum: definition.choices }, weights], ...about };
      }
      if (definition.choices !== null) return { enum: definition.choices, ...about };
      return {
        type: definition.allowWholeNumber ? ['string', 'integer'] : 'string',
        ...(definition.allowEmpty ? {} : { minLength: 1 }),
        ...(definition.allowWholeNumber ? { minimum: 1 } : {}),
        ...about,
      };
    case 'int':
    case 'number':
      return { type: definition.type === 'int' ? 'integer' : 'number', ...bounds(definition), ...about };
  }
}

function bounds({ min, max, open }: NumericDefinition): JsonSchema {
  return {
    [open === 'min' || open === 'both' ? 'exclusiveMinimum' : 'minimum']: min,
    [open === 'max' || open === 'both' ? 'exclusiveMaximum' : 'maximum']: max,
  };
}

function describe({ doc, parent }: ParameterDefinition): string {
  if (parent === null) return doc;
  const condition = 'above' in parent ? `above ${parent.above}` : parent.anyOf.map(String).join(' or ');
  return `${doc} Only where ${parent.name} is ${condition}.`;
}
