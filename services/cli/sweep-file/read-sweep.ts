import { isAbsolute, join, resolve } from 'node:path';
import { unknownParameter } from '../../core/search-space/canonical.ts';
import { kerasHint } from '../../core/search-space/keras-names.ts';
import { findDefinition, PARAMETER_NAMES } from '../../core/search-space/parameter-definitions.ts';
import { pathSyntaxProblem } from '../../core/validation/path-problem.ts';
import { GOAL_OF_METRIC, OBJECTIVE_GOALS, OBJECTIVE_METRICS } from '../../core/objective.ts';
import type { Objective } from '../../core/objective.ts';
import { DEFAULT_PRIORITY } from '../../core/sweep/search-spec.ts';
import { SCALES, TEST_POLICIES } from '../../core/sweep/sweep-spec.ts';
import type {
  DatasetSource,
  MlflowTarget,
  ParameterCondition,
  ParameterDomain,
  Parameters,
  ParameterSpec,
  ParameterValue,
  SplitFractions,
  SweepSpec,
} from '../../core/sweep/sweep-spec.ts';
import { readWinnerChoice } from './read-finalists.ts';
import { readScreen } from './read-screen.ts';
import { readConstraints } from './read-constraints.ts';
import { readBudget, readSearch, readStopping } from './read-search.ts';
import { isMapping, pathOf } from './shape-reader.ts';
import type { Mapping, ShapeReader } from './shape-reader.ts';
import {
  DATASET_KEYS,
  DOMAIN_KEYS,
  MLFLOW_KEYS,
  OBJECTIVE_KEYS,
  SPLIT_FRACTION_KEYS,
  SWEEP_KEYS,
} from './sweep-shape.ts';

/** Folders that paths of a sweep file are relative to: its own, and the home folder for `~`. */
export interface SweepFileFolders {
  readonly folder: string;
  readonly home: string;
}

/**
 * Converts a parsed YAML value to a spec. Mistakes of shape are added to `reader`, and left out of the spec so that the rest can
 * still be validated.
 */
export function readSweep(root: unknown, reader: ShapeReader, folders: SweepFileFolders): SweepSpec {
  const file = reader.mapping(root ?? {}, '', SWEEP_KEYS) ?? {};
  const parameters = readParameterSpecs(file['parameters'], reader).map((spec) => placeDimension(spec, folders));
  const variants = readVariants(file['variants'], reader).map((variant) => placeAllWeights(variant, folders));
  return {
    displayName: reader.string(file['display_name'], 'display_name') ?? '',
    dataset: readDataset(file['dataset'], reader, folders),
    base: placeAllWeights(readParameters(file['base'], 'base', reader), folders),
    parameters,
    // Validation checks the strategy's name, so that an unknown strategy does not report missing fields as well.
    strategy:
      reader.string(file['strategy'], 'strategy') ?? (parameters.length === 0 && variants.length > 0 ? 'list' : 'grid'),
    variants,
    maxRuns: reader.integer(file['max_runs'], 'max_runs'),
    seed: reader.integer(file['seed'], 'seed') ?? 0,
    objective: readObjective(file['objective'], reader),
    testPolicy: reader.choice(file['test_policy'], 'test_policy', TEST_POLICIES) ?? 'winner',
    ...(file['mlflow'] === undefined ? {} : { mlflow: readMlflow(file['mlflow'], reader) }),
    ...(file['stopping'] === undefined ? {} : { stopping: readStopping(file['stopping'], reader) }),
    ...(file['budget'] === undefined ? {} : { budget: readBudget(file['budget'], reader) }),
    ...(file['screen'] === undefined ? {} : { screen: readScreen(file['screen'], reader) }),
    ...(file['constraints'] === undefined ? {} : { constraints: readConstraints(file['constraints'], reader) }),
    ...readScheduling(file, reader),
    ...readWinnerChoice(file, reader),
    ...(file['search'] === undefined ? {} : { search: readSearch(file['search'], reader) }),
  };
}

/** Reads what is absent from a spec at its default. */
function readScheduling(
  file: Mapping,
  reader: ShapeReader,
): Pick<SweepSpec, 'maxParallelSlots' | 'priority' | 'reuse'> {
  const maxParallelSlots = reader.integer(file['max_parallel_slots'], 'max_parallel_slots');
  const priority = reader.integer(file['priority'], 'priority') ?? DEFAULT_PRIORITY;
  return {
    ...(maxParallelSlots === null ? {} : { maxParallelSlots }),
    ...(priority === DEFAULT_PRIORITY ? {} : { priority }),
    ...(reader.flag(file['reuse'], 'reuse') === false ? { reuse: false } : {}),
  };
}

function readDataset(value: unknown, reader: ShapeReader, folders: SweepFileFolders): DatasetSource {
  const dataset = reader.mapping(value, 'dataset', DATASET_KEYS) ?? {};
  const path = reader.string(dataset['path'], 'dataset.path') ?? '';
  return {
    path: path === '' ? '' : absolutePath(path, folders),
    splitFractions: readFractions(dataset['split_fractions'], reader),
    allowDuplicates: reader.flag(dataset['allow_duplicates'], 'dataset.allow_duplicates') ?? false,
    skipBadFiles: reader.flag(dataset['skip_bad_files'], 'dataset.skip_bad_files') ?? false,
    ...(reader.flag(dataset['strict'], 'dataset.strict') === true ? { strict: true } : {}),
  };
}

/** Resolves a path. An invalid path is returned unchanged: validation of the spec reports it. */
export function absolutePath(path: string, { folder, home }: SweepFileFolders): string {
  if (path === '~' || path.startsWith('~/')) return join(home, path.slice(1));
  return isAbsolute(path) || pathSyntaxProblem(path, '') !== null ? path : resolve(folder, path);
}

/** Resolves a weight file relative to the sweep file. A word without a slash or an extension is the name of published weights. */
function placeWeights(name: string, value: ParameterValue, folders: SweepFileFolders): ParameterValue {
  const isPath = name === 'weights' && typeof value === 'string' && /[/~]|\.[A-Za-z0-9]+$/.test(value);
  return isPath ? absolutePath(value, folders) : value;
}

function placeAllWeights(parameters: Parameters, folders: SweepFileFolders): Parameters {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, placeWeights(name, value, folders)]),
  );
}

function placeDimension(spec: ParameterSpec, folders: SweepFileFolders): ParameterSpec {
  const { name, domain } = spec;
  const place = (value: ParameterValue): ParameterValue => placeWeights(name, value, folders);
  const conditions = spec.conditions.map((condition) => ({
    ...condition,
    values: condition.values.map((value) => placeWeights(condition.name, value, folders)),
  }));
  return {
    ...spec,
    domain: domain.kind === 'values' ? { ...domain, values: domain.values.map(place) } : domain,
    conditions,
  };
}

function readFractions(value: unknown, reader: ShapeReader): SplitFractions | null {
  const path = 'dataset.split_fractions';
  const fractions = reader.mapping(value, path, SPLIT_FRACTION_KEYS);
  if (fractions === null) return null;
  const part = (key: 'train' | 'validation' | 'test'): number => {
    if (fractions[key] === undefined) reader.fail(pathOf(path, key), 'is missing; for example 0.7, 0.15 and 0.15.');
    return reader.number(fractions[key], pathOf(path, key)) ?? 0;
  };
  return {
    train: part('train'),
    validation: part('validation'),
    test: part('test'),
    seed: reader.integer(fractions['seed'], pathOf(path, 'seed')) ?? 0,
  };
}

function readObjective(value: unknown, reader: ShapeReader): Objective {
  const objective = reader.mapping(value, 'objective', OBJECTIVE_KEYS) ?? {};
  const metric = reader.choice(objective['metric'], 'objective.metric', OBJECTIVE_METRICS) ?? 'val_loss';
  const goal = reader.choice(objective['goal'], 'objective.goal', OBJECTIVE_GOALS) ?? GOAL_OF_METRIC[metric];
  return { metric, goal };
}

function readMlflow(value: unknown, reader: ShapeReader): MlflowTarget {
  const target = reader.mapping(value, 'mlflow', MLFLOW_KEYS) ?? {};
  return {
    experiment: reader.string(target['experiment'], 'mlflow.experiment') ?? '',
    registerModel: reader.string(target['register_model'], 'mlflow.register_model') ?? '',
  };
}

/** Reads parameters. Dotted keys and nested mappings are equivalent: `head.units: 64` is `head: { units: 64 }`. */
function readParameters(value: unknown, path: string, reader: ShapeReader): Parameters {
  const parameters: Record<string, ParameterValue> = {};
  const mapping = reader.mapping(value, path, null);
  if (mapping !== null) collectParameters(mapping, '', path, parameters, reader);
  return parameters;
}

function collectParameters(
  mapping: Mapping,
  prefix: string,
  root: string,
  into: Record<string, ParameterValue>,
  reader: ShapeReader,
): void {
  for (const [key, value] of Object.entries(mapping)) {
    const name = prefix === '' ? key : `${prefix}.${key}`;
    if (key === '__proto__') {
      reader.fail(pathOf(root, name), 'there is no parameter of this name.');
      continue;
    }
    // A list of callbacks, or weights by class number: the name is the mistake, not the value.
    const isMisnamed = isMapping(value) ? isKerasName(name) : Array.isArray(value) && findDefinition(name) === null;
    if (isMapping(value) && !isMisnamed && !takesClassWeights(name)) {
      collectParameters(value, name, root, into, reader);
      continue;
    }
    if (isMisnamed) {
      reader.fail(pathOf(root, name), unknownParameter(name));
      continue;
    }
    const scalar = readValue(name, value, pathOf(root, name), reader);
    if (scalar === null) continue;
    if (Object.hasOwn(into, name)) reader.fail(pathOf(root, name), 'is given twice, dotted and nested.');
    into[name] = scalar;
  }
}

/** Reads the value of a hyper-parameter. Weights by class name are a mapping in the file and a JSON object in the spec. */
function readValue(name: string, value: unknown, path: string, reader: ShapeReader): ParameterValue | null {
  return isMapping(value) && takesClassWeights(name) ? JSON.stringify(value) : reader.scalar(value, path);
}

function takesClassWeights(name: string): boolean {
  const definition = findDefinition(name);
  return definition?.type === 'string' && definition.allowClassWeights === true;
}

function readVariants(value: unknown, reader: ShapeReader): readonly Parameters[] {
  const list = reader.list(value, 'variants') ?? [];
  return list.map((variant, index) => readParameters(variant ?? {}, pathOf('variants', index), reader));
}

function readParameterSpecs(value: unknown, reader: ShapeReader): readonly ParameterSpec[] {
  const specs: ParameterSpec[] = [];
  const mapping = reader.mapping(value, 'parameters', null);
  if (mapping !== null) collectSpecs(mapping, '', specs, reader);
  return specs;
}

function collectSpecs(mapping: Mapping, prefix: string, into: ParameterSpec[], reader: ShapeReader): void {
  for (const [key, value] of Object.entries(mapping)) {
    const name = prefix === '' ? key : `${prefix}.${key}`;
    const path = pathOf('parameters', name);
    if (isMapping(value) && isGroup(name, value)) {
      collectSpecs(value, name, into, reader);
      continue;
    }
    if (isMapping(value) && isKerasName(name) && !hasDomainKey(value)) {
      reader.fail(path, unknownParameter(name));
      reader.unreadable.add(name);
      continue;
    }
    if (into.some((spec) => spec.name === name)) reader.fail(path, 'is given twice, dotted and nested.');
    const spec = readSpec(name, path, value, reader);
    if (spec === null) reader.unreadable.add(name);
    else into.push(spec);
  }
}

/**
 * Returns whether a mapping groups parameters, as `optimizer: { learning_rate: … }` does. `head.units: { vales: … }` is a domain
 * with a typo.
 */
function isGroup(name: string, value: Mapping): boolean {
  return !PARAMETER_NAMES.includes(name) && isPrefix(name) && !hasDomainKey(value);
}

function isPrefix(name: string): boolean {
  return PARAMETER_NAMES.some((known) => known.startsWith(`${name}.`));
}

function hasDomainKey(value: Mapping): boolean {
  return Object.keys(value).some((key) => DOMAIN_KEYS.some((known) => known === key));
}

/** Returns whether Keras has a parameter of this name, which has another name here, and no group has it. */
function isKerasName(name: string): boolean {
  return !isPrefix(name) && kerasHint(name) !== '';
}

/** Reads a dimension; null if it has neither values nor a range. */
function readSpec(name: string, path: string, value: unknown, reader: ShapeReader): ParameterSpec | null {
  // A bare list is short for `values`.
  const domain = Array.isArray(value) ? { values: value as unknown[] } : value;
  const mapping = reader.mapping(domain ?? {}, path, DOMAIN_KEYS);
  if (mapping === null) return null;
  const read = readDomain(name, mapping, path, reader);
  const conditions = readConditions(mapping['when'], path, reader);
  return read === null ? null : { name, domain: read, conditions };
}

function readDomain(name: string, mapping: Mapping, path: string, reader: ShapeReader): ParameterDomain | null {
  const { values, min, max, scale, grid_points: gridPoints, step } = mapping;
  const isRange = [min, max, scale, gridPoints, step].some((given) => given !== undefined);
  if (values !== undefined && isRange) {
    reader.fail(path, 'has both values and a range; keep either values or min and max.');
  }
  if (values === undefined && !isRange) {
    if (!reader.hasFailed(path)) reader.fail(path, 'needs values: […] or min and max.');
    return null;
  }
  if (values !== undefined) {
    const list = reader.list(values, pathOf(path, 'values'));
    if (list === null) return null;
    const scalars = list.map((value, index) => readValue(name, value, pathOf(pathOf(path, 'values'), index), reader));
    return { kind: 'values', values: scalars.filter((value) => value !== null) };
  }
  return {
    kind: 'range',
    min: readBound(mapping, 'min', path, reader),
    max: readBound(mapping, 'max', path, reader),
    scale: reader.choice(scale, pathOf(path, 'scale'), SCALES) ?? 'linear',
    gridPoints: reader.integer(gridPoints, pathOf(path, 'grid_points')),
    step: reader.number(step, pathOf(path, 'step')),
  };
}

function readBound(mapping: Mapping, key: 'min' | 'max', path: string, reader: ShapeReader): number {
  if (mapping[key] === undefined) reader.fail(pathOf(path, key), 'is missing; a range needs min and max.');
  return reader.number(mapping[key], pathOf(path, key)) ?? Number.NaN;
}

/** Reads conditions, all of which must hold: `when: { method: augmented, head.units: [64, 256] }`. */
function readConditions(value: unknown, path: string, reader: ShapeReader): readonly ParameterCondition[] {
  const root = pathOf(path, 'when');
  const mapping = reader.mapping(value, root, null);
  if (mapping === null) return [];
  return Object.entries(mapping).map(([name, wanted]) => {
    const list: readonly unknown[] = Array.isArray(wanted) ? wanted : [wanted];
    const scalars = list.map((item, index) =>
      readValue(name, item, Array.isArray(wanted) ? pathOf(pathOf(root, name), index) : pathOf(root, name), reader),
    );
    return { name, values: scalars.filter((scalar) => scalar !== null) };
  });
}
