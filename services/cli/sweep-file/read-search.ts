import {
  DEFAULT_TARGET_CONFIDENCE,
  SEARCH_DEFAULTS,
  STOPPING_DEFAULTS,
  STOPPING_RULES,
} from '../../core/sweep/search-spec.ts';
import type {
  BudgetSpec,
  PatienceSpec,
  RungEpochs,
  SearchSpec,
  StoppingRule,
  StoppingSpec,
  TargetSpec,
  ThresholdSpec,
} from '../../core/sweep/search-spec.ts';
import { didYouMean } from '../../core/text/nearest-name.ts';
import { show } from '../../core/text/show.ts';
import { readDuration } from './read-duration.ts';
import { isMapping, pathOf } from './shape-reader.ts';
import type { ShapeReader } from './shape-reader.ts';
import {
  BUDGET_KEYS,
  PATIENCE_KEYS,
  RUNG_KEYS,
  SEARCH_KEYS,
  STOPPING_KEYS,
  TARGET_KEYS,
  THRESHOLD_KEYS,
} from './sweep-shape.ts';

/** Reads `stopping`. A rule's name alone is short for a section with that rule. */
export function readStopping(value: unknown, reader: ShapeReader): StoppingSpec {
  if (typeof value === 'string') return { ...STOPPING_DEFAULTS, rule: readRule(value, 'stopping', reader) };
  // An empty section asks for the default rule.
  const section = reader.mapping(value ?? {}, 'stopping', STOPPING_KEYS) ?? {};
  const at = (key: (typeof STOPPING_KEYS)[number]): [unknown, string] => [section[key], pathOf('stopping', key)];
  return {
    rule: readRule(...at('rule'), reader),
    reductionFactor: reader.integer(...at('reduction_factor')) ?? STOPPING_DEFAULTS.reductionFactor,
    rungs: readRungs(...at('rungs'), reader),
    minEntries: reader.integer(...at('min_entries')),
    percentile: reader.number(...at('percentile')) ?? STOPPING_DEFAULTS.percentile,
    confidence: reader.number(...at('confidence')) ?? STOPPING_DEFAULTS.confidence,
    threshold: readThreshold(...at('threshold'), reader),
    patience: readPatience(...at('patience'), reader),
    keepPaused: reader.integer(...at('keep_paused')) ?? STOPPING_DEFAULTS.keepPaused,
    synchronous: reader.flag(...at('synchronous')) ?? STOPPING_DEFAULTS.synchronous,
    promoteIdle: reader.flag(...at('promote_idle')) ?? STOPPING_DEFAULTS.promoteIdle,
  };
}

function readRule(value: unknown, path: string, reader: ShapeReader): StoppingRule | null {
  return reader.choice(value, path, STOPPING_RULES);
}

function readRungs(value: unknown, path: string, reader: ShapeReader): RungEpochs | null {
  if (value === undefined || value === 'auto') return null;
  if (!isMapping(value)) {
    const hint = typeof value === 'string' ? didYouMean(value, ['auto']) : '';
    const example = 'auto or a mapping, for example { fine_tune: [3, 9] }';
    return reader.fail(path, `must be ${example}; received ${show(value)}.${hint}`);
  }
  const rungs = reader.mapping(value, path, RUNG_KEYS) ?? {};
  return {
    head: readEpochs(rungs['head'], pathOf(path, 'head'), reader),
    fineTune: readEpochs(rungs['fine_tune'], pathOf(path, 'fine_tune'), reader),
  };
}

function readEpochs(value: unknown, path: string, reader: ShapeReader): readonly number[] {
  const list = reader.list(value, path) ?? [];
  // A place that can't be read keeps its number, so that mistakes of later ones have theirs.
  return list.map((item, index) => reader.integer(item, pathOf(path, index)) ?? Number.NaN);
}

function readThreshold(value: unknown, path: string, reader: ShapeReader): ThresholdSpec | null {
  const threshold = reader.mapping(value, path, THRESHOLD_KEYS);
  if (threshold === null) return null;
  const worseThan = reader.number(threshold['worse_than'], pathOf(path, 'worse_than'));
  if (threshold['worse_than'] === undefined) {
    reader.fail(
      pathOf(path, 'worse_than'),
      'is missing; give the value of the objective that no run may be worse than.',
    );
  }
  return {
    worseThan: worseThan ?? 0,
    fromEpoch: reader.integer(threshold['from_epoch'], pathOf(path, 'from_epoch')) ?? 1,
  };
}

function readPatience(value: unknown, path: string, reader: ShapeReader): PatienceSpec | null {
  const patience = reader.mapping(value, path, PATIENCE_KEYS);
  if (patience === null) return null;
  if (patience['epochs'] === undefined) {
    reader.fail(pathOf(path, 'epochs'), 'is missing; give the epochs without progress after which a run stops.');
  }
  return {
    epochs: reader.integer(patience['epochs'], pathOf(path, 'epochs')) ?? 1,
    minDelta: reader.number(patience['min_delta'], pathOf(path, 'min_delta')) ?? 0,
  };
}

export function readBudget(value: unknown, reader: ShapeReader): BudgetSpec {
  const budget = reader.mapping(value ?? {}, 'budget', BUDGET_KEYS) ?? {};
  return {
    slotSeconds: readDuration(budget['slot_seconds'], 'budget.slot_seconds', reader),
    wallSeconds: readDuration(budget['wall_time'], 'budget.wall_time', reader),
    target: readTarget(budget['target'], reader),
    ...readPatienceRounds(budget['patience_rounds'], reader),
  };
}

/** Reads a bound that is absent from a spec where the file has none. 0 is kept, so that validation names it. */
function readPatienceRounds(value: unknown, reader: ShapeReader): Pick<BudgetSpec, 'patienceRounds'> {
  const patienceRounds = reader.integer(value, 'budget.patience_rounds');
  return patienceRounds === null ? {} : { patienceRounds };
}

/** Reads `search`. `round_runs: auto` and `explore: auto` are the same as their absence. */
export function readSearch(value: unknown, reader: ShapeReader): SearchSpec {
  const search = reader.mapping(value ?? {}, 'search', SEARCH_KEYS) ?? {};
  const given = (key: (typeof SEARCH_KEYS)[number]): unknown => (search[key] === 'auto' ? undefined : search[key]);
  return {
    startupRuns: reader.integer(search['startup_runs'], 'search.startup_runs') ?? SEARCH_DEFAULTS.startupRuns,
    roundRuns: reader.integer(given('round_runs'), 'search.round_runs'),
    explore: reader.number(given('explore'), 'search.explore'),
    pack: reader.flag(search['pack'], 'search.pack') ?? SEARCH_DEFAULTS.pack,
  };
}

function readTarget(value: unknown, reader: ShapeReader): TargetSpec | null {
  const path = 'budget.target';
  // A number alone is the value.
  const target = typeof value === 'number' ? { value } : reader.mapping(value, path, TARGET_KEYS);
  if (target === null) return null;
  if (target['value'] === undefined) {
    reader.fail(pathOf(path, 'value'), 'is missing; give the value of the objective that ends the search.');
  }
  return {
    value: reader.number(target['value'], pathOf(path, 'value')) ?? 0,
    confidence: reader.number(target['confidence'], pathOf(path, 'confidence')) ?? DEFAULT_TARGET_CONFIDENCE,
  };
}
