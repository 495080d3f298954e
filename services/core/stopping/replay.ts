import { nextAction } from './advance.ts';
import type { DecisionKind } from '../records/decision.ts';
import type { SearchAction } from './action.ts';
import type { ActionInputs, StoredSearch, VerdictInputs } from './decision-inputs.ts';
import { arrivalOf, stateOf } from './decision-inputs.ts';
import { judge } from './judge.ts';
import type { Verdict } from './rule.ts';

/** A decision of a search as it is stored. */
export type StoredDecision = StoredVerdict | StoredAction;

interface StoredVerdict extends DecisionFields {
  readonly kind: Verdict['kind'];
  readonly inputs: VerdictInputs;
}

export interface StoredAction extends DecisionFields {
  readonly kind: SearchAction['kind'];
  readonly inputs: ActionInputs;
}

interface DecisionFields {
  readonly decisionId: number;
  /** Null for END, as are the rung, the place and the cut. */
  readonly runIndex: number | null;
  readonly rung: number | null;
  readonly rule: string;
  readonly place: number | null;
  readonly cut: number | null;
  /** Null for a promotion, as is alpha. */
  readonly pValue: number | null;
  readonly alpha: number | null;
  readonly reason: string;
}

/** A decision that its inputs do not give. */
export interface Mismatch {
  readonly decisionId: number;
  /** First field that differs. */
  readonly field: string;
  readonly stored: unknown;
  readonly recomputed: unknown;
}

/** Recomputes stored decisions from the rows and returns those that differ. */
export function replay(search: StoredSearch, decisions: readonly StoredDecision[]): Mismatch[] {
  return decisions.flatMap((decision) => {
    const recomputed = recompute(search, decision);
    const pairs = Object.entries(recomputed).map(
      ([field, value]) => [field, decision[field as 'kind'], value] as const,
    );
    const [wrong] = pairs.filter(([, stored, value]) => stored !== value);
    if (wrong === undefined) return [];
    const [field, stored, value] = wrong;
    return [{ decisionId: decision.decisionId, field, stored, recomputed: value }];
  });
}

/** Returns the fields of a decision that its inputs determine. */
function recompute(search: StoredSearch, decision: StoredDecision): Readonly<Record<string, unknown>> {
  if (isAction(decision)) {
    const action = nextAction(search.policy, stateOf(search, decision.inputs));
    if (action === null) return { kind: null };
    if (action.kind === 'END' || action.kind === 'SCREEN' || action.kind === 'SUGGEST') {
      return { kind: action.kind, rule: action.rule, reason: action.reason };
    }
    const { kind, runIndex, rule, place, cut, reason } = action;
    return { kind, runIndex, rung: action.kind === 'REPEAT' ? null : action.rung, rule, place, cut, reason };
  }
  const arrival = arrivalOf(search, decision.runIndex ?? -1, decision.rung ?? -1, decision.inputs);
  if (arrival === null) return { kind: null };
  const { kind, rule, place, cut, pValue, alpha, reason } = judge(search.policy, arrival);
  return { kind, rule, place, cut, pValue, alpha, reason };
}

export function isAction(decision: StoredDecision): decision is StoredAction {
  return isActionKind(decision.kind);
}

export function isActionKind(kind: DecisionKind): boolean {
  return kind === 'PROMOTE' || kind === 'REPEAT' || kind === 'END' || kind === 'SCREEN' || kind === 'SUGGEST';
}
