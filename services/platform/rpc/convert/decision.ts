import type { DecisionKind } from '../../../core/records/decision.ts';
import type {
  DecisionRecord,
  PairedComparisonRecord,
  RungEntryRecord,
  RungRecord,
  RungVisitRecord,
  RunExplanation,
  SweepExplanation,
} from '../../../core/records/explanation.ts';
import { DecisionKind as ProtoDecisionKind } from '../../../../proto/gen/graft/v1/decision.ts';
import type * as proto from '../../../../proto/gen/graft/v1/decision.ts';
import type { ExplainRunResponse, ExplainSweepResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { upperCaseEnum } from './enum-codec.ts';
import { absentNulls, nullAbsent, requireMessage, textOrNull } from './fields.ts';
import { stages } from './run.ts';

const KINDS = upperCaseEnum<DecisionKind, typeof ProtoDecisionKind>(ProtoDecisionKind);

/** Converts a decision to its message. */
export function decisionToProto(decision: DecisionRecord): proto.Decision {
  return { ...absentNulls(decision), kind: KINDS.toProto(decision.kind), runId: decision.runId ?? '' };
}

/** @throws InvalidRequestError naming the field that is absent. */
export function decisionFromProto(message: proto.Decision): DecisionRecord {
  return {
    ...nullAbsent(message),
    kind: KINDS.tryFromProto(message.kind),
    runId: textOrNull(message.runId),
    createTime: requireMessage(message.createTime, 'decision.create_time'),
  };
}

/** Converts an entry of a rung to its message. */
export function rungEntryToProto(entry: RungEntryRecord): proto.RungEntry {
  return { ...absentNulls(entry), decision: KINDS.toProto(entry.decision) };
}

export function rungEntryFromProto(message: proto.RungEntry): RungEntryRecord {
  return { ...nullAbsent(message), decision: KINDS.tryFromProto(message.decision) };
}

/** Converts the explanation of a run to the fields of ExplainRun beside the run. */
export function runExplanationToProto(explanation: RunExplanation): Omit<ExplainRunResponse, 'run'> {
  return {
    visits: explanation.visits.map(visitToProto),
    otherDecisions: explanation.otherDecisions.map(decisionToProto),
    outlook: [...explanation.outlook],
    notes: [...explanation.notes],
    origin: explanation.origin,
  };
}

/** @throws InvalidRequestError naming the field that is absent. */
export function runExplanationFromProto(message: Omit<ExplainRunResponse, 'run'>): RunExplanation {
  return {
    visits: message.visits.map(visitFromProto),
    otherDecisions: message.otherDecisions.map(decisionFromProto),
    outlook: message.outlook,
    notes: message.notes,
    origin: message.origin,
  };
}

/** Converts the explanation of a sweep to the fields of ExplainSweep beside the sweep. */
export function sweepExplanationToProto(explanation: SweepExplanation): Omit<ExplainSweepResponse, 'sweep'> {
  const { replay } = explanation;
  return {
    rule: explanation.rule,
    policy: explanation.policy,
    rungs: explanation.rungs.map(rungToProto),
    decisionCounts: explanation.decisionCounts.map(({ kind, count }) => ({ kind: KINDS.toProto(kind), count })),
    notes: [...explanation.notes],
    replay: replay === null ? undefined : { ...replay, differences: [...replay.differences] },
    screen: explanation.screen.map(absentNulls),
  };
}

export function sweepExplanationFromProto(message: Omit<ExplainSweepResponse, 'sweep'>): SweepExplanation {
  return {
    rule: message.rule,
    policy: message.policy,
    rungs: message.rungs.map(rungFromProto),
    decisionCounts: message.decisionCounts.map(({ kind, count }) => ({ kind: KINDS.tryFromProto(kind), count })),
    notes: message.notes,
    replay: message.replay ?? null,
    screen: message.screen.map(nullAbsent),
  };
}

function rungToProto(rung: RungRecord): proto.Rung {
  return { ...absentNulls(rung), stage: stages.toProto(rung.stage) };
}

function rungFromProto(message: proto.Rung): RungRecord {
  return { ...nullAbsent(message), stage: stages.tryFromProto(message.stage) };
}

function visitToProto(visit: RungVisitRecord): proto.RungVisit {
  return {
    rung: rungToProto(visit.rung),
    entry: rungEntryToProto(visit.entry),
    seen: visit.seen.map(rungEntryToProto),
    seenCount: visit.seenCount,
    cut: visit.cut ?? undefined,
    failedCount: visit.failedCount,
    rivalCount: visit.rivalCount,
    decisions: visit.decisions.map(decisionToProto),
    comparison: visit.comparison ?? undefined,
  };
}

function visitFromProto(message: proto.RungVisit): RungVisitRecord {
  const comparison: PairedComparisonRecord | null = message.comparison ?? null;
  return {
    rung: rungFromProto(requireMessage(message.rung, 'visits.rung')),
    entry: rungEntryFromProto(requireMessage(message.entry, 'visits.entry')),
    seen: message.seen.map(rungEntryFromProto),
    seenCount: message.seenCount,
    cut: message.cut ?? null,
    failedCount: message.failedCount,
    rivalCount: message.rivalCount,
    decisions: message.decisions.map(decisionFromProto),
    comparison,
  };
}
