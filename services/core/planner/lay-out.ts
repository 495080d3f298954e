import { taskIdOf } from '../ids.ts';
import { makespanSeconds } from './cost/makespan.ts';
import { timed } from './cost/plan-cost.ts';
import type { TaskForecast } from './cost/task-cost.ts';
import { describeFeatures } from './describe.ts';
import type { KeyedFeatureSet } from './feature-set.ts';
import type { HeadRuns } from './head-phase.ts';
import type { PlanInput, PlannedTask } from './plan.ts';
import { chooseParts } from './split-groups.ts';
import type { TrainGroup } from './train-group.ts';

/** Feature sets that one task computes. */
export interface FeatureTask {
  readonly sets: readonly KeyedFeatureSet[];
  readonly forecast: TaskForecast;
}

/** Returns tasks for features and groups, with each group in the number of parts that ends the sweep soonest on the present slots. */
export function layOut(
  { sweepId, cluster }: Pick<PlanInput, 'sweepId' | 'cluster'>,
  headRuns: HeadRuns,
  featureTasks: readonly FeatureTask[],
  groups: readonly TrainGroup[],
): PlannedTask[] {
  const slotCount = Math.max(1, Math.floor(cluster.slotCount));
  const tasksOf = (parts: readonly number[]): PlannedTask[] => {
    const builder = new PlanBuilder(sweepId, headRuns);
    for (const { sets, forecast } of featureTasks) builder.addFeatures(sets, forecast);
    for (const [index, group] of groups.entries()) builder.addGroup(group, parts[index] ?? 1);
    return builder.tasks;
  };
  const parts = chooseParts(groups, slotCount, featureTasks.length + groups.length, (candidate) =>
    makespanSeconds(timed({ tasks: tasksOf(candidate) }), slotCount),
  );
  return tasksOf(parts);
}

/** Numbers tasks in the order they are added; records which task computes each feature set and trains each head. */
class PlanBuilder {
  readonly tasks: PlannedTask[] = [];
  private readonly sweepId: string;
  private readonly headRuns: HeadRuns;
  private readonly makers = new Map<string, string>();
  private readonly headTasks = new Map<string, string>();

  constructor(sweepId: string, headRuns: HeadRuns) {
    this.sweepId = sweepId;
    this.headRuns = headRuns;
  }

  addFeatures(featureSets: readonly KeyedFeatureSet[], forecast: TaskForecast): void {
    const description = describeFeatures(featureSets);
    const taskId = this.add({ stage: 'FEATURES', runIds: [], featureSets, dependsOn: [], description, forecast });
    for (const { key } of featureSets) this.makers.set(key, taskId);
  }

  addGroup(group: TrainGroup, parts: number): void {
    for (const draft of group.cut(parts)) {
      const makers = this.makersOf(draft.featureSets);
      if (group.stage === 'FINE_TUNE') {
        const heads = draft.runIds.flatMap((runId) => this.headTasks.get(this.headRuns.get(runId) ?? runId) ?? []);
        this.add({ stage: 'FINE_TUNE', ...draft, dependsOn: [...new Set([...heads, ...makers])] });
        continue;
      }
      const taskId = this.add({ stage: 'HEAD', ...draft, dependsOn: makers });
      for (const runId of draft.runIds) this.headTasks.set(runId, taskId);
    }
  }

  private add(task: Omit<PlannedTask, 'taskId'>): string {
    const taskId = taskIdOf(this.sweepId, this.tasks.length + 1);
    this.tasks.push({ taskId, ...task });
    return taskId;
  }

  private makersOf(featureSets: readonly KeyedFeatureSet[]): string[] {
    return [...new Set(featureSets.map(({ key }) => this.makers.get(key)))].filter((id) => id !== undefined);
  }
}
