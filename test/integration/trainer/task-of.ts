import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import type { LeasedTask } from '../../../services/core/task.ts';

/** Returns a HEAD task; the first run's parameters control the scripted worker. */
export function taskOf(taskId: string, parameters: Parameters, runIds: readonly string[] = ['r1']): LeasedTask {
  return {
    taskId,
    sweepId: 's1',
    stage: 'HEAD',
    leaseEpoch: 1,
    runs: runIds.map((runId) => ({
      runId,
      parameters,
      resumeCheckpoint: null,
      sourceCheckpoint: null,
      sourceValue: null,
      role: null,
      stopped: false,
      milestoneEpochs: [],
      pauseEpoch: null,
    })),
    datasetSource: { path: '/data', splitFractions: null, allowDuplicates: false, skipBadFiles: false },
    dataset: null,
    manifestUri: null,
    featureSets: [],
    weightsReferences: [],
    objective: { metric: 'val_loss', goal: 'minimize' },
    classMetrics: [],
    microBatchDivisor: 1,
    traceparent: null,
  };
}
