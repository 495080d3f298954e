import { runStates, stages } from '../../platform/rpc/convert/run.ts';
import { sweepStates } from '../../platform/rpc/convert/sweep.ts';
import type { WatchSweepResponse } from '../../../proto/gen/graft/v1/sweep_service.ts';
import type { StoredEvent, SweepEvent } from '../../core/records/event.ts';
import { testResultToProto } from './convert-run.ts';

export function eventToProto({ cursor, eventTime, event }: StoredEvent): WatchSweepResponse {
  return { cursor, eventTime, event: bodyToProto(event) };
}

function bodyToProto(event: SweepEvent): WatchSweepResponse['event'] {
  switch (event.kind) {
    case 'SWEEP_STATE':
      return { $case: 'sweepState', value: { state: sweepStates.toProto(event.state), reason: event.reason } };
    case 'RUN_STATE': {
      const { runId, state, stage, reason } = event;
      return {
        $case: 'runState',
        value: { runId, state: runStates.toProto(state), stage: stages.toProto(stage), reason },
      };
    }
    case 'EPOCH': {
      const { runId, epoch, names, values } = event;
      const stage = stages.toProto(event.stage);
      const metrics = names.map((name, index) => ({ runId, stage, epoch, name, value: values[index] ?? Number.NaN }));
      return { $case: 'epoch', value: { runId, stage, epoch, metrics } };
    }
    case 'TASK': {
      const { taskId, stage, state, trainerId, message } = event;
      return { $case: 'task', value: { taskId, stage: stages.toProto(stage), state, trainerId, message } };
    }
    case 'TEST_RESULT':
      return { $case: 'testResult', value: { result: testResultToProto(event.result) } };
  }
}
