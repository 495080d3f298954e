import { Document, visit, YAMLMap } from 'yaml';
import type {
  DatasetSource,
  ParameterCondition,
  ParameterDomain,
  ParameterSpec,
  ParameterValue,
  SweepSpec,
} from '../../core/sweep/sweep-spec.ts';
import {
  DEFAULT_TARGET_CONFIDENCE,
  SCREEN_DEFAULTS,
  SEARCH_DEFAULTS,
  STOPPING_DEFAULTS,
} from '../../core/sweep/search-spec.ts';
import type { BudgetSpec, SearchSpec, StoppingSpec, TargetSpec } from '../../core/sweep/search-spec.ts';
import type { BUDGET_KEYS, SCREEN_KEYS, SEARCH_KEYS, STOPPING_KEYS, SWEEP_KEYS } from './sweep-shape.ts';

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
    stopping: spec.stopping && stoppingOf(spec.stopping),
    budget: spec.budget && budgetOf(spec.budget),
    constraints: spec.constraints && mappingOf(spec.constraints.map(({ name, atMost }) => [name, { at_most: atMost }])),
    max_parallel_slots: spec.maxParallelSlots,
    priority: spec.priority,
    reuse: spec.reuse,
    screen: spec.screen && screenOf(spec.screen),
    finalists: spec.finalists,
    winner_rule: spec.winnerRule,
    search: spec.search && searchOf(spec.search),
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

function screenOf(screen: NonNullable<SweepSpec['screen']>): object | string {
  if (screen === 'off') return screen;
  const section: Record<(typeof SCREEN_KEYS)[number], unknown> = {
    keep: screen.keep,
    images: screen.images === SCREEN_DEFAULTS.images ? undefined : screen.images,
  };
  return section;
}

/** Returns the keys of a stopping section that are not at their default; the rule's name where that is all. */
function stoppingOf(stopping: StoppingSpec): object | string {
  const { rungs, threshold, patience } = stopping;
  const section: Record<(typeof STOPPING_KEYS)[number], unknown> = {
    rule: stopping.rule ?? undefined,
    reduction_factor: changed(stopping.reductionFactor, STOPPING_DEFAULTS.reductionFactor),
    rungs: rungs === null ? undefined : { head: rungs.head, fine_tune: rungs.fineTune },
    min_entries: stopping.minEntries ?? undefined,
    percentile: changed(stopping.percentile, STOPPING_DEFAULTS.percentile),
    confidence: changed(stopping.confidence, STOPPING_DEFAULTS.confidence),
    threshold: threshold === null ? undefined : { worse_than: threshold.worseThan, from_epoch: threshold.fromEpoch },
    patience: patience === null ? undefined : { epochs: patience.epochs, min_delta: patience.minDelta },
    keep_paused: changed(stopping.keepPaused, STOPPING_DEFAULTS.keepPaused),
    synchronous: changed(stopping.synchronous, STOPPING_DEFAULTS.synchronous),
    promote_idle: changed(stopping.promoteIdle, STOPPING_DEFAULTS.promoteIdle),
  };
  const isRuleAlone = Object.entries(section).every(([key, value]) => value === undefined || key === 'rule');
  return isRuleAlone && stopping.rule !== null ? stopping.rule : section;
}

/** Returns a value that is not the usual one. */
function changed<T>(value: T, usual: T): T | undefined {
  return value === usual ? undefined : value;
}

function searchOf({ startupRuns, roundRuns, explore, pack }: SearchSpec): object {
  const search: Record<(typeof SEARCH_KEYS)[number], unknown> = {
    startup_runs: changed(startupRuns, SEARCH_DEFAULTS.startupRuns),
    round_runs: roundRuns ?? undefined,
    explore: explore ?? undefined,
    pack: changed(pack, SEARCH_DEFAULTS.pack),
  };
  return search;
}

function budgetOf({ slotSeconds, wallSeconds, target, patienceRounds }: BudgetSpec): object {
  const budget: Record<(typeof BUDGET_KEYS)[number], unknown> = {
    slot_seconds: slotSeconds ?? undefined,
    wall_time: wallSeconds ?? undefined,
    target: target === null ? undefined : targetOf(target),
    patience_rounds: patienceRounds,
  };
  return budget;
}

function targetOf({ value, confidence }: TargetSpec): object {
  return { value, confidence: confidence === DEFAULT_TARGET_CONFIDENCE ? undefined : confidence };
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
