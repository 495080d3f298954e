import type { RoundDue } from '../action.ts';
import { countOf } from '../../text/count-of.ts';
import { headEndOf } from '../ladder.ts';
import { hasEndedHead, nextRound } from '../next-round.ts';
import type { SearchState } from '../search-state.ts';
import { promoteFromHeads } from './promotion.ts';
import type { Step } from './step.ts';

/** Promotes from the heads before a further round where parameters of fine-tuning vary: their model needs scores. */
export const promoteBeforeRound: Step = (moment) =>
  moment.policy.rounds?.variesFineTuning === true ? promoteFromHeads(moment) : null;

/**
 * Asks for the runs of a further round, when all runs so far have ended their heads. Heads cost seconds where fine-tuning costs minutes, so
 * promotions from the heads wait for the heads of the last round, unless parameters of fine-tuning vary.
 */
export const suggestRound: Step = ({ policy, state, bound }) => {
  const { rounds } = policy;
  const now = state.rounds;
  if (rounds === undefined || now === undefined || bound !== null) return null;
  if (!state.runs.every(hasEndedHead)) return rounds.variesFineTuning ? null : 'WAIT';
  const next = nextRound(policy, rounds, state, now);
  if (next.count === 0) return null;
  // What is trained last may give the model of fine-tuning its scores.
  if (rounds.variesFineTuning && policy.synchronous && state.openTasks > 0) return null;
  const { count } = next;
  const reason = `round ${now.asked}: ${countOf(count, 'run')}, ${fromWhat(state)}`;
  return { kind: 'SUGGEST', rule: rounds.sampler, round: now.asked, count, reason } satisfies RoundDue;
};

function fromWhat({ runs, rungs }: SearchState): string {
  if (runs.length === 0) return 'the first ones';
  const scored = runs.filter(({ index, path }) => {
    const end = headEndOf(path) ?? path[0];
    return rungs[end?.rung ?? -1]?.some(({ runIndex }) => runIndex === index) === true;
  });
  return `from ${scored.length} of ${countOf(runs.length, 'run')} with a score`;
}
