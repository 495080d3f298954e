import { replayRounds } from '../../../core/search-round/replay-rounds.ts';
import type { StoredRounds } from '../../../core/search-round/replay-rounds.ts';
import { suggestRound } from '../../../core/search-round/suggest-round.ts';
import type { RoundInput } from '../../../core/search-round/suggest-round.ts';
import type { SuggestedRun } from '../../../core/search-round/suggestion.ts';
import { variedNames } from '../../../core/samplers/sample-runs.ts';
import type { RoundDue } from '../../../core/stopping/action.ts';
import type { Mismatch, StoredDecision } from '../../../core/stopping/replay.ts';

export interface SuggestInput {
  readonly input: RoundInput;
  readonly due: RoundDue;
}

/** The runs of a round, and the names of the parameters that vary in the sweep with them. */
export interface SuggestedRound {
  readonly suggested: readonly SuggestedRun[];
  readonly variedNames: readonly string[];
}

export interface ReplayInput {
  readonly stored: StoredRounds;
  readonly decisions: readonly StoredDecision[];
}

/** Jobs that compute rounds of runs, which may take seconds each, off the event loop. */
export const ROUND_JOBS = {
  suggest: ({ input, due }: SuggestInput): SuggestedRound => {
    const suggested = suggestRound(input, due);
    const all = [...input.parameters, ...suggested.map(({ parameters }) => parameters)];
    return { suggested, variedNames: variedNames(all.map((parameters) => ({ parameters }))) };
  },

  /** Recomputes stored rounds. @returns those that differ */
  replay: ({ stored, decisions }: ReplayInput): Mismatch[] => replayRounds(stored, decisions),
};
