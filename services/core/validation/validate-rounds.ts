import { MAX_RUNS } from '../samplers/sample-runs.ts';
import { isAdaptive, MOST_GP_RUNS } from '../samplers/samplers.ts';
import { MAX_ROUND_RUNS } from '../stopping/rounds-policy.ts';
import { SEARCH_DEFAULTS } from '../sweep/search-spec.ts';
import type { SearchSpec } from '../sweep/search-spec.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import { show } from '../text/show.ts';
import type { ViolationList } from './violations.ts';

const ADAPTIVE = 'is for the strategies gp and tpe, which ask for runs by the results of earlier ones';

/** Checks the rounds of an adaptive strategy, and that no other strategy has any. */
export function validateRounds(spec: SweepSpec, found: ViolationList): void {
  const { strategy, maxRuns, search, budget } = spec;
  const patience = budget?.patienceRounds;
  if (!isAdaptive(spec)) {
    const remedy = `received it with strategy ${strategy}. Leave it out, or use strategy: gp.`;
    if (search !== undefined) found.add('search', `${ADAPTIVE}; ${remedy}`);
    if (patience !== undefined) found.add('budget.patience_rounds', `${ADAPTIVE}; ${remedy}`);
    return;
  }
  if (patience !== undefined) requireCount('budget.patience_rounds', patience, MAX_RUNS, found);
  if (strategy === 'gp' && maxRuns !== null && maxRuns > MOST_GP_RUNS && maxRuns <= MAX_RUNS) {
    const why = `a Gaussian process of more than ${MOST_GP_RUNS} runs takes too long`;
    found.add(
      'max_runs',
      `must be at most ${MOST_GP_RUNS} with strategy gp: ${why}; received ${maxRuns}. Use strategy: tpe.`,
    );
  }
  if (search !== undefined) validateSection(search, maxRuns, found);
}

function validateSection(
  { startupRuns, roundRuns, explore }: SearchSpec,
  maxRuns: number | null,
  found: ViolationList,
): void {
  if (
    requireCount('search.startup_runs', startupRuns, MAX_RUNS, found) &&
    startupRuns !== SEARCH_DEFAULTS.startupRuns
  ) {
    requireWithin('search.startup_runs', startupRuns, maxRuns, 'no run would be left for the model', found);
  }
  if (roundRuns !== null && requireCount('search.round_runs', roundRuns, MAX_ROUND_RUNS, found)) {
    requireWithin('search.round_runs', roundRuns, maxRuns, 'a round would be larger than the sweep', found);
  }
  if (explore !== null && !(explore >= 0 && explore <= 1)) {
    found.add('search.explore', `must be a part from 0 to 1, for example 0.25; received ${show(explore)}.`);
  }
}

function requireCount(field: string, value: number, most: number, found: ViolationList): boolean {
  if (Number.isInteger(value) && value >= 1 && value <= most) return true;
  found.add(field, `must be an integer from 1 to ${most}; received ${show(value)}.`);
  return false;
}

function requireWithin(field: string, value: number, maxRuns: number | null, why: string, found: ViolationList): void {
  if (maxRuns === null || value <= maxRuns) return;
  found.add(
    field,
    `must be at most max_runs, ${show(maxRuns)}: ${why}; received ${value}. Lower it, or raise max_runs.`,
  );
}
