import { datasetToProto } from '../../platform/rpc/convert/dataset.ts';
import { sweepSpecToProto, sweepStates } from '../../platform/rpc/convert/sweep.ts';
import type { Dataset } from '../../../proto/gen/graft/v1/dataset.ts';
import type { Sweep } from '../../../proto/gen/graft/v1/sweep.ts';
import type { Trainer } from '../../../proto/gen/graft/v1/trainer.ts';
import { Stage } from '../../../proto/gen/graft/v1/run.ts';
import { stages } from '../../platform/rpc/convert/run.ts';
import type { DatasetRecord } from '../../core/records/dataset.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { TrainerRecord } from '../../core/records/trainer.ts';

export function sweepToProto(sweep: SweepRecord): Sweep {
  return {
    sweepId: sweep.sweepId,
    spec: sweepSpecToProto(sweep.spec),
    state: sweepStates.toProto(sweep.state),
    stateReason: sweep.stateReason,
    datasetId: sweep.datasetId ?? '',
    runCount: sweep.runCount,
    finishedRunCount: sweep.finishedRunCount,
    succeededRunCount: sweep.succeededRunCount,
    failedRunCount: sweep.failedRunCount,
    infeasibleRunCount: sweep.infeasibleRunCount,
    stoppedRunCount: sweep.stoppedRunCount,
    cancelledRunCount: sweep.cancelledRunCount,
    bestRunId: sweep.bestRunId ?? '',
    ...(sweep.bestValue === null ? {} : { bestValue: sweep.bestValue }),
    createTime: sweep.createTime,
    startTime: sweep.startTime ?? undefined,
    endTime: sweep.endTime ?? undefined,
  };
}

export function datasetRecordToProto(dataset: DatasetRecord): Dataset {
  return datasetToProto(dataset, dataset.createTime);
}

export function trainerToProto(trainer: TrainerRecord): Trainer {
  return {
    trainerId: trainer.trainerId,
    hostname: trainer.hostname,
    version: trainer.version,
    engineVersion: trainer.engineVersion,
    state: trainer.state,
    slots: trainer.slots.map((slot) => ({
      slotIndex: slot.slotIndex,
      deviceKind: slot.deviceKind,
      deviceName: slot.deviceName,
      memoryBytes: BigInt(slot.memoryBytes),
      threadCount: slot.threadCount,
      taskId: slot.taskId ?? '',
      stage: slot.stage === null ? Stage.UNSPECIFIED : stages.toProto(slot.stage),
      benchReason: slot.benchReason ?? '',
    })),
    heartbeatTime: trainer.heartbeatTime,
    refusalCount: trainer.refusalCount,
    drainReason: trainer.drainReason ?? '',
  };
}
