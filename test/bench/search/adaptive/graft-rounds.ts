import { simulateSearch, tunedEpochs } from '../../../../services/core/planner/search/simulate-search.ts';
import type { RoundWork, SimulatedSearch } from '../../../../services/core/planner/search/simulate-search.ts';
import { firstRound } from '../../../../services/core/search-round/first-round.ts';
import { suggestRound } from '../../../../services/core/search-round/suggest-round.ts';
import type { SuggestedRun } from '../../../../services/core/search-round/suggestion.ts';
import { pathOf } from '../../../../services/core/stopping/ladder.ts';
import type { SearchPolicy } from '../../../../services/core/stopping/policy.ts';
import { policyOf } from '../../../../services/core/stopping/policy.ts';
import { SEARCH_DEFAULTS } from '../../../../services/core/sweep/search-spec.ts';
import type { Parameters, SweepSpec } from '../../../../services/core/sweep/sweep-spec.ts';
import type { StageCurve } from '../world.ts';
import { lastOf } from '../world.ts';
import { spaceOutcome } from './curve-space.ts';
import type { CurveSpace, SpaceOutcome, SpacePoint } from './curve-space.ts';

/** Parameters without conditions that stand for the dimensions of the space; no network is trained. */
const NAMES = [
  'learning_rate',
  'rho',
  'momentum',
  'epsilon',
  'clip_norm',
  'ema_momentum',
  'schedule_warmup_epochs',
].map((name) => `fine_tune.${name}`);
const [LOW, HIGH] = [0.001, 0.999];

export interface RoundSettings {
  readonly strategy: 'gp' | 'tpe';
  /** Part of each round that are Sobol points; null: as the strategy has it. */
  readonly explore: number | null;
  /** Runs of a round; null: 8. */
  readonly roundRuns: number | null;
  readonly maxRuns: number;
  readonly slots: number;
  readonly seed: number;
}

/**
 * Searches a space in rounds, with promotion. A simulation ends at the first round whose curves are not known yet; then it is repeated with
 * them, which changes nothing of the rounds before.
 */
export async function searchInRounds(space: CurveSpace, settings: RoundSettings): Promise<SpaceOutcome> {
  const spec = specOf(space, settings);
  const policy = policyOf(spec, []);
  const rounds: SuggestedRun[][] = [[...firstRound(spec).runs]];
  const curves: StageCurve[] = [];
  for (;;) {
    const points = rounds
      .flat()
      .slice(curves.length)
      .map(({ parameters }) => pointOf(parameters));
    curves.push(...(await space.curvesAt(points)));
    const { search, next } = simulate(space, spec, policy, settings.slots, rounds, curves);
    if (next !== null) {
      rounds.push(next);
      continue;
    }
    return spaceOutcome(space, curves, search.runs.map(tunedEpochs));
  }
}

/** Simulates the known rounds. `next`: the round that is due after them; null: the search has ended. */
function simulate(
  space: CurveSpace,
  spec: SweepSpec,
  policy: SearchPolicy,
  slotCount: number,
  rounds: readonly (readonly SuggestedRun[])[],
  curves: readonly StageCurve[],
): { readonly search: SimulatedSearch; readonly next: SuggestedRun[] | null } {
  const runs: SuggestedRun[] = [];
  let place = 0;
  let next: SuggestedRun[] | null = null;
  const add = (suggested: readonly SuggestedRun[]): RoundWork => {
    const first = runs.length;
    runs.push(...suggested);
    return { shared: [], runs: suggested.map((_, index) => workOf(policy, space, curves, first + index)) };
  };
  const search = simulateSearch({
    policy,
    work: { ...add(rounds[place++] ?? []), scale: 1 },
    slotCount,
    budget: null,
    measure: (run, { epoch }) => ({
      value: curves[run]?.values[epoch - 1] ?? Number.NaN,
      standardError: null,
      epoch,
      completedEpochs: epoch,
      evidence: null,
    }),
    rounds: {
      maxRuns: spec.maxRuns,
      patienceRounds: null,
      suggest: (due, state) => {
        const known = rounds[place++];
        if (known !== undefined) return add(known);
        const parameters = runs.map((run) => run.parameters);
        const samplers = runs.map(({ sampler }) => sampler);
        next = [...suggestRound({ spec, policy, state, parameters, samplers }, due)];
        return add([]);
      },
    },
  });
  return { search, next };
}

function specOf(
  { epochs, dimensionCount }: CurveSpace,
  { strategy, explore, roundRuns, maxRuns, seed }: RoundSettings,
): SweepSpec {
  return {
    displayName: '',
    dataset: { path: '/', splitFractions: null, allowDuplicates: false, skipBadFiles: false },
    base: { epochs: 0, 'fine_tune.enabled': true, 'fine_tune.allow_untrained_head': true, 'fine_tune.epochs': epochs },
    parameters: NAMES.slice(0, dimensionCount).map((name) => ({
      name,
      domain: { kind: 'range', min: LOW, max: HIGH, scale: 'linear', gridPoints: null, step: null },
      conditions: [],
    })),
    strategy,
    variants: [],
    maxRuns,
    seed,
    objective: { metric: 'val_accuracy', goal: 'maximize' },
    testPolicy: 'winner',
    search: { ...SEARCH_DEFAULTS, explore, roundRuns },
  };
}

function pointOf(parameters: Parameters): SpacePoint {
  return NAMES.map((name) => (Number(parameters[name]) - LOW) / (HIGH - LOW));
}

function workOf(
  { ladder }: SearchPolicy,
  { epochs }: CurveSpace,
  curves: readonly StageCurve[],
  index: number,
): RoundWork['runs'][number] {
  const seconds = curves[index]?.seconds ?? [];
  return {
    index,
    path: pathOf(ladder, { index, headEpochs: 0, augmented: false, fineTuneEpochs: epochs }),
    headWork: null,
    headGroup: index,
    fineTune: {
      fixedSeconds: 0,
      epochSeconds: lastOf(seconds) / epochs,
      secondsTo: (done) => (done === 0 ? 0 : (seconds[done - 1] ?? 0)),
      features: [],
    },
  };
}
