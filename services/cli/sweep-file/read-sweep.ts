import { isAbsolute, join, resolve } from 'node:path';
import { PARAMETER_NAMES } from '../../core/search-space/parameter-definitions.ts';
import { pathSyntaxProblem } from '../../core/validation/path-problem.ts';
import type { Objective } from '../../core/objective.ts';
import type {
  DatasetSource,
  MlflowTarget,
  ParameterCondition,
  ParameterDomain,
  Parameters,
  ParameterSpec,
  ParameterValue,
  SplitFractions,
  StrategyName,
  SweepSpec,
} from '../../core/sweep/sweep-spec.ts';
import { isMapping, pathOf } from './shape-reader.ts';
import type { Mapping, ShapeReader } from './shape-reader.ts';
import {
  DATASET_KEYS,
  DOMAIN_KEYS,
  GOALS,
  METRICS,
  MLFLOW_KEYS,
  OBJECTIVE_KEYS,
  SCALES,
  SPLIT_FRACTION_KEYS,
  SWEEP_KEYS,
  TEST_POLICIES,
} from './sweep-shape.ts';

/** Where relative paths of a sweep file start, and what `~` means. */
export interface SweepFileFolders {
  readonly folder: string;
  readonly home: string;
}

/**
 * Makes a spec of a parsed YAML value. Mistakes of shape are collected in `reader`; what is wrong is left out of the spec,
 * so that the rest can still be checked for meaning.
 */
export function readSweep(root: unknown, reader: ShapeReader, folders: SweepFileFolders): SweepSpec {
  const file = reader.mapping(root ?? {}, '', SWEEP_KEYS) ?? {};
  const parameters = readParameterSpecs(file['parameters'], reader).map((spec) => placeDimension(spec, folders));
  const variants = readVariants(file['variants'], reader).map((variant) => placeAllWeights(variant, folders));
  return {
    displayName: reader.text(file['display_name'], 'display_name') ?? '',
    dataset: readDataset(file['dataset'], reader, folders),
    base: placeAllWeights(readParameters(file['base'], 'base', reader), folders),
    parameters,
    // Whether there is such a strategy is checked with the rest: what it needs is not complained about when there is none.
    strategy:
      (reader.text(file['strategy'], 'strategy') as StrategyName | null) ??
      (parameters.length === 0 && variants.length > 0 ? 'list' : 'grid'),
    variants,
    maxRuns: reader.wholeNumber(file['max_runs'], 'max_runs'),
    seed: reader.wholeNumber(file['seed'], 'seed') ?? 0,
    objective: readObjective(file['objective'], reader),
    testPolicy: reader.choice(file['test_policy'], 'test_policy', TEST_POLICIES) ?? 'winner',
    ...(file['mlflow'] === undefined ? {} : { mlflow: readMlflow(file['mlflow'], reader) }),
  };
}

function readDataset(value: unknown, reader: ShapeReader, folders: SweepFileFolders): DatasetSource {
  const dataset = reader.mapping(value, 'dataset', DATASET_KEYS) ?? {};
  const path = reader.text(dataset['path'], 'dataset.path') ?? '';
  return {
    path: path === '' ? '' : absolute(path, folders),
    splitFractions: readFractions(dataset['split_fractions'], reader),
    allowDuplicates: reader.flag(dataset['allow_duplicates'], 'dataset.allow_duplicates') ?? false,
    skipBadFiles: reader.flag(dataset['skip_bad_files'], 'dataset.skip_bad_files') ?? false,
    ...(reader.flag(dataset['strict'], 'dataset.strict') === true ? { strict: true } : {}),
  };
}

/** What is no path at all is left as it is: the check of the spec says what is wrong with it. */
function absolute(path: string, { folder, home }: SweepFileFolders): string {
  if (path === '~' || path.startsWith('~/')) return join(home, path.slice(1));
  return isAbsolute(path) || pathSyntaxProblem(path, '') !== null ? path : resolve(folder, path);
}

/** A weight file is relative to the sweep file, as the images are. Words without a slash or an ending are names. */
function placeWeights(name: string, value: ParameterValue, folders: SweepFileFolders): ParameterValue {
  const isPath = name === 'weights' && typeof value === 'string' && /[/~]|\.[A-Za-z0-9]+$/.test(value);
  return isPath ? absolute(value, folders) : value;
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
    seed: reader.wholeNumber(fractions['seed'], pathOf(path, 'seed')) ?? 0,
  };
}

function readObjective(value: unknown, reader: ShapeReader): Objective {
  const objective = reader.mapping(value, 'objective', OBJECTIVE_KEYS) ?? {};
  const metric = reader.choice(objective['metric'], 'objective.metric', METRICS) ?? 'val_loss';
  const goal =
    reader.choice(objective['goal'], 'objective.goal', GOALS) ?? (metric === 'val_loss' ? 'minimize' : 'maximize');
  return { metric, goal };
}

function readMlflow(value: unknown, reader: ShapeReader): MlflowTarget {
  const target = reader.mapping(value, 'mlflow', MLFLOW_KEYS) ?? {};
  return {
    experiment: reader.text(target['experiment'], 'mlflow.experiment') ?? '',
    registerModel: reader.text(target['register_model'], 'mlflow.register_model') ?? '',
  };
}

/** Flat dotted keys and nested mappings mean the same: `head.units: 64` is `head: { units: 64 }`. */
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
      reader.fail(pathOf(root, name), 'there is no parameter of that name.');
      continue;
    }
    if (isMapping(value)) {
      collectParameters(value, name, root, into, reader);
      continue;
    }
    const scalar = reader.scalar(value, pathOf(root, name));
    if (scalar === null) continue;
    if (Object.hasOwn(into, name)) reader.fail(pathOf(root, name), 'is given twice, dotted and nested.');
    into[name] = scalar;
  }
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
    if (into.some((spec) => spec.name === name)) reader.fail(path, 'is given twice, dotted and nested.');
    const spec = readSpec(name, path, value, reader);
    if (spec === null) reader.unreadable.add(name);
    else into.push(spec);
  }
}

/** `optimizer: { learning_rate: … }` groups parameters; `head.units: { vales: … }` is a domain with a typing mistake. */
function isGroup(name: string, value: Mapping): boolean {
  if (PARAMETER_NAMES.includes(name)) return false;
  const isPrefix = PARAMETER_NAMES.some((known) => known.startsWith(`${name}.`));
  const hasDomainKey = Object.keys(value).some((key) => DOMAIN_KEYS.some((known) => known === key));
  return isPrefix && !hasDomainKey;
}

/** null where neither values nor a range can be made out. */
function readSpec(name: string, path: string, value: unknown, reader: ShapeReader): ParameterSpec | null {
  // A list alone is short for `values`.
  const domain = Array.isArray(value) ? { values: value as unknown[] } : value;
  const mapping = reader.mapping(domain ?? {}, path, DOMAIN_KEYS);
  if (mapping === null) return null;
  const read = readDomain(mapping, path, reader);
  const conditions = readConditions(mapping['when'], path, reader);
  return read === null ? null : { name, domain: read, conditions };
}

function readDomain(mapping: Mapping, path: string, reader: ShapeReader): ParameterDomain | null {
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
    const scalars = list.map((value, index) => reader.scalar(value, pathOf(pathOf(path, 'values'), index)));
    return { kind: 'values', values: scalars.filter((value) => value !== null) };
  }
  return {
    kind: 'range',
    min: readBound(mapping, 'min', path, reader),
    max: readBound(mapping, 'max', path, reader),
    scale: reader.choice(scale, pathOf(path, 'scale'), SCALES) ?? 'linear',
    gridPoints: reader.wholeNumber(gridPoints, pathOf(path, 'grid_points')),
    step: reader.number(step, pathOf(path, 'step')),
  };
}

function readBound(mapping: Mapping, key: 'min' | 'max', path: string, reader: ShapeReader): number {
  if (mapping[key] === undefined) reader.fail(pathOf(path, key), 'is missing; a range needs min and max.');
  return reader.number(mapping[key], pathOf(path, key)) ?? Number.NaN;
}

/** `when: { method: augmented, head.units: [64, 256] }`: all must hold. */
function readConditions(value: unknown, path: string, reader: ShapeReader): readonly ParameterCondition[] {
  const root = pathOf(path, 'when');
  const mapping = reader.mapping(value, root, null);
  if (mapping === null) return [];
  return Object.entries(mapping).map(([name, wanted]) => {
    const list: readonly unknown[] = Array.isArray(wanted) ? wanted : [wanted];
    const scalars = list.map((item, index) =>
      reader.scalar(item, Array.isArray(wanted) ? pathOf(pathOf(root, name), index) : pathOf(root, name)),
    );
    return { name, values: scalars.filter((scalar) => scalar !== null) };
  });
}
