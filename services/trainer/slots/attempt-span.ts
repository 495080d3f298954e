import type { LeasedTask } from '../../core/task.ts';
import { tracer } from '../../platform/telemetry/tracer.ts';
import type { Span } from '../../platform/telemetry/tracer.ts';

/** Starts the span of an attempt, in the trace in which its sweep was submitted. */
export function startAttemptSpan({ sweepId, taskId, stage, leaseEpoch, runs, traceparent }: LeasedTask): Span {
  return tracer().startSpan(`attempt ${stage}`, {
    kind: 'consumer',
    parent: traceparent,
    attributes: {
      'graft.sweep_id': sweepId,
      'graft.task_id': taskId,
      'graft.stage': stage,
      'graft.attempt': leaseEpoch,
      'graft.run_count': runs.length,
    },
  });
}
