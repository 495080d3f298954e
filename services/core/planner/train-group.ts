import type { CostContext, TaskForecast } from './cost/task-cost.ts';
import { forecastFineTunes, forecastHeads } from './cost/task-cost.ts';
import { describeFineTunes, describeHead } from './describe.ts';
import type { KeyedFeatureSet } from './feature-set.ts';
import { cutEvenly, groupBy, streamKey } from './grouping.ts';
import type { HeadRuns } from './head-phase.ts';
import type { PlannedRun } from './plan.ts';
import type { RunNeeds } from './run-needs.ts';
import { leastParts } from './split-groups.ts';
import type { SplittableGroup } from './split-groups.ts';

/** Maximum number of runs that train together: each has its own metric rows, checkpoint and report. */
const MAX_GROUP_RUNS = 64;

/** One task of a group, without its identity and its dependencies. */
export interface DraftTask {
  readonly runIds: readonly string[];
  readonly featureSets: readonly KeyedFeatureSet[];
  readonly description: string;
  readonly forecast: TaskForecast;
}

/** Runs that train as one task, or in parts. */
export interface TrainGroup extends SplittableGroup {
  readonly stage: 'HEAD' | 'FINE_TUNE';
  /** Returns the tasks when the group is split into `parts`. */
  readonly cut: (parts: number) => readonly DraftTask[];
}

/** Groups the trained heads by the batches they read. `memoryBytes` is that of a slot; 0 if unknown. */
export function headGroups(
  context: CostContext,
  needs: readonly RunNeeds[],
  headRuns: HeadRuns,
  memoryBytes: number,
): TrainGroup[] {
  const leads = needs.filter(({ run }) => headRuns.get(run.runId) === run.runId);
  return groupBy(leads, headGroupKey).map((members) =>
    trainGroup('HEAD', members, memoryBytes, (part) => draftHeads(context, part)),
  );
}

/**
 * Returns a key; runs with the same key read the same batches with the same values, so one pass over them serves all.
 */
function headGroupKey({ run: { config }, head }: RunNeeds): string {
  if (config.method === 'augmented') return streamKey(config);
  return JSON.stringify(['cached', head.map(({ key }) => key), config.batchSize, config.dataSeed]);
}

function draftHeads(context: CostContext, members: readonly RunNeeds[]): DraftTask {
  const runs = members.map(({ run }) => run);
  const featureSets = distinctSets(members.flatMap(({ head }) => head));
  const configs = runs.map(({ config }) => config);
  return {
    runIds: runs.map(({ runId }) => runId),
    featureSets,
    description: describeHead(runs),
    forecast: forecastHeads(context, configs, featureSets),
  };
}

/** Groups fine-tunings by the frozen part that they share. */
export function fineTuneGroups(context: CostContext, needs: readonly RunNeeds[], memoryBytes: number): TrainGroup[] {
  const tuned = needs.filter(({ run }) => run.config.fineTune !== null && run.segment !== null);
  return groupBy(tuned, fineTuneGroupKey).map((members) =>
    trainGroup('FINE_TUNE', members, memoryBytes, (part) => draftFineTunes(context, part)),
  );
}

/**
 * Returns a key; fine-tunings with the same key share one pass of each augmented batch through the same frozen part.
 * Fine-tunings on stored outputs have no such pass, and those from the pixels have no frozen part: they share nothing,
 * and are separate tasks.
 */
function fineTuneGroupKey({ run, fineTuneCut }: RunNeeds): string {
  if (run.config.method !== 'augmented' || fineTuneCut === null) return run.runId;
  // Other epochs have other augmented batches.
  const segment = run.segment === undefined ? [] : [run.segment?.from, run.segment?.to];
  return JSON.stringify([streamKey(run.config), fineTuneCut, ...segment]);
}

function draftFineTunes(context: CostContext, members: readonly RunNeeds[]): DraftTask {
  const featureSets = distinctSets(members.flatMap(({ fineTune }) => fineTune));
  const configs = members.map(({ run }) => run.config);
  return {
    runIds: members.map(({ run }) => run.runId),
    featureSets,
    description: describeFineTunes(members),
    forecast: forecastFineTunes(
      context,
      configs,
      members[0]?.fineTuneCut ?? null,
      featureSets,
      members.map(({ run }) => fineTuneEpochs(run)),
    ),
  };
}

/** Returns the number of epochs that a planned task fine-tunes a run. */
function fineTuneEpochs({ config, segment }: PlannedRun): number {
  const end = config.fineTune?.epochs ?? 0;
  return Math.max(0, Math.min(segment?.to ?? end, end) - (segment?.from ?? 0));
}

/**
 * Creates a group. The tasks of each division are cached, because the search for the best one requests them repeatedly.
 */
function trainGroup(
  stage: TrainGroup['stage'],
  members: readonly RunNeeds[],
  memoryBytes: number,
  draft: (members: readonly RunNeeds[]) => DraftTask,
): TrainGroup {
  const divisions = new Map<number, readonly DraftTask[]>();
  const cut = (parts: number): readonly DraftTask[] => {
    const known = divisions.get(parts);
    if (known !== undefined) return known;
    const tasks = cutEvenly(members, parts).map(draft);
    divisions.set(parts, tasks);
    return tasks;
  };
  return {
    stage,
    memberCount: members.length,
    leastParts: leastParts(members.length, MAX_GROUP_RUNS, memoryBytes, cut),
    longestSeconds: (parts) => Math.max(0, ...cut(parts).map(({ forecast }) => forecast.seconds)),
    cut,
  };
}

export function distinctSets(sets: readonly KeyedFeatureSet[]): KeyedFeatureSet[] {
  return [...new Map(sets.map((set) => [set.key, set])).values()];
}
