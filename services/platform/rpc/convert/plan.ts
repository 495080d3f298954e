import type { PreviewedRun, PreviewedTask, SweepPreview } from '../../../core/planner/preview-sweep.ts';
import type { PlanCostRecord, SweepPlanRecord } from '../../../core/records/plan.ts';
import type {
  PlanCost,
  PlannedRun,
  PlannedTask,
  PlanSweepResponse,
} from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { bytesToProto, numberOf, requireMessage } from './fields.ts';
import { parametersFromProto, parametersToProto } from './parameter.ts';
import { stages } from './run.ts';

/** Converts a run of a preview to its message. */
export function plannedRunToProto(run: PreviewedRun, variedNames: readonly string[]): PlannedRun {
  return {
    runIndex: run.index,
    parameters: parametersToProto(run.parameters),
    variedNames: [...variedNames],
    headRunIndex: run.headRunIndex,
  };
}

/** Converts a task of a preview to its message. */
export function plannedTaskToProto(task: PreviewedTask): PlannedTask {
  return {
    stage: stages.toProto(task.stage),
    runIndexes: [...task.runIndexes],
    description: task.description,
    dependencies: [...task.dependencies],
    expectedSeconds: task.seconds,
    expectedMemoryBytes: bytesToProto(task.memoryBytes),
    featureBytes: bytesToProto(task.featureBytes),
  };
}

/** Returns a page of a plan without runs, tasks and page token. */
export function planSummaryToProto(preview: SweepPreview): PlanSweepResponse {
  return {
    runs: [],
    tasks: [],
    duplicateCount: preview.duplicateCount,
    missingRunCount: preview.missingCount,
    notes: [...preview.notes],
    basePassCountAlone: BigInt(preview.basePassCountAlone),
    basePassCountShared: BigInt(preview.basePassCountShared),
    cost: costToProto(preview),
    nextPageToken: '',
    runCount: preview.runs.length,
    taskCount: preview.tasks.length,
  };
}

function costToProto({ cost, imageCounts, imageCountsAssumed }: SweepPreview): PlanCost {
  return {
    ...cost,
    featureBytes: bytesToProto(cost.featureBytes),
    memoryBytes: bytesToProto(cost.memoryBytes),
    trainImageCount: imageCounts.train,
    validationImageCount: imageCounts.validation,
    testImageCount: imageCounts.test,
    imageCountsAssumed,
  };
}

/** Joins the pages of a plan, at least one. */
export function planFromProto(pages: readonly PlanSweepResponse[]): SweepPlanRecord {
  const message = requireMessage(pages[0], 'plan');
  return {
    runs: pages.flatMap(({ runs }) =>
      runs.map(({ runIndex, parameters, variedNames, headRunIndex }) => ({
        runIndex,
        parameters: parametersFromProto(parameters, 'runs.parameters'),
        variedNames,
        headRunIndex,
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

function costFromProto(cost: PlanCost): PlanCostRecord {
  return {
    ...cost,
    featureBytes: numberOf(cost.featureBytes, 'cost.feature_bytes'),
    memoryBytes: numberOf(cost.memoryBytes, 'cost.memory_bytes'),
  };
}
