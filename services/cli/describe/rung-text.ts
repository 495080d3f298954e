import type { DecisionKind } from '../../core/records/decision.ts';
import type { RungEntryRecord, RungRecord, SweepExplanation } from '../../core/records/explanation.ts';
import { formatMetric } from '../terminal/format.ts';

const STAGES = { HEAD: 'head', FINE_TUNE: 'fine-tuning' } as const;

/** Returns the position of a rung in training: `end of the head` or `fine-tuning, epoch 4`. */
export function placeOfRung({ stage, epoch }: Pick<RungRecord, 'stage' | 'epoch'>): string {
  const name = stage === 'HEAD' || stage === 'FINE_TUNE' ? STAGES[stage] : (stage ?? 'training');
  return epoch === null ? `end of ${stage === 'HEAD' ? 'the ' : ''}${name}` : `${name}, epoch ${epoch}`;
}

/** Returns whether runs are compared while they train, or a person has decided about some. */
export function comparesRuns({ rule, decisionCounts }: Pick<SweepExplanation, 'rule' | 'decisionCounts'>): boolean {
  return decisionCounts.length > 0 || (rule !== '' && !rule.startsWith('none@'));
}

/** Returns a value with its standard error: `0.1180 ± 0.0110`. */
export function valueOfEntry({ value, standardError }: Pick<RungEntryRecord, 'value' | 'standardError'>): string {
  return standardError === null ? formatMetric(value) : `${formatMetric(value)} ± ${formatMetric(standardError)}`;
}

/** Returns the entries of a rung by place: those that compete, then those that end there. */
export function byPlace(entries: readonly RungEntryRecord[]): RungEntryRecord[] {
  return [...entries].sort((a, b) => Number(b.competes) - Number(a.competes) || a.place - b.place);
}

/** Returns the place of a run among those that compete; empty for one that ends there. */
export function placeOfEntry({ place, competes }: Pick<RungEntryRecord, 'place' | 'competes'>): string {
  return competes ? String(place) : '';
}

/**
 * Returns the latest decision about a run at a rung in a word; empty: none. A run whose last rung it is has only arrived there, and one
 * that waits when the search ends was not promoted.
 */
export function decisionOfEntry(
  { decision, competes }: Pick<RungEntryRecord, 'decision' | 'competes'>,
  hasEnded: boolean,
): string {
  if (decision === null) return '';
  if (decision === 'PAUSE' && hasEnded) return 'not promoted';
  return decision === 'CONTINUE' && !competes ? 'at its end' : DECISION_WORDS[decision];
}

/** Words for what happened to a run at a rung. */
export const DECISION_WORDS: Readonly<Record<DecisionKind, string>> = {
  CONTINUE: 'continues',
  STOP: 'stopped',
  PAUSE: 'paused',
  PROMOTE: 'promoted',
  END: 'search ended',
  STOP_RUN: 'stopped by a person',
  EXTEND: 'sweep extended',
  CHANGE_BUDGET: 'budget changed',
  RETRY_RUN: 'retried by a person',
  PREEMPT: 'preempted',
  SCREEN: 'screened',
  REPEAT: 'repeated',
  SUGGEST: 'round asked for',
};
