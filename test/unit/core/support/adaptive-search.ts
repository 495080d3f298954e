import { simulateSearch } from '../../../../services/core/planner/search/simulate-search.ts';
import type { RoundWork, SimulatedSearch } from '../../../../services/core/planner/search/simulate-search.ts';
import { firstRound } from '../../../../services/core/search-round/first-round.ts';
import type { StoredRounds } from '../../../../services/core/search-round/replay-rounds.ts';
import type { ScreenedTarget } from '../../../../services/core/search-round/screened-space.ts';
import { suggestRound } from '../../../../services/core/search-round/suggest-round.ts';
import type { SuggestedRun } from '../../../../services/core/search-round/suggestion.ts';
import { compileRunConfig } from '../../../../services/core/search-space/compile.ts';
import { ladderRun, pathOf } from '../../../../services/core/stopping/ladder.ts';
import type { RungStep } from '../../../../services/core/stopping/ladder.ts';
import { policyOf } from '../../../../services/core/stopping/policy.ts';
import type { StoredDecision } from '../../../../services/core/stopping/replay.ts';
import type { Parameters, SweepSpec } from '../../../../services/core/sweep/sweep-spec.ts';

/** An adaptive sweep whose groups are tasks. */
export interface AdaptiveWorld {
  readonly spec: SweepSpec;
  readonly slots?: number;
  readonly scoreOf: (parameters: Parameters, step: RungStep) => number;
  /** Standard error of each score; null where absent. */
  readonly standardError?: number;
  /** Seconds of an epoch; 1 where absent. */
  readonly epochSeconds?: (run: number) => number;
  readonly faultOf?: (run: number, step: RungStep) => 'FAILED' | 'INFEASIBLE' | null;
  readonly maxRuns?: number | null;
  /** Candidates that a screen has decided about after the first round. */
  readonly screened?: readonly ScreenedTarget[];
}

export interface AdaptiveOutcome extends SimulatedSearch {
  readonly decisions: readonly StoredDecision[];
  readonly stored: StoredRounds;
  /** Suggestions by round. */
  readonly rounds: readonly (readonly SuggestedRun[])[];
}

/** Simulates a sweep whose rounds are suggested by the models themselves. */
export function searchInRounds(world: AdaptiveWorld): AdaptiveOutcome {
  const { spec, slots = 1, scoreOf, standardError = null, epochSeconds = (): number => 1, faultOf } = world;
  const policy = policyOf(spec, []);
  const decisions: StoredDecision[] = [];
  const rounds: (readonly SuggestedRun[])[] = [];
  const runs: SuggestedRun[] = [];
  let workCount = 0;
  const workOf = (suggested: readonly SuggestedRun[]): RoundWork => {
    const first = runs.length;
    runs.push(...suggested);
    if (suggested.length > 0) rounds.push(suggested);
    const groups = [...new Set(suggested.map(({ detail }) => detail.group))];
    const ladderRuns = suggested.map(({ parameters }, place) => ladderRun(first + place, compileRunConfig(parameters)));
    const shared = groups.map((group) => {
      const heads = suggested.flatMap(({ detail }, place) => (detail.group === group ? [first + place] : []));
      const trained = heads.filter((run) => (ladderRuns[run - first]?.headEpochs ?? 0) > 0);
      const seconds = trained.reduce(
        (sum, run) => sum + (ladderRuns[run - first]?.headEpochs ?? 0) * epochSeconds(run),
        0,
      );
      return { seconds, dependsOn: [], heads: trained };
    });
    const firstWork = workCount;
    workCount += shared.length;
    return {
      shared,
      runs: ladderRuns.map((run) => ({
        index: run.index,
        path: pathOf(policy.ladder, run),
        headWork: run.headEpochs > 0 ? firstWork + shared.findIndex(({ heads }) => heads.includes(run.index)) : null,
        headGroup: run.index,
        fineTune:
          run.fineTuneEpochs === null ? null : { fixedSeconds: 0, epochSeconds: epochSeconds(run.index), features: [] },
      })),
    };
  };
  const maxRuns = world.maxRuns === undefined ? spec.maxRuns : world.maxRuns;
  const search = simulateSearch({
    policy,
    work: { ...workOf(firstRound(spec).runs), scale: 1 },
    slotCount: slots,
    budget: spec.budget ?? null,
    measure: (position, step) => ({
      value: scoreOf(runs[position]!.parameters, step),
      standardError,
      epoch: step.epoch,
      completedEpochs: step.epoch,
      evidence: null,
    }),
    faultOf: faultOf ?? ((): null => null),
    rounds: {
      maxRuns,
      patienceRounds: spec.budget?.patienceRounds ?? null,
      suggest: (due, state) => {
        const parameters = runs.map((run) => run.parameters);
        const samplers = runs.map(({ sampler }) => sampler);
        // As a thread gets it.
        return workOf(
          suggestRound(
            structuredClone({ spec, policy, state, parameters, samplers, screened: world.screened ?? [] }),
            due,
          ),
        );
      },
    },
    // As from the database.
    onDecision: (decision) => decisions.push(JSON.parse(JSON.stringify(decision)) as StoredDecision),
  });
  const suggestions = rounds.flatMap((round, number) => {
    const first = rounds.slice(0, number).reduce((sum, { length }) => sum + length, 0);
    return round.map(({ sampler, detail }, position) => ({
      round: number,
      position,
      runIndex: first + position,
      sampler,
      detail,
    }));
  });
  const paths = search.runs.map(({ path }) => path);
  const runRounds = search.runs.map(({ round }) => round ?? null);
  const stored: StoredRounds = JSON.parse(
    JSON.stringify({
      spec,
      search: { policy, rungs: search.rungs, paths, runRounds },
      parameters: runs.map(({ parameters }) => parameters),
      suggestions,
    }),
  ) as StoredRounds;
  return { ...search, decisions, stored, rounds };
}
