import type { StoredEvent, SweepEvent, TaskEventState } from '../../../core/records/event.ts';
import type { WatchSweepResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { requireMessage } from './fields.ts';
import { runStates, stages } from './run.ts';
import { sweepStates } from './sweep.ts';
import { testResultFromProto, testResultToProto } from './test-result.ts';

/** Converts an event to its message. */
export function eventToProto({ cursor, eventTime, event }: StoredEvent): WatchSweepResponse {
  return { cursor, eventTime, event: bodyToProto(event) };
}

function bodyToProto(event: SweepEvent): WatchSweepResponse['event'] {
  switch (event.kind) {
    case 'SWEEP_STATE':
      return { $case: 'sweepState', value: { ...event, state: sweepStates.toProto(event.state) } };
    case 'RUN_STATE': {
      const [state, stage] = [runStates.toProto(event.state), stages.toProto(event.stage)];
      return { $case: 'runState', value: { ...event, state, stage } };
    }
    case 'EPOCH': {
      const { runId, epoch, names, values } = event;
      const stage = stages.toProto(event.stage);
      const metrics = names.map((name, index) => ({ runId, stage, epoch, name, value: values[index] ?? Number.NaN }));
      return { $case: 'epoch', value: { runId, stage, epoch, metrics } };
    }
    case 'TASK':
      return { $case: 'task', value: { ...event, stage: stages.toProto(event.stage) } };
    case 'TEST_RESULT':
      return { $case: 'testResult', value: { result: testResultToProto(event.result) } };
  }
}

/**
 * Converts an event's message; null for a kind that this version does not know.
 *
 * @throws InvalidRequestError naming the field that is absent or unknown.
 */
export function eventFromProto(message: WatchSweepResponse): StoredEvent | null {
  const event = bodyFromProto(message.event);
  if (event === null) return null;
  return { cursor: message.cursor, eventTime: requireMessage(message.eventTime, 'event_time'), event };
}

function bodyFromProto(event: WatchSweepResponse['event']): SweepEvent | null {
  switch (event?.$case) {
    case undefined:
      return null;
    case 'sweepState': {
      const state = sweepStates.fromProto(event.value.state, 'sweep_state.state');
      return { kind: 'SWEEP_STATE', ...event.value, state };
    }
    case 'runState': {
      const state = runStates.fromProto(event.value.state, 'run_state.state');
      return { kind: 'RUN_STATE', ...event.value, state, stage: stages.tryFromProto(event.value.stage) };
    }
    case 'epoch': {
      const { runId, stage, epoch, metrics } = event.value;
      const names = metrics.map(({ name }) => name);
      const values = metrics.map(({ value }) => value);
      return { kind: 'EPOCH', runId, stage: stages.tryFromProto(stage), epoch, names, values };
    }
    case 'task': {
      const state = event.value.state as TaskEventState;
      return { kind: 'TASK', ...event.value, stage: stages.tryFromProto(event.value.stage), state };
    }
    case 'testResult':
      return { kind: 'TEST_RESULT', result: testResultFromProto(event.value.result) };
  }
}
