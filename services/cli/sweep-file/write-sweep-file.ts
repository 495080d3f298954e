import { Document, visit, YAMLMap } from 'yaml';
import type {
  DatasetSource,
  ParameterCondition,
  ParameterDomain,
  ParameterSpec,
  ParameterValue,
  SweepSpec,
} from '../../core/sweep/sweep-spec.ts';
import type { SWEEP_KEYS } from './sweep-shape.ts';

/** Absolute value below which a number is written as `1e-5`. */
const SMALL = 1e-3;

/**
 * Writes the sweep file of a spec: YAML that `parseSweepFile` reads back to an equal spec. Keys that have their default are left
 * out; paths are absolute.
 */
export function writeSweepFile(spec: SweepSpec): string {
  const { displayName, parameters, variants, maxRuns, objective, mlflow } = spec;
  // A new key of the file is a type error here until it is written.
  const file: Record<(typeof SWEEP_KEYS)[number], unknown> = {
    display_name: displayName === '' ? undefined : displayName,
    dataset: datasetOf(spec.dataset),
    base: Object.keys(spec.base).length === 0 ? undefined : spec.base,
    parameters: parameters.length === 0 ? undefined : mappingOf(parameters.map((one) => [one.name, domainOf(one)])),
    strategy: spec.strategy,
    variants: variants.length === 0 ? undefined : variants,
    max_runs: maxRuns ?? undefined,
    seed: spec.seed,
    objective,
    test_policy: spec.testPolicy,
    mlflow: mlflow && { experiment: mlflow.experiment, register_model: mlflow.registerModel },
  };
  const document = new Document(file, { aliasDuplicateObjects: false });
  style(document);
  return document.toString({ lineWidth: 0 });
}

function datasetOf({ path, splitFractions, allowDuplicates, skipBadFiles, strict }: DatasetSource): object {
  return {
    path,
    split_fractions: splitFractions ?? undefined,
    allow_duplicates: allowDuplicates ? true : undefined,
    skip_bad_files: skipBadFiles ? true : undefined,
    strict: strict === true ? true : undefined,
  };
}

function domainOf({ domain, conditions }: ParameterSpec): object {
  return { ...rangeOrValues(domain), when: conditions.length === 0 ? undefined : conditionsOf(conditions) };
}

function rangeOrValues(domain: ParameterDomain): object {
  if (domain.kind === 'values') return { values: domain.values };
  const { min, max, scale, gridPoints, step } = domain;
  return {
    min,
    max,
    scale: scale === 'linear' ? undefined : scale,
    grid_points: gridPoints ?? undefined,
    step: step ?? undefined,
  };
}

function conditionsOf(conditions: readonly ParameterCondition[]): object {
  const oneOrAll = (values: readonly ParameterValue[]): unknown => (values.length === 1 ? values[0] : values);
  return mappingOf(conditions.map(({ name, values }) => [name, oneOrAll(values)]));
}

/** Returns a mapping that keeps the order of its entries, which an object does not where a name is a number. */
function mappingOf(entries: readonly (readonly [string, unknown])[]): ReadonlyMap<string, unknown> {
  return new Map(entries);
}

/** Writes domains, variants and fractions on one line each, and small numbers as `1e-5`. */
function style(document: Document): void {
  visit(document, {
    Map(_, map, path) {
      if (path.length > 4) map.flow = true;
    },
    Seq(_, list) {
      list.flow = !list.items.some((item) => item instanceof YAMLMap);
    },
    Scalar(_, scalar) {
      const { value } = scalar;
      if (typeof value === 'number' && value !== 0 && Math.abs(value) < SMALL) scalar.format = 'EXP';
    },
  });
}
