import type {
  FinalistForecastRecord,
  PlanCostRecord,
  PlannedRunRecord,
  PlannedTaskRecord,
  RungForecastRecord,
  SearchForecastRecord,
  SweepPlanRecord,
} from '../../../core/records/plan.ts';
import type {
  FinalistForecast,
  PlanCost,
  PlannedRun,
  PlannedTask,
  PlanSweepResponse,
  RungForecast,
  SearchForecast,
} from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { absentNulls, bytesToProto, nullAbsent, numberOf, requireMessage, textOrNull } from './fields.ts';
import { parametersFromProto, parametersToProto } from './parameter.ts';
import { stages } from './run.ts';

/** Converts a run of a plan to its message. */
export function plannedRunToProto(run: PlannedRunRecord): PlannedRun {
  return {
    ...run,
    parameters: parametersToProto(run.parameters),
    variedNames: [...run.variedNames],
    reusedRunId: run.reusedRunId ?? '',
  };
}

/** Converts a task of a plan to its message. */
export function plannedTaskToProto(task: PlannedTaskRecord): PlannedTask {
  return {
    ...task,
    stage: stages.toProto(task.stage),
    runIndexes: [...task.runIndexes],
    dependencies: [...task.dependencies],
    expectedMemoryBytes: bytesToProto(task.expectedMemoryBytes),
    featureBytes: bytesToProto(task.featureBytes),
  };
}

/** Returns a page of a plan without runs, tasks and page token. */
export function planSummaryToProto({ runs, tasks, cost, ...plan }: SweepPlanRecord): PlanSweepResponse {
  return {
    ...plan,
    runs: [],
    tasks: [],
    notes: [...plan.notes],
    basePassCountAlone: BigInt(plan.basePassCountAlone),
    basePassCountShared: BigInt(plan.basePassCountShared),
    cost: costToProto(cost),
    nextPageToken: '',
    runCount: runs.length,
    taskCount: tasks.length,
  };
}

/** Joins the pages of a plan, at least one. */
export function planFromProto(pages: readonly PlanSweepResponse[]): SweepPlanRecord {
  const message = requireMessage(pages[0], 'plan');
  return {
    runs: pages.flatMap(({ runs }) =>
      runs.map(({ runIndex, parameters, variedNames, headRunIndex, reusedRunId }) => ({
        runIndex,
        parameters: parametersFromProto(parameters, 'runs.parameters'),
        variedNames,
        headRunIndex,
        reusedRunId: textOrNull(reusedRunId),
      })),
    ),
    tasks: pages
      .flatMap(({ tasks }) => tasks)
      .map((task) => ({
        stage: stages.tryFromProto(task.stage),
        runIndexes: task.runIndexes,
        description: task.description,
        dependencies: task.dependencies,
        expectedSeconds: task.expectedSeconds,
        expectedMemoryBytes: numberOf(task.expectedMemoryBytes, 'tasks.expected_memory_bytes'),
        featureBytes: numberOf(task.featureBytes, 'tasks.feature_bytes'),
      })),
    duplicateCount: message.duplicateCount,
    missingRunCount: message.missingRunCount,
    notes: message.notes,
    basePassCountAlone: Number(message.basePassCountAlone),
    basePassCountShared: Number(message.basePassCountShared),
    cost: costFromProto(requireMessage(message.cost, 'cost')),
  };
}

function costToProto({ search, finalists, ...cost }: PlanCostRecord): PlanCost {
  return {
    ...cost,
    featureBytes: bytesToProto(cost.featureBytes),
    memoryBytes: bytesToProto(cost.memoryBytes),
    search: search === null ? undefined : { ...search, rungs: search.rungs.map(rungToProto) },
    finalists: finalists ?? undefined,
  };
}

function rungToProto(rung: RungForecastRecord): RungForecast {
  return { ...absentNulls(rung), stage: stages.toProto(rung.stage) };
}

function searchFromProto(search: SearchForecast | undefined): SearchForecastRecord | null {
  if (search === undefined) return null;
  const { slotSeconds, wallSeconds, rungs } = search;
  return {
    ...search,
    slotSeconds: requireMessage(slotSeconds, 'cost.search.slot_seconds'),
    wallSeconds: requireMessage(wallSeconds, 'cost.search.wall_seconds'),
    rungs: rungs.map((rung) => ({
      ...nullAbsent(rung),
      stage: stages.tryFromProto(rung.stage),
      entries: requireMessage(rung.entries, 'cost.search.rungs.entries'),
    })),
  };
}

function finalistsFromProto({ slotSeconds, wallSeconds, ...counts }: FinalistForecast): FinalistForecastRecord {
  return {
    ...counts,
    slotSeconds: requireMessage(slotSeconds, 'cost.finalists.slot_seconds'),
    wallSeconds: requireMessage(wallSeconds, 'cost.finalists.wall_seconds'),
  };
}

function costFromProto(cost: PlanCost): PlanCostRecord {
  return {
    ...cost,
    featureBytes: numberOf(cost.featureBytes, 'cost.feature_bytes'),
    memoryBytes: numberOf(cost.memoryBytes, 'cost.memory_bytes'),
    search: searchFromProto(cost.search),
    finalists: cost.finalists === undefined ? null : finalistsFromProto(cost.finalists),
  };
}
