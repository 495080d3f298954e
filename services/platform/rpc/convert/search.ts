import { DEFAULT_TARGET_CONFIDENCE, SEARCH_DEFAULTS, STOPPING_DEFAULTS } from '../../../core/sweep/search-spec.ts';
import type {
  BudgetSpec,
  SearchSpec,
  StoppingRule,
  StoppingSpec,
  TargetSpec,
} from '../../../core/sweep/search-spec.ts';
import type { BudgetChange } from '../../../core/sweep/change-budget.ts';
import { StoppingRule as ProtoStoppingRule } from '../../../../proto/gen/graft/v1/sweep.ts';
import type * as proto from '../../../../proto/gen/graft/v1/sweep.ts';
import type { BudgetChange as ProtoBudgetChange } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { lowerCaseEnum } from './enum-codec.ts';
import type { Violations } from './fields.ts';

const RULES = lowerCaseEnum<StoppingRule, typeof ProtoStoppingRule>(ProtoStoppingRule);

export function stoppingToProto(stopping: StoppingSpec): proto.StoppingSpec {
  const { rungs } = stopping;
  return {
    rule: RULES.toProto(stopping.rule),
    reductionFactor: stopping.reductionFactor,
    rungs: rungs === null ? undefined : { head: [...rungs.head], fineTune: [...rungs.fineTune] },
    minEntries: stopping.minEntries ?? 0,
    percentile: stopping.percentile,
    confidence: stopping.confidence,
    threshold: stopping.threshold ?? undefined,
    patience: stopping.patience ?? undefined,
    keepPaused: stopping.keepPaused,
    synchronous: stopping.synchronous,
    promoteIdle: stopping.promoteIdle,
  };
}

/** Reads a stopping section with defaults filled in; a rule that this version does not know is a violation. */
export function stoppingFromProto(message: proto.StoppingSpec, violations: Violations): StoppingSpec {
  const rule = RULES.tryFromProto(message.rule);
  if (rule === null && message.rule !== ProtoStoppingRule.UNSPECIFIED) {
    const rules = RULES.values.join(', ');
    violations.add('stopping.rule', `must be one of ${rules}; received the number ${message.rule}.`);
  }
  const { rungs, threshold, patience } = message;
  return {
    rule,
    reductionFactor: message.reductionFactor || STOPPING_DEFAULTS.reductionFactor,
    rungs: rungs === undefined ? null : { head: rungs.head, fineTune: rungs.fineTune },
    minEntries: message.minEntries || null,
    percentile: message.percentile ?? STOPPING_DEFAULTS.percentile,
    confidence: message.confidence ?? STOPPING_DEFAULTS.confidence,
    threshold: threshold === undefined ? null : { worseThan: threshold.worseThan, fromEpoch: threshold.fromEpoch || 1 },
    patience: patience === undefined ? null : { epochs: patience.epochs, minDelta: patience.minDelta },
    keepPaused: message.keepPaused ?? STOPPING_DEFAULTS.keepPaused,
    synchronous: message.synchronous,
    promoteIdle: message.promoteIdle ?? STOPPING_DEFAULTS.promoteIdle,
  };
}

export function searchToProto({ startupRuns, roundRuns, explore, pack }: SearchSpec): proto.SearchSpec {
  return { startupRuns, roundRuns: roundRuns ?? 0, explore: explore ?? undefined, pack };
}

/** Reads a search section with defaults filled in. */
export function searchFromProto({ startupRuns, roundRuns, explore, pack }: proto.SearchSpec): SearchSpec {
  return {
    startupRuns: startupRuns || SEARCH_DEFAULTS.startupRuns,
    roundRuns: roundRuns || null,
    explore: explore ?? null,
    pack: pack ?? SEARCH_DEFAULTS.pack,
  };
}

export function budgetToProto({ slotSeconds, wallSeconds, target, patienceRounds }: BudgetSpec): proto.BudgetSpec {
  return {
    slotSeconds: slotSeconds ?? undefined,
    wallSeconds: wallSeconds ?? undefined,
    target: target ?? undefined,
    patienceRounds,
  };
}

/** Returns the message of a change of single bounds. */
export function budgetChangeToProto({
  slotSeconds,
  wallSeconds,
  target,
  patienceRounds,
}: BudgetChange): ProtoBudgetChange {
  return {
    slotSeconds: slotSeconds === null ? 0 : slotSeconds,
    wallSeconds: wallSeconds === null ? 0 : wallSeconds,
    target: target ?? undefined,
    removeTarget: target === null,
    patienceRounds: patienceRounds === null ? 0 : patienceRounds,
  };
}

/** Reads a change of single bounds; a target that is both given and removed is a violation. */
export function budgetChangeFromProto(
  { slotSeconds, wallSeconds, target, removeTarget, patienceRounds }: ProtoBudgetChange,
  violations: Violations,
): BudgetChange {
  if (removeTarget && target !== undefined) {
    violations.add('budget_change.remove_target', 'excludes budget_change.target. Leave one of them out.');
  }
  return {
    ...(slotSeconds !== undefined && { slotSeconds: slotSeconds === 0 ? null : slotSeconds }),
    ...(wallSeconds !== undefined && { wallSeconds: wallSeconds === 0 ? null : wallSeconds }),
    ...(removeTarget ? { target: null } : target !== undefined && { target: targetFromProto(target) }),
    ...(patienceRounds !== undefined && { patienceRounds: patienceRounds === 0 ? null : patienceRounds }),
  };
}

export function budgetFromProto({ slotSeconds, wallSeconds, target, patienceRounds }: proto.BudgetSpec): BudgetSpec {
  return {
    slotSeconds: slotSeconds ?? null,
    wallSeconds: wallSeconds ?? null,
    target: target === undefined ? null : targetFromProto(target),
    // Absent at its default, so that the digests of older specs do not change.
    ...(patienceRounds === undefined ? {} : { patienceRounds }),
  };
}

function targetFromProto({ value, confidence }: proto.TargetSpec): TargetSpec {
  return { value, confidence: confidence ?? DEFAULT_TARGET_CONFIDENCE };
}
