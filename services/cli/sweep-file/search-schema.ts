import {
  DEFAULT_PRIORITY,
  DEFAULT_TARGET_CONFIDENCE,
  MAX_KEPT_CANDIDATES,
  MAX_PRIORITY,
  MAX_PROBE_IMAGES,
  MIN_PROBE_IMAGES,
  SCREEN_DEFAULTS,
  SEARCH_DEFAULTS,
  STOPPING_DEFAULTS,
  STOPPING_RULES,
} from '../../core/sweep/search-spec.ts';
import {
  LARGEST_REDUCTION_FACTOR,
  MAX_LISTED_RUNGS,
  SMALLEST_REDUCTION_FACTOR,
} from '../../core/validation/validate-search.ts';
import type { CONSTRAINT_NAMES } from '../../core/sweep/constraint.ts';
import { MAX_FINALISTS, MAX_SEEDS } from '../../core/validation/validate-finalists.ts';
import { DEFAULT_WINNER_RULE, FINALIST_DEFAULTS, WINNER_RULES } from '../../core/sweep/finalist-spec.ts';
import { MAX_ROUND_RUNS } from '../../core/stopping/rounds-policy.ts';
import { DURATION_PATTERN } from '../../core/text/duration.ts';
import { BYTES_PATTERN, COUNT_PATTERN } from '../../core/text/quantity.ts';
import type {
  BUDGET_KEYS,
  CONSTRAINT_KEYS,
  FINALIST_KEYS,
  PATIENCE_KEYS,
  RUNG_KEYS,
  SCREEN_KEYS,
  SEARCH_KEYS,
  STOPPING_KEYS,
  TARGET_KEYS,
  THRESHOLD_KEYS,
} from './sweep-shape.ts';

type Schema = Readonly<Record<string, unknown>>;
type Properties<K extends readonly string[]> = Record<K[number], Schema>;

/** Schemas of the keys that stop, bound and schedule a sweep. */
export function searchProperties(): Readonly<Record<string, Schema>> {
  return {
    stopping: stoppingSchema(),
    budget: budgetSchema(),
    screen: screenSchema(),
    constraints: constraintsSchema(),
    search: roundsSchema(),
    max_parallel_slots: {
      type: 'integer',
      minimum: 1,
      description: 'Maximum number of slots that work on the sweep at once. Default: all.',
    },
    priority: {
      type: 'integer',
      minimum: -MAX_PRIORITY,
      maximum: MAX_PRIORITY,
      default: DEFAULT_PRIORITY,
      description:
        'Sweeps of a higher priority get slots first. One that finds no free slot pauses a run of a lower sweep at a checkpoint.',
    },
    reuse: {
      type: 'boolean',
      default: true,
      description: 'Take the results of equal runs of other sweeps instead of training them again.',
    },
    finalists: finalistsSchema(),
    winner_rule: {
      enum: [...WINNER_RULES],
      default: DEFAULT_WINNER_RULE,
      description: [
        'Choice of the winner, which is tested.',
        'best: the best score, the mean over the seeds of a finalist.',
        'one_standard_error: the cheapest run whose score is within one standard error of the best one.',
      ].join(' '),
    },
  };
}

function stoppingSchema(): Schema {
  const rule = {
    enum: [...STOPPING_RULES],
    description: [
      'Rule that stops or pauses hopeless runs. Default: promotion if any run is fine-tuned, else none.',
      'none: every run trains to its end.',
      'promotion: trains all heads, then promotes the best of each rung to the next; the others pause and may be promoted later.',
      'asha: stops a run if more than 1/reduction_factor of the runs at its rung are better.',
      'median: stops a run that is worse than the median of its rung.',
      'percentile: stops a run that is among the worst `percentile` percent of its rung.',
      'paired: stops a run only if a paired test on the validation images finds it worse than those that continue.',
      'threshold and patience: stop a run by the section of that name alone.',
    ].join(' '),
  };
  const properties: Properties<typeof STOPPING_KEYS> = {
    rule,
    reduction_factor: {
      type: 'integer',
      minimum: SMALLEST_REDUCTION_FACTOR,
      maximum: LARGEST_REDUCTION_FACTOR,
      default: STOPPING_DEFAULTS.reductionFactor,
      description: 'For promotion and asha: one in `reduction_factor` runs continues beyond a rung.',
    },
    rungs: rungsSchema(),
    min_entries: {
      type: 'integer',
      minimum: 1,
      description:
        'Entries of a rung before the rule decides. Default: the reduction factor; twice that for promotion, 5 for median and percentile.',
    },
    percentile: {
      type: 'number',
      exclusiveMinimum: 0,
      exclusiveMaximum: 100,
      default: STOPPING_DEFAULTS.percentile,
      description:
        "For the rule percentile: percentage of the runs that stops. Optuna's PercentilePruner names the part that it keeps.",
    },
    confidence: {
      type: 'number',
      minimum: 0.5,
      exclusiveMaximum: 1,
      default: STOPPING_DEFAULTS.confidence,
      description: 'For the rule paired: 1 − the probability that an equally good run is stopped.',
    },
    threshold: objectSchema(
      'Stops a run that is worse than a value; beside any rule.',
      {
        worse_than: { type: 'number', description: "Value of the objective's metric." },
        from_epoch: { type: 'integer', minimum: 1, default: 1, description: 'First epoch of a stage that is judged.' },
      } satisfies Properties<typeof THRESHOLD_KEYS>,
      ['worse_than'],
    ),
    patience: objectSchema(
      'Stops a run without progress; beside any rule.',
      {
        epochs: { type: 'integer', minimum: 1, description: 'Epochs without progress.' },
        min_delta: { type: 'number', minimum: 0, default: 0, description: 'Smallest change that is progress.' },
      } satisfies Properties<typeof PATIENCE_KEYS>,
      ['epochs'],
    ),
    keep_paused: {
      type: 'integer',
      minimum: 0,
      default: STOPPING_DEFAULTS.keepPaused,
      description: 'Number of best paused runs whose checkpoints are kept in any case.',
    },
    synchronous: {
      type: 'boolean',
      default: STOPPING_DEFAULTS.synchronous,
      description: 'A rung decides when no other run can reach it, so that decisions do not depend on timing.',
    },
    promote_idle: {
      type: 'boolean',
      default: STOPPING_DEFAULTS.promoteIdle,
      description:
        'A slot that would idle while the sweep still trains promotes the best run that waits at the lowest rung. ' +
        'Not with a budget of slot-seconds.',
    },
  };
  return {
    description:
      'Rule that stops or pauses hopeless runs while they train. Default: none, every run trains to its end.',
    anyOf: [rule, { type: 'object', additionalProperties: false, properties }],
  };
}

function rungsSchema(): Schema {
  const epochs = { type: 'array', maxItems: MAX_LISTED_RUNGS, items: { type: 'integer', minimum: 1 } };
  const properties: Properties<typeof RUNG_KEYS> = {
    head: { ...epochs, description: 'Rising epochs of heads; for method: augmented only.' },
    fine_tune: { ...epochs, description: 'Rising epochs of fine-tuning.' },
  };
  return {
    description:
      'Epochs at which runs are compared; the end of each stage is one without being listed. Default: auto, from the largest ' +
      'number of epochs.',
    anyOf: [{ const: 'auto' }, { type: 'object', additionalProperties: false, properties }],
  };
}

function screenSchema(): Schema {
  const properties: Properties<typeof SCREEN_KEYS> = {
    keep: {
      type: 'integer',
      minimum: 1,
      maximum: MAX_KEPT_CANDIDATES,
      default: SCREEN_DEFAULTS.keep,
      description: "Candidates that are kept at most, the baseline's included.",
    },
    images: {
      anyOf: [{ const: 0 }, { type: 'integer', minimum: MIN_PROBE_IMAGES, maximum: MAX_PROBE_IMAGES }],
      default: SCREEN_DEFAULTS.images,
      description:
        'Images of each probe, two thirds of them from the training split. 0: 300, and more where there are many classes.',
    },
  };
  return {
    description:
      'Screen of the candidates (backbone, cut, image size, pooling) on some images, before features of all are computed: the best ' +
      'and those that a paired test does not find worse are trained. Default: off.',
    anyOf: [{ const: 'off' }, { type: 'object', additionalProperties: false, properties }],
  };
}

function roundsSchema(): Schema {
  const auto = (schema: Schema): Schema => ({ anyOf: [{ const: 'auto' }, schema] });
  const properties: Properties<typeof SEARCH_KEYS> = {
    startup_runs: {
      type: 'integer',
      minimum: 1,
      default: SEARCH_DEFAULTS.startupRuns,
      description: 'Runs with results before the first model; those before are variants and Sobol points.',
    },
    round_runs: {
      ...auto({ type: 'integer', minimum: 1, maximum: MAX_ROUND_RUNS }),
      description: 'Runs of a round, which train together. Default: auto, 8 up to 48 runs and 16 above.',
    },
    explore: {
      ...auto({ type: 'number', minimum: 0, maximum: 1 }),
      description: 'Part of the runs of a round that are Sobol points. Default: auto, none for gp and 0.25 for tpe.',
    },
    pack: {
      type: 'boolean',
      default: SEARCH_DEFAULTS.pack,
      description:
        'Later runs of a round take the values that would split a group, such as batch_size, from the first ones.',
    },
  };
  return objectSchema('Rounds of the strategies gp and tpe.', properties, []);
}

function budgetSchema(): Schema {
  const duration = {
    anyOf: [
      { type: 'number', exclusiveMinimum: 0 },
      { type: 'string', minLength: 2, pattern: DURATION_PATTERN },
    ],
  };
  const properties: Properties<typeof BUDGET_KEYS> = {
    slot_seconds: {
      ...duration,
      description: 'Seconds of all attempts, lost ones included; or a duration such as 90m.',
    },
    wall_time: { ...duration, description: "Seconds since the sweep's first lease; or a duration such as 2h." },
    target: {
      description: 'Value of the objective that ends the search.',
      anyOf: [
        { type: 'number' },
        objectSchema(
          'Value with its confidence.',
          {
            value: { type: 'number', description: "Value of the objective's metric." },
            confidence: {
              type: 'number',
              minimum: 0.5,
              exclusiveMaximum: 1,
              default: DEFAULT_TARGET_CONFIDENCE,
              description: 'Confidence of the lower Wilson bound of val_accuracy; other metrics are taken as measured.',
            },
          } satisfies Properties<typeof TARGET_KEYS>,
          ['value'],
        ),
      ],
    },
    patience_rounds: {
      type: 'integer',
      minimum: 1,
      description:
        'For gp and tpe: rounds without a distinguishably better run, after which no other one is asked for.',
    },
  };
  return objectSchema('Bounds of the work; the first one that is reached ends the search.', properties, []);
}

function constraintsSchema(): Schema {
  const bound = (description: string, pattern: string): Schema => {
    const amount = {
      anyOf: [
        { type: 'integer', minimum: 1 },
        { type: 'string', pattern },
      ],
    };
    const properties: Properties<typeof CONSTRAINT_KEYS> = { at_most: { ...amount, description: 'Largest value.' } };
    return { description, anyOf: [...amount.anyOf, objectSchema('Bound.', properties, ['at_most'])] };
  };
  const properties: Properties<typeof CONSTRAINT_NAMES> = {
    model_bytes: bound('Bytes of the weights of the exported float32 model; or a size such as 20MB.', BYTES_PATTERN),
    parameters: bound('Parameters of the model, as Keras counts them; or an amount such as 4M.', COUNT_PATTERN),
    flops: bound(
      'Operations of a forward pass of one image, 2 per multiply-add; or an amount such as 600M.',
      COUNT_PATTERN,
    ),
  };
  return {
    ...objectSchema('Bounds on the models. Runs over one are never trained.', properties, []),
    minProperties: 1,
  };
}

function finalistsSchema(): Schema {
  const properties: Properties<typeof FINALIST_KEYS> = {
    runs: {
      type: 'integer',
      minimum: 1,
      maximum: MAX_FINALISTS,
      default: FINALIST_DEFAULTS.runs,
      description: 'Maximum number of runs that are repeated: those that can not be distinguished from the best one.',
    },
    seeds: {
      type: 'integer',
      minimum: 1,
      maximum: MAX_SEEDS,
      default: FINALIST_DEFAULTS.seeds,
      description: 'Trainings of each of them, its own included. 1: no run is repeated.',
    },
  };
  return objectSchema(
    'Repeats the best runs with the next seeds when all runs are trained; their scores are means over the seeds. Default: no run is repeated.',
    properties,
    [],
  );
}

function objectSchema(
  description: string,
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[],
): Schema {
  const needed = required.length === 0 ? {} : { required };
  return { type: 'object', additionalProperties: false, description, ...needed, properties };
}
