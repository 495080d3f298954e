import { GOAL_OF_METRIC, isObjectiveMetric, OBJECTIVE_METRICS } from '../../../core/objective.ts';
import type { Objective } from '../../../core/objective.ts';
import type { SearchEnd } from '../../../core/records/decision.ts';
import type { SweepRecord } from '../../../core/records/sweep.ts';
import type { SweepState } from '../../../core/states/sweep-state.ts';
import { strategyOf } from '../../../core/samplers/samplers.ts';
import type { StrategyName } from '../../../core/samplers/samplers.ts';
import { didYouMean } from '../../../core/text/nearest-name.ts';
import type { Constraint, ConstraintName } from '../../../core/sweep/constraint.ts';
import { DEFAULT_PRIORITY } from '../../../core/sweep/search-spec.ts';
import type { FieldViolation, MlflowTarget, SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import {
  Goal,
  SearchEnd as ProtoSearchEnd,
  Strategy,
  SweepState as ProtoSweepState,
  TestPolicy,
} from '../../../../proto/gen/graft/v1/sweep.ts';
import type * as proto from '../../../../proto/gen/graft/v1/sweep.ts';
import { datasetSourceToProto, readDatasetSource } from './dataset.ts';
import { lowerCaseEnum, upperCaseEnum } from './enum-codec.ts';
import type { EnumCodec } from './enum-codec.ts';
import { WINNER_RULE_CODEC, finalistsFromProto, winnerRuleFromProto } from './finalists.ts';
import { Violations, absentNulls, nullAbsent, numberOr, requireMessage, textOrNull } from './fields.ts';
import { screenFromProto, screenToProto } from './screen.ts';
import {
  budgetFromProto,
  budgetToProto,
  searchFromProto,
  searchToProto,
  stoppingFromProto,
  stoppingToProto,
} from './search.ts';
import { parameterSpecFromProto, parameterSpecToProto, parametersToProto, readParameters } from './parameter.ts';

const searchEnds = upperCaseEnum<SearchEnd, typeof ProtoSearchEnd>(ProtoSearchEnd);
export const sweepStates = upperCaseEnum<SweepState, typeof ProtoSweepState>(ProtoSweepState);

/** Converts a sweep to its message. */
export function sweepToProto(sweep: SweepRecord): proto.Sweep {
  return {
    ...absentNulls(sweep),
    spec: sweepSpecToProto(sweep.spec),
    state: sweepStates.toProto(sweep.state),
    datasetId: sweep.datasetId ?? '',
    bestRunId: sweep.bestRunId ?? '',
    winnerRunId: sweep.winnerRunId ?? '',
    tags: [...sweep.tags],
    searchEnd: searchEnds.toProto(sweep.searchEnd),
    budget: sweep.budget === null ? undefined : budgetToProto(sweep.budget),
    hasBaseline: sweep.hasBaseline ?? undefined,
    maxParallelSlots: sweep.maxParallelSlots ?? 0,
  };
}

/** @throws InvalidRequestError naming the field that is absent or unknown. */
export function sweepFromProto(message: proto.Sweep | undefined): SweepRecord {
  const sent = requireMessage(message, 'sweep');
  const { bestRunId, bestValue, createTime, startTime, endTime, ...rest } = nullAbsent(sent);
  const { spec } = sweepSpecFromProto(requireMessage(sent.spec, 'sweep.spec'));
  return {
    ...rest,
    spec,
    // An earlier coordinator sends the name in the spec only.
    displayName: sent.displayName || spec.displayName,
    state: sweepStates.fromProto(sent.state, 'sweep.state'),
    datasetId: textOrNull(sent.datasetId),
    bestRunId: textOrNull(bestRunId),
    winnerRunId: textOrNull(sent.winnerRunId),
    bestValue,
    createTime: requireMessage(createTime, 'sweep.create_time'),
    startTime,
    endTime,
    searchEnd: searchEnds.tryFromProto(sent.searchEnd),
    budget: sent.budget === undefined ? null : budgetFromProto(sent.budget),
    hasBaseline: sent.hasBaseline ?? null,
    maxParallelSlots: sent.maxParallelSlots || null,
  };
}

const STRATEGIES = lowerCaseEnum<StrategyName, typeof Strategy>(Strategy);
const TEST_POLICIES = lowerCaseEnum<SweepSpec['testPolicy'], typeof TestPolicy>(TestPolicy);
const GOALS = lowerCaseEnum<Objective['goal'], typeof Goal>(Goal);
const DEFAULT_METRIC = 'val_loss';

export function sweepSpecToProto(spec: SweepSpec): proto.SweepSpec {
  return {
    displayName: spec.displayName,
    dataset: datasetSourceToProto(spec.dataset),
    base: parametersToProto(spec.base),
    parameters: spec.parameters.map(parameterSpecToProto),
    strategy: STRATEGIES.toProto(strategyOf(spec)),
    variants: spec.variants.map((variant) => ({ parameters: parametersToProto(variant) })),
    maxRuns: spec.maxRuns ?? 0,
    seed: BigInt(spec.seed),
    objective: { metric: spec.objective.metric, goal: GOALS.toProto(spec.objective.goal) },
    testPolicy: TEST_POLICIES.toProto(spec.testPolicy),
    mlflow: spec.mlflow,
    stopping: spec.stopping && stoppingToProto(spec.stopping),
    budget: spec.budget && budgetToProto(spec.budget),
    maxParallelSlots: spec.maxParallelSlots ?? 0,
    priority: spec.priority ?? DEFAULT_PRIORITY,
    reuse: spec.reuse,
    screen: spec.screen && screenToProto(spec.screen),
    constraints: (spec.constraints ?? []).map(({ name, atMost }) => ({ name, atMost })),
    finalists: spec.finalists,
    winnerRule: WINNER_RULE_CODEC.toProto(spec.winnerRule ?? null),
    search: spec.search && searchToProto(spec.search),
  };
}

/** A received spec with defaults filled in, and every violation of its form. */
export interface ReceivedSweepSpec {
  readonly spec: SweepSpec;
  /** Paths relative to the spec, in the names of the proto, for example `parameters[2].range.scale`. */
  readonly violations: readonly FieldViolation[];
}

/**
 * Reads a spec without stopping at the first violation, so that the caller can add those of the domain and report all at
 * once. A field that is not understood gets a harmless value in `spec`.
 */
export function sweepSpecFromProto(message: proto.SweepSpec): ReceivedSweepSpec {
  const violations = new Violations();
  const winnerRule = winnerRuleFromProto(message.winnerRule, violations);
  const spec: SweepSpec = {
    displayName: message.displayName,
    dataset: readDatasetSource(message.dataset, 'dataset', violations),
    base: readParameters(message.base, 'base', violations),
    parameters: message.parameters.map((parameter, index) =>
      parameterSpecFromProto(parameter, `parameters[${index}]`, violations),
    ),
    strategy: enumOr(STRATEGIES, message.strategy, 'grid', 'strategy', violations),
    variants: message.variants.map((variant, index) =>
      readParameters(variant.parameters, `variants[${index}].parameters`, violations),
    ),
    maxRuns: message.maxRuns === 0 ? null : message.maxRuns,
    seed: numberOr(message.seed, 'seed', violations),
    objective: objectiveFromProto(message.objective, violations),
    testPolicy: enumOr(TEST_POLICIES, message.testPolicy, 'winner', 'test_policy', violations),
    ...(message.mlflow === undefined ? {} : { mlflow: mlflowFromProto(message.mlflow) }),
    ...(message.stopping === undefined ? {} : { stopping: stoppingFromProto(message.stopping, violations) }),
    ...(message.budget === undefined ? {} : { budget: budgetFromProto(message.budget) }),
    ...(message.maxParallelSlots === 0 ? {} : { maxParallelSlots: message.maxParallelSlots }),
    ...(message.priority === DEFAULT_PRIORITY ? {} : { priority: message.priority }),
    ...(message.reuse === false ? { reuse: false } : {}),
    ...(message.screen === undefined ? {} : { screen: screenFromProto(message.screen) }),
    ...(message.constraints.length === 0 ? {} : { constraints: message.constraints.map(constraintFromProto) }),
    ...(message.finalists === undefined ? {} : { finalists: finalistsFromProto(message.finalists) }),
    ...(winnerRule === undefined ? {} : { winnerRule }),
    ...(message.search === undefined ? {} : { search: searchFromProto(message.search) }),
  };
  return { spec, violations: violations.violations };
}

/** Reads a bound. Validation refuses a name that this version does not know. */
function constraintFromProto({ name, atMost }: proto.Constraint): Constraint {
  return { name: name as ConstraintName, atMost };
}

function mlflowFromProto({ experiment, registerModel }: proto.MlflowTarget): MlflowTarget {
  return { experiment, registerModel };
}

function objectiveFromProto(message: proto.Objective | undefined, violations: Violations): Objective {
  const received = message?.metric ?? '';
  const metric = received === '' ? DEFAULT_METRIC : received;
  if (!isObjectiveMetric(metric)) {
    const hint = didYouMean(metric, OBJECTIVE_METRICS);
    violations.add('objective.metric', `must be one of ${OBJECTIVE_METRICS.join(', ')}; received '${metric}'.${hint}`);
    return { metric: DEFAULT_METRIC, goal: GOAL_OF_METRIC[DEFAULT_METRIC] };
  }
  const usual = GOAL_OF_METRIC[metric];
  return { metric, goal: enumOr(GOALS, message?.goal ?? Goal.UNSPECIFIED, usual, 'objective.goal', violations) };
}

function enumOr<C extends string, E extends Readonly<Record<string, number>>>(
  codec: EnumCodec<C, E>,
  value: number,
  unspecified: C,
  field: string,
  violations: Violations,
): C {
  if (value === 0) return unspecified;
  const core = codec.tryFromProto(value);
  if (core === null) {
    violations.add(field, `must be one of ${codec.values.join(', ')}; received the number ${value}.`);
  }
  return core ?? unspecified;
}
