import { DEFAULT_TARGET_CONFIDENCE, STOPPING_DEFAULTS } from '../../../core/sweep/search-spec.ts';
import type { BudgetSpec, StoppingRule, StoppingSpec } from '../../../core/sweep/search-spec.ts';
import { StoppingRule as ProtoStoppingRule } from '../../../../proto/gen/graft/v1/sweep.ts';
import type * as proto from '../../../../proto/gen/graft/v1/sweep.ts';
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

export function budgetToProto({ slotSeconds, wallSeconds, target }: BudgetSpec): proto.BudgetSpec {
  return { slotSeconds: slotSeconds ?? undefined, wallSeconds: wallSeconds ?? undefined, target: target ?? undefined };
}

export function budgetFromProto({ slotSeconds, wallSeconds, target }: proto.BudgetSpec): BudgetSpec {
  return {
    slotSeconds: slotSeconds ?? null,
    wallSeconds: wallSeconds ?? null,
    target:
      target === undefined ? null : { value: target.value, confidence: target.confidence ?? DEFAULT_TARGET_CONFIDENCE },
  };
}
