import { groupByKey } from '../../group-by-key.ts';
import { ladderRun, pathOf } from '../../stopping/ladder.ts';
import type { RungStep } from '../../stopping/ladder.ts';
import type { SearchPolicy } from '../../stopping/policy.ts';
import { forecastFineTunes } from '../cost/task-cost.ts';
import type { CostContext } from '../cost/task-cost.ts';
import type { Plan } from '../plan.ts';
import type { RunNeeds } from '../run-needs.ts';

/** A task that serves several runs: FEATURES, or HEAD with the runs whose head it trains. */
export interface SharedWork {
  readonly seconds: number;
  /** Positions in the list of shared work. */
  readonly dependsOn: readonly number[];
  /** Positions of the runs that start from its heads; empty for FEATURES. */
  readonly heads: readonly number[];
}

/** Cost of fine-tuning one run by itself. */
export interface FineTuneWork {
  /** Seconds of each task, however few epochs it trains: to load weights and data. */
  readonly fixedSeconds: number;
  readonly epochSeconds: number;
  /** Seconds that the first epochs take; absent: as forecast. */
  readonly secondsTo?: (epochs: number) => number;
  /** Positions of the FEATURES in the list of shared work. */
  readonly features: readonly number[];
}

export interface RunWork {
  /** Number within the sweep. */
  readonly index: number;
  readonly path: readonly RungStep[];
  /** Position of the HEAD task in the list of shared work; null: no head. */
  readonly headWork: number | null;
  /** Runs with the same number start from the same head. */
  readonly headGroup: number;
  readonly fineTune: FineTuneWork | null;
}

/** The work of a sweep whose runs are compared while they train. */
export interface SearchWork {
  readonly shared: readonly SharedWork[];
  readonly runs: readonly RunWork[];
  /** Number of runs of the sweep that each of `runs` stands for. */
  readonly scale: number;
}

/** Number of runs of the simulated sweep; the costs of a larger one are scaled. */
const MAX_RUNS = 100;

/**
 * Returns the work of a planned sweep. Of a sweep of more than 100 runs, 100 are taken at equal distances, with their part of the shared
 * work.
 *
 * @param needs needs of the planned runs.
 */
export function searchWorkOf(
  policy: SearchPolicy,
  plan: Plan,
  needs: readonly RunNeeds[],
  context: CostContext,
): SearchWork {
  const count = Math.min(needs.length, MAX_RUNS);
  const scale = needs.length / Math.max(1, count);
  const chosen = Array.from({ length: count }, (_, position) => needs[Math.floor(position * scale)]).filter(
    (need) => need !== undefined,
  );
  const positions = new Map(chosen.map(({ run }, position) => [run.runId, position]));
  const headRunOf = (runId: string): string => plan.sharedHeads.get(runId) ?? runId;
  const served = groupByKey(chosen, ({ run }) => headRunOf(run.runId));
  const tasks = plan.tasks.filter(({ stage }) => stage !== 'FINE_TUNE');
  const places = new Map(tasks.map(({ taskId }, place) => [taskId, place]));
  const shared = tasks.map((task): SharedWork => ({
    seconds: task.forecast.seconds / scale,
    dependsOn: task.dependsOn.flatMap((taskId) => places.get(taskId) ?? []),
    heads: task.runIds.flatMap((runId) =>
      (served.get(runId) ?? []).flatMap(({ run }) => positions.get(run.runId) ?? []),
    ),
  }));
  const headWork = new Map(tasks.flatMap((task, place) => task.runIds.map((runId) => [runId, place] as const)));
  const features = new Map(
    tasks.flatMap(({ stage, featureSets }, place) =>
      stage === 'FEATURES' ? featureSets.map(({ key }) => [key, place] as const) : [],
    ),
  );
  const groups = new Map([...served.keys()].map((runId, group) => [runId, group]));
  const runs = chosen.map((need): RunWork => {
    const lead = headRunOf(need.run.runId);
    const place = need.run.config.epochs === 0 ? null : (headWork.get(lead) ?? null);
    return runWorkOf(policy, need, context, features, place, groups.get(lead) ?? 0);
  });
  return { shared, runs, scale };
}

/** Returns the FEATURES of a plan as shared work, and the place of each feature set in it. */
export function featureWorkOf(
  plan: Plan,
  scale: number,
): { readonly shared: readonly SharedWork[]; readonly places: ReadonlyMap<string, number> } {
  const tasks = plan.tasks.filter(({ stage }) => stage === 'FEATURES');
  return {
    shared: tasks.map(({ forecast }) => ({ seconds: forecast.seconds / scale, dependsOn: [], heads: [] })),
    places: new Map(tasks.flatMap(({ featureSets }, place) => featureSets.map(({ key }) => [key, place] as const))),
  };
}

/**
 * Returns the work of one run.
 *
 * @param features places of the feature sets in the shared work, by key
 * @param headWork place of its HEAD task there; null: it has none
 */
export function runWorkOf(
  policy: SearchPolicy,
  { run, fineTune, fineTuneCut }: RunNeeds,
  context: CostContext,
  features: ReadonlyMap<string, number>,
  headWork: number | null,
  headGroup: number,
): RunWork {
  return {
    index: run.index,
    path: pathOf(policy.ladder, ladderRun(run.index, run.config)),
    headWork,
    headGroup,
    fineTune:
      run.config.fineTune === null
        ? null
        : {
            ...fineTuneSeconds(context, { run, fineTune, fineTuneCut }),
            features: [...new Set(fineTune.flatMap(({ key }) => features.get(key) ?? []))],
          },
  };
}

/** Returns the fixed seconds of a task that fine-tunes a run alone, and those of each epoch. */
function fineTuneSeconds(
  context: CostContext,
  { run, fineTune: sets, fineTuneCut }: Omit<RunNeeds, 'head'>,
): Pick<FineTuneWork, 'fixedSeconds' | 'epochSeconds'> {
  const { config } = run;
  const { fineTune } = config;
  if (fineTune === null) return { fixedSeconds: 0, epochSeconds: 0 };
  const secondsOf = (epochs: number): number =>
    forecastFineTunes(context, [{ ...config, fineTune: { ...fineTune, epochs } }], fineTuneCut, sets).seconds;
  const [one, two] = [secondsOf(1), secondsOf(2)];
  return { fixedSeconds: 2 * one - two, epochSeconds: two - one };
}
